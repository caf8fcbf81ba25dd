//! The library behind the `tfguard` command.
#![warn(missing_docs)]

pub mod app;
pub mod child;
pub mod ci;
pub mod cli;
pub mod clock;
pub mod credentials;
pub mod doctor;
mod draft;
pub mod error;
pub mod escape;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod guardian;
pub mod history;
pub mod hooks;
pub mod identity;
pub mod inventory;
pub mod lease;
pub mod lock;
pub mod operate;
pub mod plan;
pub mod policy;
pub mod provision;
pub mod report;
pub mod rescue;
#[cfg(test)]
mod schema;
pub mod session;
pub mod state_lock;
pub mod status;
pub mod store;
pub mod supervisor;
mod system;
#[cfg(feature = "otel")]
pub mod telemetry;
pub mod terraform;
pub mod trace;
pub mod versions;
pub mod watch;
