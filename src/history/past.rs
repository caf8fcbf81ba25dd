//! How long a lock was held before.

use std::time::Duration;

use crate::lease::{LockName, Mode, Outcome, PastRun};
use crate::store::Store;

/// The newest runs that are looked at: enough for a percentile, few enough for one request to a
/// table, and young enough to be of the same kind as those that run now.
pub const RECENT: u64 = 20;
/// How long reading them may take. Who waits longer than that goes without an estimate.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the newest runs of a lock held it, apart by mode: a plan that shares the lock says
/// nothing about an apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    exclusive: Vec<Duration>,
    shared: Vec<Duration>,
}

impl Past {
    /// The holds of runs that ended by themselves. One that was removed, or whose heartbeat
    /// stopped, says how long the lock was stuck, and not how long the work took.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a PastRun>) -> Self {
        let mut past = Self::default();
        for run in runs {
            if matches!(run.outcome, Outcome::Released | Outcome::Crashed) {
                let held = Duration::from_millis(run.held_ms);
                match run.mode {
                    Mode::Exclusive => past.exclusive.push(held),
                    Mode::Shared => past.shared.push(held),
                }
            }
        }
        past.exclusive.sort_unstable();
        past.shared.sort_unstable();
        past
    }

    /// The holds in this mode, the shortest first.
    pub(super) fn holds(&self, mode: Mode) -> &[Duration] {
        match mode {
            Mode::Exclusive => &self.exclusive,
            Mode::Shared => &self.shared,
        }
    }
}

/// The newest holds of the lock `name`, whose record has counted `runs`: one request to a table, at
/// most 20 to a bucket, for five seconds at most. `None` where they cannot be read; that costs an
/// estimate and nothing else.
pub async fn recent(store: &dyn Store, name: &LockName, runs: u64) -> Option<Past> {
    if runs == 0 {
        return None;
    }
    let numbers = runs.saturating_sub(RECENT - 1).max(1)..=runs;
    let read = tokio::time::timeout(PATIENCE, store.runs(name, numbers, PATIENCE)).await;
    let found = match read {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::debug!(%error, "no estimate");
            return None;
        }
        Err(_) => {
            tracing::debug!("no estimate: the history was not read in time");
            return None;
        }
    };
    Some(Past::of(found.iter().filter_map(|found| found.past.as_ref().ok())))
}
