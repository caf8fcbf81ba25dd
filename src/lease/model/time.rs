//! The grid that the model's time stands on.

use std::time::Duration;

use crate::lease::{Instant, Now};

/// A tenth of the lease. Every deadline that safety rests on is a multiple of it: an interrupt at 5,
/// the kill at 9, an eviction at 11, that of a grant at 2.
pub(in crate::lease) const QUANTUM: Duration = Duration::from_secs(5);
/// The lease of everyone.
pub(super) const LEASE: Duration = Duration::from_secs(50);
/// When a dead holder may be evicted, in quanta.
pub(super) const PATIENCE: u64 = 11;
/// When a grant that was not confirmed may be evicted, in quanta.
pub(super) const GRANT: u64 = 2;
/// No age above this one makes a difference to anyone.
pub(in crate::lease) const OLD: u64 = 13;
/// What a machine's clocks show after `quanta`. The wall clock stands still: nothing that waits for
/// as long as it takes decides by it.
pub(super) fn local(quanta: u64) -> Now {
    Now { mono: instant(quanta), wall: jiff::Timestamp::UNIX_EPOCH }
}

/// As the session counts: from a moment that is far from zero.
fn instant(quanta: u64) -> Instant {
    Instant::from_nanos(1_000_000_000_000) + QUANTUM * u32::try_from(quanta).unwrap_or(u32::MAX)
}

/// How many quanta `span` takes when whoever waits for it looks at the grid only.
pub(in crate::lease) fn ceil(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(QUANTUM.as_nanos())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{GRANT_PATIENCE, Lease};

    #[test]
    fn what_safety_rests_on_stands_on_the_grid() {
        let lease = Lease::new(LEASE).unwrap();
        let deadlines = lease.deadlines(instant(0));
        assert_eq!([deadlines.stop, deadlines.kill], [5, 9].map(instant));
        assert_eq!([lease.patience(), GRANT_PATIENCE], [11, 2].map(|quanta| QUANTUM * quanta));
        assert_eq!((PATIENCE, GRANT), (11, 2));
        // Everything shorter happens at the next look.
        assert!(lease.attempt_timeout() <= QUANTUM);
    }
}
