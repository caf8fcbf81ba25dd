//! Signals and terminals, end to end: the program itself, with the real Terraform where what
//! Terraform makes of it matters, and with a puppet that counts where the count matters.
#![cfg(target_os = "linux")]

mod counted;
mod frozen;
mod lease;
mod live;
mod processes;
pub(crate) mod puppet;
mod shells;
pub(crate) mod stage;
mod terminal;
mod terraform;
mod waiting;
