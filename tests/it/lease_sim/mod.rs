//! The lease protocol in virtual time: many supervisors with clocks of their own over one store
//! that loses, delays and refuses requests, watched by a judge who knows the true time.
//!
//! Everything is drawn from one seed, so that a failure can be replayed:
//! `TFGUARD_SIM_SEED=17 cargo test --test it lease_sim::seeds`. `ci/soak` looks at more of them.
#![allow(clippy::unwrap_used, reason = "the whole module is a test")]

mod actor;
mod client;
mod clock;
mod faults;
mod judge;
mod mutants;
mod network;
mod queueing;
mod range;
mod seeds;
mod supervisor;
mod world;
