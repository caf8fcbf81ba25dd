//! The child and everything about it that only the operating system knows: starting it, its
//! terminal, its signals, its output, its end and what it left behind.
//!
//! Nothing here decides: when the child is interrupted, resumed or killed is the supervisor's
//! business. What is here holds the rules that no decision may break:
//!
//! - the child has a process group of its own, so that a terminal's or a runner's signal to our
//!   group is never doubled;
//! - a terminal that is lent is taken back on every way out;
//! - only what we started, and what that left to us, is ever reaped or killed: a library may have
//!   children of its own in our process group.

pub mod jobs;
pub mod keep;
pub mod leftovers;
mod lines;
pub mod marker;
pub mod output;
pub mod parent;
pub mod passthrough;
#[cfg(target_os = "linux")]
pub(crate) mod proc;
pub mod question;
pub mod running;
pub mod sentinel;
pub mod signals;
pub mod spawn;
pub mod tally;
pub mod terminal;

pub use jobs::{Job, Jobs};
pub use keep::{Kept, Nowhere};
pub use leftovers::{Leftovers, Swept};
pub(crate) use lines::Lines;
pub use marker::{InterruptSeen, Marker};
pub use output::{Pumps, Sink};
pub use parent::Parent;
pub use passthrough::Passthrough;
pub use question::{Answer, Question};
pub use running::Running;
pub use rustix::process::Pid;
pub use sentinel::Sentinel;
pub use signals::{Arrival, Arrived, HoldTheLine, Origin, Signals};
pub use spawn::{
    Spec, Stderr, Stdin, Stdout, Target, become_subreaper, keep_descriptors, same_open_file, spawn,
    start_session,
};
pub use tally::Tally;
pub use terminal::{Hangup, Terminal};

/// Our own program, also after its file was replaced.
pub(crate) fn own_program() -> std::io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(std::path::PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}
