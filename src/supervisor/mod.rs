//! Runs commands under the lock: get it, start the child, attend to signals, child, heartbeat and
//! timers in one line, clean up, release.
//!
//! The order is the product's promise, so it is written as plain sequential code in [`run`]; what
//! has to be decided along the way is pure and apart: [`stop`] (when a child is interrupted or
//! killed) and [`verdict`] (what a run comes to).
//!
//! 1. `acquire`: wait in the queues until the locks are ours, or say why not; `keyring`: the locks
//!    that are ours, as one.
//! 2. `attend`: a child from its start until it and all it left are dead.
//!    `course`: which ones, in which order; `pipeline` and `drift` are those of several phases, and
//!    `approve` asks between two of them.
//! 3. [`custody`]: what earlier runs have left, what this one leaves.
//! 4. `depart`: release, last of all; then `chronicle` writes the run down.

mod acquire;
mod approve;
mod attend;
mod chronicle;
mod course;
pub mod custody;
mod depart;
mod drift;
mod keyring;
mod launch;
mod phase;
mod pipeline;
mod remains;
mod restore;
pub mod run;
pub(crate) mod scratch;
pub mod stop;
mod telling;
mod tidings;
mod verdict;

pub use acquire::party;
