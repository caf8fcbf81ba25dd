//! One binary for all integration tests.

mod lease_sim;
