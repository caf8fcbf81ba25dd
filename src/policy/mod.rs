//! The least IAM policy for a configuration: what a run, an operator, `doctor` and `setup` ask of
//! AWS, and what Terraform itself asks of its state's bucket and lock table. Pure: nothing here
//! asks AWS anything.
//!
//! A test runs the real commands against an engine and holds every request that they send against
//! the printed policy, so that a new request without its grant is noticed.

mod document;
mod grants;
mod pattern;
mod scope;

pub use document::{Document, Statement};
pub use grants::{Role, document};
pub use pattern::Pattern;
pub use scope::{Locks, Names, Scope, State};
