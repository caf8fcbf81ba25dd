//! The protocol explored exhaustively: every order of what can happen, up to a bound on what goes
//! wrong. See `docs/design/model.md`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the whole module is a test")]

mod action;
mod checker;
mod encoder;
mod judge;
mod mutant;
mod scope;
mod step;
mod store;
mod supervise;
mod tests;
mod time;
mod world;

pub(in crate::lease) use encoder::{Counter, Encoder};
pub(in crate::lease) use time::{OLD, ceil};
