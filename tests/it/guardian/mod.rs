//! What happens when somebody dies: real processes, real Terraform, real signals.

mod frozen;
mod killed;
mod lease_lost;
mod parent;
mod post;
pub(crate) mod process;
pub(crate) mod stage;
pub(crate) mod state;
