//! When a guardian does to the child what its frozen supervisor does not. Pure: told the lease and the time, it
//! answers with what is due.

use std::time::Duration;

use crate::clock::SLICE;
use crate::lease::{Deadlines, Instant};

/// How much longer than the supervisor we wait with the interrupt: while it is alive it is its to
/// send and to tell.
const COURTESY: Duration = Duration::from_millis(250);
/// How often we look while the child should be dead and is not.
const PRESS: Duration = Duration::from_millis(10);

/// The guardian's part of the deadlines of a lease.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vigil {
    /// The interrupt of this lease was asked for.
    tried: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The one interrupt, if nobody has sent it. Asked for once until a heartbeat gets through.
    pub interrupt: bool,
    /// Whatever is left of the child is to be killed.
    pub kill: bool,
}

impl Vigil {
    /// How long may pass until the next [`Vigil::look`].
    pub fn rest(&self, lease: Deadlines, now: Instant, alive: impl FnOnce() -> bool) -> Duration {
        let next = if self.tried { lease.kill } else { lease.stop + COURTESY };
        if next <= now && !alive() {
            return SLICE;
        }
        next.since(now).max(PRESS)
    }

    /// What is due by the newest lease that we were told of.
    pub fn look(&mut self, lease: Deadlines, now: Instant) -> Due {
        let interrupt = !self.tried && now >= lease.stop + COURTESY;
        // False again when a heartbeat got through in the meantime.
        self.tried = (self.tried || interrupt) && now >= lease.stop;
        Due { interrupt, kill: now >= lease.kill }
    }
}
