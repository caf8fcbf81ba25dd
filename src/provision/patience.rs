//! How long `setup` waits for AWS, and what it makes of a refusal.

use std::time::Duration;

use crate::clock::SystemClock;
use crate::error::Error;
use crate::inventory::Fault;
use crate::lease::Instant;
use crate::store::StoreError;

/// A new table may take this long to become active; it takes seconds.
pub(super) const ACTIVE: Duration = Duration::from_secs(300);
/// A setting of something new, or one that somebody else is changing, may take this long.
pub(super) const SETTLED: Duration = Duration::from_secs(30);
/// How often a call is made that gets no answer.
const ATTEMPTS: u32 = 3;
/// Between two looks, at first; twice that after each, up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A bound that is waited for in growing pauses.
pub(super) struct Wait {
    end: Instant,
    pause: Duration,
}

impl Wait {
    pub(super) fn at_most(bound: Duration) -> Self {
        Self { end: SystemClock.mono() + bound, pause: PAUSE }
    }

    /// Waits a little; `false` when the time is over.
    pub(super) async fn again(&mut self) -> bool {
        if SystemClock.mono() >= self.end {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// Makes a call again that got no answer, a few times.
pub(super) async fn persist<T, F>(mut call: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut pause = PAUSE * 5;
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(Fault::Failed(error)) if error.is_transient() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    call().await
}

/// The end of the command: `what` could not be done.
pub(super) fn failure(what: &str, fault: &Fault) -> Error {
    match fault {
        Fault::Denied { action, said } => {
            let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
            Error::Credentials(format!(
                "{what}: the AWS credentials may not {action}; allow it in their IAM policy, which `tfguard policy \
                 --for setup` prints{said}"
            ))
        }
        Fault::Failed(StoreError::Credentials { message, .. }) => {
            Error::Credentials(format!("{what}: {message}"))
        }
        Fault::Failed(StoreError::Unavailable { message, .. }) => Error::Unavailable(format!(
            "{what}: {message}; run `tfguard setup` again, it takes up where it stopped"
        )),
        other => Error::Config(format!("{what}: {}", other.text())),
    }
}

/// A client could not be had.
pub(super) fn unconnected(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable { message, .. } => Error::Unavailable(message),
        StoreError::Credentials { message, .. } => Error::Credentials(message),
        other => Error::Config(other.to_string()),
    }
}
