//! The library behind the `tfguard` command.
#![warn(missing_docs)]

pub mod cli;
pub mod clock;
pub mod error;
pub mod escape;
pub mod identity;
pub mod lease;
pub mod lock;
pub mod report;
pub mod store;
pub mod terraform;
