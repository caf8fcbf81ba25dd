//! Frees a state lock of which it is known that its owner is dead.

use jiff::Timestamp;

use super::{Policy, Probed, Terraform, widened};
use crate::terraform::lock_info::LockInfo;

/// A Terraform that is known to be dead.
#[derive(Debug, Clone)]
pub struct Dead {
    /// As whom it may have signed its lock: `user@host`.
    pub names: Vec<String>,
    /// When it may have taken the lock at the earliest.
    pub from: Timestamp,
    /// And at the latest.
    pub to: Timestamp,
    /// It was ours, and not of a run before.
    pub own: bool,
}

/// What was found, and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No lock, or none that the backend tells of.
    Nothing,
    /// The dead one's lock was there and is gone now.
    Freed(LockInfo),
    /// The dead one's lock is there, and the policy leaves it.
    Left(LockInfo),
    /// The dead one's lock is there and could not be freed: what Terraform said.
    Stuck(LockInfo, String),
    /// Somebody else's lock is there. It is never touched.
    Foreign(LockInfo),
}

/// Looks for a state lock and frees it if `dead` took it and `policy` allows.
pub async fn free_if_dead(terraform: &Terraform, dead: &Dead, policy: Policy) -> Finding {
    let Some(info) = terraform.lock().await else { return Finding::Nothing };
    let (from, to) = widened(dead.from, dead.to);
    if !info.was_taken_by(&dead.names, from, to) {
        return Finding::Foreign(info);
    }
    let allowed = match policy {
        Policy::Never => false,
        Policy::Own => dead.own,
        Policy::Takeover => true,
    };
    if !allowed {
        return Finding::Left(info);
    }
    match terraform.force_unlock(&info.id).await {
        Some((true, _)) => Finding::Freed(info),
        // Where a backend has two places for it and only one is taken, Terraform frees that one
        // and fails at the other.
        Some((false, _)) if matches!(terraform.probe().await, Probed::Free) => Finding::Freed(info),
        Some((false, said)) => Finding::Stuck(info, said),
        None => Finding::Stuck(info, "terraform force-unlock gave no answer".to_owned()),
    }
}
