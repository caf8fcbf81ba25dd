//! The lock protocol: a lease with heartbeat over one record, first come, first served.
//!
//! Pure: no I/O, no clock, no randomness of its own (a seed is given). The same code runs over
//! every store, in the simulation and under test.
//!
//! 1. **One record, compare-and-swap.** Every change replaces the whole [`Record`] on the condition
//!    that its `stamp` is the one that was read ([`transition`]).
//! 2. **Signs of life.** A holder writes a rising `beat`. Clocks are never compared between
//!    machines: a holder counts from before it sent its newest beat that took effect, an observer
//!    from after the answer that first showed it ([`Lease`], `observer`).
//! 3. **First come, first served.** Whoever cannot enter appends itself to the queue in the same
//!    record. Every removal serves the queue, so that a free lock with a waiter does not exist.
//! 4. **The dead are passed over.** A holder without a new beat for 1.1 leases, or a grant that is
//!    not confirmed within 10 s, is evicted by any waiter.
//! 5. **Unanswered writes** are judged by their effect on the record, and nobody leaves while one
//!    of its own could still land ([`session`]).
//! 6. **What a run leaves** to those after it stands in the same record: the newest run that may
//!    have changed things, states that could not be saved where they belong ([`Legacy`]).

mod identity;
mod legacy;
#[cfg(test)]
mod model;
mod observer;
mod past;
mod record;
pub mod session;
#[cfg(test)]
mod tests;
mod time;
pub mod transition;
mod writes;

pub use identity::Identity;
pub use legacy::{Applied, Legacy, Pushed, Rescued};
pub use past::{Counts, Found, PastRun, Teller};
pub use record::{
    Activity, Holder, HolderKey, Intervention, KEY_PREFIX, Last, LockName, MAX_WAITERS, Mode, NameError,
    Outcome, Phase, Record, RecordError, Removed, Stamp, Standing, Waiter,
};
pub use session::{Session, Tenure};
pub use time::{Deadlines, GRANT_PATIENCE, Instant, Lease, Now};
