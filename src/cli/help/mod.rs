//! What `--help`, the manual pages and the completions say beyond the arguments themselves.
//!
//! The arguments are read with the plain command that clap derives. Only when something is to be
//! shown is it dressed: [`options`] has the variables, defaults and values of options, [`scope`]
//! which command takes notice of which, [`examples`] the examples and exit codes of each command,
//! [`front`] the first page; [`dress()`] puts them on.

mod dress;
mod examples;
mod front;
mod options;
mod page;
mod scope;

pub(super) use dress::{dressed, for_help};
pub(super) use examples::of as about;
pub(super) use options::of as facts;
pub use page::Page;
pub(super) use page::find;
pub(super) use scope::runs;

#[cfg(test)]
mod tests;
