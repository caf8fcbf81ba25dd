//! Everything that can end a run early, by domain, each with its exit code.
//!
//! The texts are written for people: what happened, to which lock, what to do next.

use crate::store::StoreError;

/// Exit codes of our own. A child's code passes through as it is.
pub mod exit {
    /// Wrong usage. Never 2, which is Terraform's "there are changes".
    pub const USAGE: u8 = 64;
    /// No configuration, no such directory.
    pub const NO_INPUT: u8 = 66;
    /// The lock store cannot be reached.
    pub const UNAVAILABLE: u8 = 69;
    /// A bug in tfguard.
    pub const SOFTWARE: u8 = 70;
    /// The lock was not got, or what earlier runs left under it forbids the command.
    pub const NOT_ACQUIRED: u8 = 75;
    /// The lease was lost or at risk, and the child did not succeed.
    pub const LOST: u8 = 76;
    /// No credentials, or they may not do that.
    pub const CREDENTIALS: u8 = 77;
    /// The lock table or the configuration is wrong.
    pub const CONFIG: u8 = 78;
    /// The command cannot be run.
    pub const CANNOT_RUN: u8 = 126;
    /// The command cannot be found.
    pub const NOT_FOUND: u8 = 127;
    /// Added to a signal's number.
    pub const SIGNAL_BASE: u8 = 128;
}

/// Why a run ended before, or without, its child's own exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// There is nothing to run on.
    #[error("{0}")]
    NoInput(String),
    /// The store did not answer, or answered that something is wrong with our set-up.
    #[error("lock {lock}: {source}{advice}")]
    Store {
        /// The lock.
        lock: String,
        /// What the store's side said.
        source: StoreError,
        /// What was tried, what to do next: empty, or a clause with its own separator.
        advice: String,
    },
    /// The store did not answer, or not well, when it was asked for all of its locks.
    #[error("{source}")]
    Listing {
        /// What the store's side said.
        source: StoreError,
    },
    /// The bucket with the state, or the table with its digest, did not answer or refused.
    #[error("the state {state}: {source}")]
    State {
        /// Where the state is.
        state: String,
        /// What the service's side said.
        source: StoreError,
    },
    /// The child's credentials are known to expire too soon.
    #[error("{0}")]
    Credentials(String),
    /// The set-up is wrong, before any store was asked.
    #[error("{0}")]
    Config(String),
    /// AWS did not answer, or not in time.
    #[error("{0}")]
    Unavailable(String),
    /// Held by others, waited too long, queue full, or taken out of the queue.
    #[error("{0}")]
    NotAcquired(String),
    /// The lock was acquired, and what earlier runs left under it forbids the command.
    #[error("{0}")]
    Refused(String),
    /// `--deadline` came before the next command was started.
    #[error("{0}")]
    Deadline(String),
    /// The lease was lost before the child could run.
    #[error("{0}")]
    Lost(String),
    /// The command exists and cannot be run.
    #[error("{0}")]
    CannotRun(String),
    /// The command cannot be found.
    #[error("{0}")]
    NotFound(String),
    /// A signal arrived before the requested child ran.
    #[error("cancelled by {name}")]
    Cancelled {
        /// `SIGINT` and the like.
        name: &'static str,
        /// Its number.
        number: u8,
    },
    /// A bug in tfguard.
    #[error("{0}; this is a bug in tfguard, please report it")]
    Bug(String),
}

impl Error {
    /// The exit code that stands for it, see [`exit`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit::USAGE,
            Self::NoInput(_) => exit::NO_INPUT,
            Self::Store { source, .. } | Self::Listing { source } | Self::State { source, .. } => {
                match source {
                    StoreError::Unavailable { .. } => exit::UNAVAILABLE,
                    StoreError::Credentials { .. } => exit::CREDENTIALS,
                    StoreError::Misconfigured { .. } | StoreError::BadRecord { .. } => exit::CONFIG,
                }
            }
            Self::Credentials(_) => exit::CREDENTIALS,
            Self::Config(_) => exit::CONFIG,
            Self::Unavailable(_) => exit::UNAVAILABLE,
            Self::NotAcquired(_) | Self::Refused(_) | Self::Deadline(_) => exit::NOT_ACQUIRED,
            Self::Lost(_) => exit::LOST,
            Self::CannotRun(_) => exit::CANNOT_RUN,
            Self::NotFound(_) => exit::NOT_FOUND,
            Self::Cancelled { number, .. } => exit::SIGNAL_BASE.saturating_add(*number),
            Self::Bug(_) => exit::SOFTWARE,
        }
    }
}
