//! What tfguard says, and how: every [`Event`] once as data, given its form by [`text`] or
//! [`json`] (whose lines are typed in [`line`]), written by the [`Reporter`] on a thread of its own, so that a stalled terminal or
//! pipe never delays a heartbeat. [`output`] carries the child's own lines in the NDJSON format.

pub mod drift;
pub mod event;
pub mod human;
pub mod json;
pub mod line;
pub mod outlet;
pub mod output;
pub mod parts;
pub mod reporter;
pub mod shared;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod trace;

pub use event::{Ended, Event, Level, Party, PhaseResult, RunPhase, SignalAction};
pub use outlet::Outlet;
pub use output::{JsonOutput, Stream};
pub use reporter::{Destination, Listener, Reporter, open_log_file};
pub use shared::SharedWriter;
