//! `errored.tfstate`: what Terraform leaves in its working directory when it cannot write the
//! state to the backend. It is the only record of what the run changed, and the next clean-up of
//! the workspace, or the next such failure, would destroy it.
//!
//! - [`Watch`]: is there one that the run has left, and under which name is it kept?
//! - `keep`: moving it without ever overwriting or exposing anything.
//!
//! Supervisor and guardian both know the [`Watch`] of a run, name included, so that whoever of them
//! dies in between, the other one finds what was left or where it went.

mod keep;
mod watch;

pub use keep::preserve;
pub(crate) use watch::bytes;
pub use watch::{Kept, Setting, Watch, push_command};

/// What Terraform calls the file.
pub const ERRORED: &str = "errored.tfstate";
