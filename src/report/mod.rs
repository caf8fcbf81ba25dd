//! What tfguard says, and how: every [`Event`] once as data, given its form by [`text`] or
//! [`json`] (whose lines are typed in [`line`]), written by the [`Reporter`] on a thread of its own, so that a stalled terminal or
//! pipe never delays a heartbeat. [`output`] carries the child's own lines in the NDJSON format.

pub mod drift;
pub mod event;
pub mod human;
pub mod json;
pub mod line;
mod live;
pub mod look;
pub mod outlet;
pub mod output;
mod page;
pub mod parts;
mod plain;
pub mod reporter;
mod sentence;
pub mod shared;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub(crate) mod wrap;

pub use event::{Ended, Event, Level, Party, PhaseResult, RunPhase, SignalAction};
pub use look::{Look, Screen};
pub use outlet::Outlet;
pub use output::{JsonOutput, Stream};
pub use reporter::{Destination, Listener, Reporter, open_log_file};
pub use shared::SharedWriter;
