//! The library behind the `tfguard` command.
#![warn(missing_docs)]

pub mod clock;
pub mod error;
pub mod lease;
pub mod lock;
pub mod report;
pub mod store;
