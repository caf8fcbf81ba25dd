//! The guardian: a small companion process that outlives a supervisor which was killed.
//!
//! Its process is started when the run asks for its first lock, in a session of its own, and does nothing but listen at
//! a socket: with that lock it is on its post. The supervisor tells it of every lock, every heartbeat and every child. When the socket ends without a
//! good-bye the supervisor is dead, and the guardian takes over: Terraform gets its one SIGINT,
//! its output is carried on so that it does not die of a broken pipe, the leases are kept alive while
//! it stops, and when nothing of it is left the locks are released as `crashed`.
//!
//! It is a watchdog too. A supervisor that is alive but frozen sends no heartbeat and stops no
//! child; the guardian keeps the same deadlines by its own clock.
//!
//! Exactly one SIGINT of ours may ever reach Terraform. Supervisor and guardian share a pipe that
//! holds one byte ([`Token`]): whoever reads it may send.
//!
//! - [`wire`]: what goes over the socket.
//! - [`Guardian`]: the supervisor's end.
//! - [`main`]: the companion itself; `ward`: the child as it sees it; `relay`: where output goes.

mod handle;
mod keep;
mod process;
mod relay;
mod takeover;
mod token;
mod vigil;
mod ward;
mod wire;

pub use handle::{Guardian, Recruit, Relief, Setting};
pub use process::{ARGUMENT, main};
pub use token::Token;
pub use vigil::{Due, Vigil};
pub use ward::anything_runs_under;
pub use wire::Charge;
