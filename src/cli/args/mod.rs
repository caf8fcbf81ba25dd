//! The raw arguments, as clap reads them. Nothing here is interpreted: values are still text, so
//! that a flag, a variable and the file go through the same checks in [`super::resolve`].
//!
//! `command`: the whole line and its commands; `work`: what commands that run something take;
//! `operator`: what those take that look, tell or change by themselves; `options`: what all take.

mod command;
mod operator;
mod options;
mod work;

pub use command::{Args, Command};
pub use operator::{Doctor, Policy, Setup, Status, Unlock};
pub use options::Options;
pub use work::{Drift, Exec, Run, Terraform};
