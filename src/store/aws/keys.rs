//! AWS credentials, loaded before a request and renewed beside it, never inside its time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use jiff::Timestamp;

use super::sources::Sources;
use crate::clock::{Clock, SystemClock};
use crate::lease::Instant;
use crate::store::{StoreError, StoreResult, Unavailable};

/// The bound of the first load, in which a credential process may have to ask somebody.
const FIRST_LOAD: Duration = Duration::from_secs(30);
/// The bound of a renewal that a request waits for.
const RENEWAL: Duration = Duration::from_secs(10);
/// Renewal starts this long before the end, beside the requests.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// Closer to the end than this, a request waits for the renewal.
const LATE: Duration = Duration::from_secs(20);
/// A renewal that failed beside the requests is not tried again for this long.
const PAUSE: Duration = Duration::from_secs(15);

/// The credentials in use.
#[derive(Debug)]
pub(crate) struct Keys {
    sources: Sources,
    state: Mutex<State>,
    /// One renewal at a time.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Credentials>,
    /// The service refused them.
    distrusted: bool,
    not_before: Option<Instant>,
}

/// What the state of the credentials asks for before a request.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// A renewal beside the request.
    Soon,
    /// A renewal before the request.
    Now,
}

impl Keys {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, state: Mutex::default(), renewing: tokio::sync::Mutex::default() }
    }

    /// Makes sure that there are credentials which live long enough for a request.
    ///
    /// # Errors
    /// [`StoreError::Credentials`], or [`StoreError::Unavailable`] when whoever gives them out
    /// does not answer.
    pub(crate) async fn ensure(self: &Arc<Self>) -> StoreResult<()> {
        match self.need() {
            Need::Nothing => Ok(()),
            Need::Soon => {
                // Not awaited: what we have is still good for this request.
                drop(tokio::spawn(Arc::clone(self).renew()));
                Ok(())
            }
            // In a task of its own, so that a caller who gives up does not cut it short.
            Need::Now => match tokio::spawn(Arc::clone(self).renew()).await {
                Ok(result) => result,
                Err(_) => Err(unavailable(Unavailable::Failed, "loading AWS credentials broke off")),
            },
        }
    }

    /// Says that the service refused these credentials as expired: they are loaded anew, from the
    /// very sources, before the next request.
    pub(crate) fn distrust(&self) {
        self.lock().distrusted = true;
    }

    /// A provider that hands out what is in use and never loads by itself.
    pub(crate) fn provider(self: &Arc<Self>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(InUse(Arc::clone(self)))
    }

    fn need(&self) -> Need {
        let state = self.lock();
        need(&state, SystemClock.now().wall, SystemClock.mono())
    }

    async fn renew(self: Arc<Self>) -> StoreResult<()> {
        let _one = self.renewing.lock().await;
        if self.need() == Need::Nothing {
            return Ok(());
        }
        let bound = if self.lock().current.is_some() { RENEWAL } else { FIRST_LOAD };
        let loaded = tokio::time::timeout(bound, self.sources.load()).await;
        let mut state = self.lock();
        let had_some = state.current.is_some();
        match loaded {
            Ok(Ok(credentials)) => {
                state.current = Some(credentials);
                state.distrusted = false;
                state.not_before = Some(SystemClock.mono() + PAUSE);
                Ok(())
            }
            Ok(Err(error)) => {
                state.not_before = Some(SystemClock.mono() + PAUSE);
                Err(self.sources.failure(error, had_some))
            }
            Err(_) => {
                state.not_before = Some(SystemClock.mono() + PAUSE);
                let message = format!("no AWS credentials came within {} s", bound.as_secs());
                Err(unavailable(Unavailable::Timeout, &message))
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held, and a half-made change cannot exist.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn need(state: &State, wall: Timestamp, mono: Instant) -> Need {
    let Some(current) = &state.current else {
        return Need::Now;
    };
    if state.distrusted {
        return Need::Now;
    }
    let Some(expiry) = current.expiry().and_then(|expiry| Timestamp::try_from(expiry).ok()) else {
        return Need::Nothing;
    };
    let left = Duration::try_from(expiry.duration_since(wall)).unwrap_or_default();
    let paused = state.not_before.is_some_and(|instant| instant > mono);
    match left {
        left if left > EARLY => Need::Nothing,
        _ if left <= LATE && !left.is_zero() && paused => Need::Nothing,
        left if left <= LATE => Need::Now,
        _ if paused => Need::Nothing,
        _ => Need::Soon,
    }
}

fn unavailable(kind: Unavailable, message: &str) -> StoreError {
    StoreError::Unavailable { kind, message: message.to_owned() }
}

#[derive(Debug)]
struct InUse(Arc<Keys>);

impl ProvideCredentials for InUse {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let current = self.0.lock().current.clone();
        future::ProvideCredentials::ready(current.ok_or_else(CredentialsError::not_loaded_no_source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seconds_left: Option<i64>) -> (State, Timestamp) {
        let wall = Timestamp::from_second(1_800_000_000).unwrap();
        let expiry = seconds_left.map(|left| (wall + jiff::SignedDuration::from_secs(left)).into());
        let current = Credentials::new("id", "secret", None, expiry, "test");
        (State { current: Some(current), ..State::default() }, wall)
    }

    fn needed(state: &State, wall: Timestamp) -> Need {
        need(state, wall, Instant::from_nanos(0))
    }

    #[test]
    fn renewal_starts_beside_the_requests_and_holds_them_up_only_at_the_end() {
        for (left, expected) in [
            (None, Need::Nothing),
            (Some(3600), Need::Nothing),
            (Some(299), Need::Soon),
            (Some(21), Need::Soon),
            (Some(19), Need::Now),
            (Some(-100), Need::Now),
        ] {
            let (state, wall) = state(left);
            assert_eq!(needed(&state, wall), expected, "{left:?} s left");
        }
    }

    #[test]
    fn none_and_refused_ones_are_loaded_first() {
        let (mut state, wall) = state(None);
        state.distrusted = true;
        assert_eq!(needed(&state, wall), Need::Now);
        assert_eq!(needed(&State::default(), wall), Need::Now);
    }

    #[test]
    fn a_failed_renewal_pauses_while_the_old_ones_last() {
        let (mut state, wall) = state(Some(100));
        state.not_before = Some(Instant::from_nanos(5));
        assert_eq!(needed(&state, wall), Need::Nothing);
        let (mut expired, wall) = self::state(Some(-1));
        expired.not_before = Some(Instant::from_nanos(5));
        assert_eq!(needed(&expired, wall), Need::Now);
    }
}
