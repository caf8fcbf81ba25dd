//! Credentials, from outside: the program itself, with issuers and services that are stubs on
//! loopback, and the real engine behind them.

mod backend;
mod heartbeat;
pub(crate) mod program;
mod role;
mod session;
pub(crate) mod stubs;
