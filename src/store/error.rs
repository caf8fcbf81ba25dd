//! What can go wrong between us and a store, told apart by what helps.

use crate::lease::RecordError;

/// Result of a store's request.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store gave no usable answer. Every text is one clear sentence or clause without a final
/// full stop, free of control characters, fit to stand behind `tfguard: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It may work in a moment; whether a write took effect is unknown.
    #[error("{message}")]
    Unavailable {
        /// In what way.
        kind: Unavailable,
        /// For people.
        message: String,
    },
    /// No credentials, expired ones, or ones that may not do this.
    #[error("{message}")]
    Credentials {
        /// They were valid once: a refresh may mend it.
        expired: bool,
        /// For people, with what to do next.
        message: String,
    },
    /// The store exists in the wrong shape or not at all: table, key, region, folder.
    #[error("{message}")]
    Misconfigured {
        /// For people, with what to do next.
        message: String,
    },
    /// The record is there and cannot be used.
    #[error("its record cannot be used: {error}")]
    BadRecord {
        /// The lock's name.
        lock: String,
        /// What is wrong with it.
        error: RecordError,
    },
}

/// The kinds of [`StoreError::Unavailable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// No connection: refused, unknown host, TLS failure.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The store asks to slow down.
    Throttled,
    /// The store failed: 5xx, garbage, disk full.
    Failed,
}

impl StoreError {
    /// Whether trying again in a moment, with nothing else changed, can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the store is known to have turned the request away, so that a write in it cannot
    /// take effect later.
    pub fn refused(&self) -> bool {
        match self {
            Self::Unavailable { kind, .. } => matches!(kind, Unavailable::Throttled),
            Self::Credentials { .. } | Self::Misconfigured { .. } => true,
            Self::BadRecord { .. } => false,
        }
    }
}
