//! The clocks of a simulated machine: each runs from its own zero at its own rate, and its wall
//! clock is wrong by its own amount.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tfguard::lease::{Instant, Now};

/// Virtual nanoseconds since the start of the world; no session ever sees them.
pub(super) type Nanos = u64;

/// A millisecond of virtual time.
pub(super) const MS: Nanos = 1_000_000;
/// A second of virtual time.
pub(super) const SEC: Nanos = 1_000 * MS;
/// A clock that runs true.
const TRUE_RATE: u64 = 1_000_000;
/// The slowest and the fastest clock that the protocol takes: 10 % off.
pub(super) const RATES: RangeInclusive<u64> = 900_000..=1_100_000;
/// The wall clock at the start of the world, in epoch seconds.
const EPOCH: i64 = 1_750_000_000;

/// See the module's text.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalClock {
    /// What the clock showed at the start of the world.
    pub(super) offset: Nanos,
    /// Local microseconds per true second.
    pub(super) rate: u64,
    /// How far the wall clock is ahead, in seconds.
    pub(super) wall_skew: i64,
}

impl LocalClock {
    /// A clock without fault.
    pub(super) const TRUE: Self = Self { offset: 0, rate: TRUE_RATE, wall_skew: 0 };

    /// A clock with a random zero, up to 10 % too slow or too fast, its wall clock hours off. Half of them
    /// are as wrong as they may be: what is just right for them is right for all.
    pub(super) fn random(rng: &mut fastrand::Rng) -> Self {
        let (slowest, fastest) = (*RATES.start(), *RATES.end());
        Self {
            offset: rng.u64(0..1_000_000 * SEC),
            rate: match rng.u8(0..4) {
                0 => slowest,
                1 => fastest,
                _ => rng.u64(RATES),
            },
            wall_skew: rng.i64(-20_000..=20_000),
        }
    }

    /// What the machine's clocks show at `global`.
    pub(super) fn now(&self, global: Nanos) -> Now {
        let local = u128::from(global) * u128::from(self.rate) / u128::from(TRUE_RATE);
        let wall = Timestamp::from_second(EPOCH + self.wall_skew).unwrap()
            + SignedDuration::from_nanos(i64::try_from(global).unwrap());
        Now { mono: Instant::from_nanos(self.offset + u64::try_from(local).unwrap()), wall }
    }

    /// The first moment at which the local clock shows `instant` or later.
    pub(super) fn reaches(&self, instant: Instant) -> Nanos {
        self.span(instant.since(Instant::from_nanos(self.offset)))
    }

    /// How long it takes in truth until `local` has passed on this clock.
    pub(super) fn span(&self, local: Duration) -> Nanos {
        u64::try_from((local.as_nanos() * u128::from(TRUE_RATE)).div_ceil(u128::from(self.rate))).unwrap()
    }
}
