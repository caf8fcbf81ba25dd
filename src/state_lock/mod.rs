//! Terraform's own state lock, when a Terraform died without releasing it.
//!
//! Around a run the backend's own words are the only source: Terraform is asked for something that
//! the lock refuses, and its error describes the lock that is there. That works for every backend
//! whose error names the lock, and needs no access of ours to the state's store. Operators look at
//! the `s3` backend's lock where it is stored, too.

mod care;
mod free;
mod probe;
mod stored;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use care::Care;
pub use free::{Dead, Finding, free_if_dead};
pub use probe::{Probed, Terraform};
pub use stored::{StateLock, StatePlace};

pub(crate) use stored::{in_bucket, in_table};

/// The values of `--free-state-lock`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// Frees what our own child left.
    #[default]
    Own,
    /// Frees nothing.
    Never,
    /// Also frees what a dead run before ours left, where its record proves that it was it.
    Takeover,
}

/// Clocks of one machine, read by two programs and written with less than full precision.
const SLACK: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// The user names that Terraform, running as we do on this machine, may write: it takes the name
/// from the user database, and from the environment where that has none.
pub fn own_names() -> Vec<String> {
    let host = crate::identity::host().unwrap_or_default();
    [Some(crate::identity::user()), std::env::var("USER").ok()]
        .into_iter()
        .flatten()
        .map(|user| format!("{user}@{host}"))
        .collect()
}

/// The time in which a run took its lock, a little widened.
fn widened(from: Timestamp, to: Timestamp) -> (Timestamp, Timestamp) {
    (from.saturating_sub(SLACK).unwrap_or(from), to.saturating_add(SLACK).unwrap_or(to))
}
