//! The one home of the clocks. Everything else is told the time.
#![allow(clippy::disallowed_methods, reason = "this is the home of the clocks")]

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::lease::{Instant, Now};

/// The machine's clocks. The monotonic one counts during suspend, which neither
/// [`std::time::Instant`] nor tokio's timers do.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// A source of time, and a way to wait for it.
pub trait Clock {
    /// The time now, on both clocks.
    fn now(&self) -> Now;

    /// Waits for this long, as the runtime's timers count, which stand still during suspend.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;

    /// Waits until `deadline`, or for one second, whichever is shorter: a long sleep would oversleep by
    /// what the machine was suspended for. The caller looks again.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send
    where
        Self: Sync,
    {
        async move { self.sleep(deadline.since(self.now().mono).min(SLICE)).await }
    }
}

/// The longest a sleeper goes without looking at the clock.
pub const SLICE: Duration = Duration::from_secs(1);

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { mono: self.mono(), wall: jiff::Timestamp::now() }
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

impl SystemClock {
    /// The instant now.
    pub fn mono(&self) -> Instant {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let id = ClockId::Boottime;
        // On macOS CLOCK_MONOTONIC is the continuous clock: it counts during sleep.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let id = ClockId::Monotonic;
        let time = clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }
}
