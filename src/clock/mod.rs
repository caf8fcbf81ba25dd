//! The one home of the clocks. Everything else is told the time.
#![allow(clippy::disallowed_methods, reason = "this is the home of the clocks")]

mod alarm;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub use self::alarm::{Alarm, wait_for};
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

    /// Waits until `deadline`, or for a shorter time, after which the caller looks again: a long sleep by timers that
    /// stand still would oversleep by what the machine was suspended for.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send
    where
        Self: Sync,
    {
        async move { self.sleep(deadline.since(self.now().mono).min(SLICE)).await }
    }
}

/// The longest a sleeper goes without looking at the clock, where no [`Alarm`] wakes it.
pub const SLICE: Duration = Duration::from_secs(1);

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { mono: self.mono(), wall: jiff::Timestamp::now() }
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    async fn sleep_until(&self, deadline: Instant) {
        let span = deadline.since(self.mono());
        // A short one is not worth a descriptor.
        if span <= SLICE || !Alarm::until(deadline).await {
            self.sleep(span.min(SLICE)).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until `after` from now on. How long that took, and how often the runtime woke for it.
    fn sleeps(after: Duration) -> (Duration, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let start = SystemClock.mono();
            let before = tokio::runtime::Handle::current().metrics().worker_park_count(0);
            SystemClock.sleep_until(start + after).await;
            let after = tokio::runtime::Handle::current().metrics().worker_park_count(0);
            (SystemClock.mono().since(start), after - before)
        })
    }

    #[test]
    fn a_short_sleep_ends_at_its_deadline() {
        let span = Duration::from_millis(20);
        assert!(sleeps(span).0 >= span);
    }

    /// A timer of the runtime's would wake it once a second, and more often towards the end.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_long_sleep_wakes_once() {
        let span = SLICE + Duration::from_millis(100);
        let (slept, parks) = sleeps(span);
        assert!(slept >= span, "{slept:?}");
        assert!(parks <= 2, "{parks}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_alarm_rings_at_once_for_what_has_passed_and_can_be_set_again() {
        let alarm = Alarm::new().unwrap();
        let rings = |within| {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let within = Timespec::try_from(within).unwrap();
            poll(&mut [PollFd::new(&alarm, PollFlags::IN)], Some(&within)).unwrap() > 0
        };
        assert!(!rings(Duration::ZERO), "it was never set");
        assert!(alarm.set(SystemClock.mono() - SLICE));
        assert!(rings(Duration::ZERO));
        assert!(alarm.set(SystemClock.mono() + Duration::from_secs(3600)));
        assert!(!rings(Duration::ZERO));
    }
}
