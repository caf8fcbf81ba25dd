//! Instants and deadlines. Everything here is arithmetic: the clock itself lives in [`crate::clock`].

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds of a monotonic clock that keeps counting while the machine is suspended.
///
/// Only differences mean anything, and only within one machine: instants are never written to a
/// record and never compared between machines. (Two processes of one machine may exchange them.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// An instant from the clock's own nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Time passed since `earlier`; zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

/// What a session is told with every event: the instant to reason with, and the wall clock to
/// write down for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For every decision.
    pub mono: Instant,
    /// For the record's human-readable times, and for nothing else.
    pub wall: jiff::Timestamp,
}

/// The length of a lease and everything that is derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(Duration);

impl Default for Lease {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl Lease {
    /// The shortest lease: below it one slow request would cost a heartbeat.
    pub const MIN: Duration = Duration::from_secs(10);
    /// The longest lease: a dead run blocks the others for this long.
    pub const MAX: Duration = Duration::from_secs(3600);
    /// What a run uses when nothing is said.
    pub const DEFAULT: Duration = Duration::from_secs(180);

    pub(super) const LONGEST: Self = Self(Self::MAX);

    /// A lease of this length, or `None` outside [`Lease::MIN`] to [`Lease::MAX`].
    pub fn new(length: Duration) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&length).then_some(Self(length))
    }

    /// The whole length, L.
    pub const fn length(self) -> Duration {
        self.0
    }

    /// Milliseconds, as they stand in a holder's entry.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// The heartbeat period, H = L/6.
    pub fn heartbeat(self) -> Duration {
        self.0 / 6
    }

    /// How long one request may take: at most H/2, at least one second, and never so long that a
    /// single dead connection uses up what the lease has in reserve.
    pub fn attempt_timeout(self) -> Duration {
        (self.heartbeat() / 2).clamp(Duration::from_secs(1), Duration::from_secs(5))
    }

    /// The deadlines of a holder whose newest effective write was first sent at `base`.
    pub fn deadlines(self, base: Instant) -> Deadlines {
        Deadlines {
            warn: base + self.0 / 3,
            stop: base + self.0 / 2,
            kill: base + self.0 * 9 / 10,
            end: base + self.0,
        }
    }

    /// How long an observer watches an *active* holder with this lease before it may evict: 1.1 L.
    pub fn patience(self) -> Duration {
        self.0 * 11 / 10
    }
}

/// How long an observer watches a *granted* holder before it may evict.
pub const GRANT_PATIENCE: Duration = Duration::from_secs(10);

/// What a holder does when its writes stop taking effect. The deadlines depend on no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// L/3: say that the lease is at risk.
    pub warn: Instant,
    /// L/2: the child gets its one graceful interrupt.
    pub stop: Instant,
    /// 0.9 L: what is left of the child is killed.
    pub kill: Instant,
    /// L: the lease is over by our own count.
    pub end: Instant,
}

impl Deadlines {
    /// Those of two leases that have to hold together: of each the earlier one.
    #[must_use]
    pub fn earliest(self, other: Self) -> Self {
        Self {
            warn: self.warn.min(other.warn),
            stop: self.stop.min(other.stop),
            kill: self.kill.min(other.kill),
            end: self.end.min(other.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_lease_beats_every_thirty_seconds() {
        let lease = Lease::new(Lease::DEFAULT).unwrap();
        assert_eq!(lease.heartbeat(), Duration::from_secs(30));
        assert_eq!(lease.attempt_timeout(), Duration::from_secs(5));
        let base = Instant::from_nanos(0);
        let deadlines = lease.deadlines(base);
        assert_eq!(deadlines.warn.since(base), Duration::from_secs(60));
        assert_eq!(deadlines.stop.since(base), Duration::from_secs(90));
        assert_eq!(deadlines.kill.since(base), Duration::from_secs(162));
        assert_eq!(lease.patience(), Duration::from_secs(198));
    }

    #[test]
    fn a_request_may_take_half_a_heartbeat_and_one_to_five_seconds() {
        for (lease, timeout) in [(10, 1.0), (12, 1.0), (30, 2.5), (60, 5.0), (3600, 5.0)] {
            let lease = Lease::new(Duration::from_secs(lease)).unwrap();
            assert_eq!(lease.attempt_timeout(), Duration::from_secs_f64(timeout), "{lease:?}");
        }
    }

    #[test]
    fn of_two_leases_the_earlier_deadlines_hold() {
        let at = Instant::from_nanos;
        let one = Deadlines { warn: at(1), stop: at(12), kill: at(3), end: at(14) };
        let other = Deadlines { warn: at(11), stop: at(2), kill: at(13), end: at(4) };
        let both = Deadlines { warn: at(1), stop: at(2), kill: at(3), end: at(4) };
        assert_eq!((one.earliest(other), other.earliest(one)), (both, both));
    }

    #[test]
    fn leases_outside_the_bounds_are_refused() {
        assert_eq!(Lease::new(Duration::from_millis(9_999)), None);
        assert_eq!(Lease::new(Duration::from_millis(3_600_001)), None);
        assert!(Lease::new(Lease::MIN).is_some());
        assert!(Lease::new(Lease::MAX).is_some());
    }

    /// The holder counts from before its write was sent and the observer from after it was seen, so that one is
    /// dead before the other may act, also where both come out at the same.
    #[test]
    fn a_clock_may_be_ten_percent_off() {
        let lease = Lease::new(Lease::MIN).unwrap();
        let base = Instant::from_nanos(0);
        let by_the_slowest = lease.deadlines(base).kill.since(base) * 10 / 9;
        let by_the_fastest = lease.patience() * 10 / 11;
        assert_eq!((by_the_slowest, by_the_fastest), (lease.length(), lease.length()));
    }
}
