//! Tests that go through real processes, files and sockets. They talk to loopback only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test ends by panicking, and looks at real clocks"
)]

mod backend;
mod chaos;
mod child;
mod ci_reports;
mod cli_directory;
mod cli_file;
mod cli_find;
mod cli_folder;
mod cli_log_file;
mod cli_trace;
mod credentials;
mod doctor;
mod documents;
mod drift;
mod e2e;
mod guardian;
mod help;
mod history;
mod hooks;
mod inventory;
mod lease_sim;
mod locks;
mod provision;
mod rescue;
mod run;
mod runners;
mod signals;
mod start;
mod state;
mod state_lock;
mod store_contract;
mod support;
#[cfg(feature = "otel")]
mod telemetry;
mod watch;
