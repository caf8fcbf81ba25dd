//! What tfguard knows about Terraform and OpenTofu: their command lines, where they are found,
//! and what a configuration directory holds.

pub mod args;
pub mod backend;
pub(crate) mod configuration;
pub mod directory;
pub mod drift;
pub mod find;
mod flags;
pub mod init;
pub mod invocation;
pub mod lock_info;
pub mod redact;
pub mod stages;
pub mod version;

pub use args::{Command, Situation};
pub use directory::{Asked, Backend, Directory};
