//! The protocol's simulation alone.
mod lease_sim;
