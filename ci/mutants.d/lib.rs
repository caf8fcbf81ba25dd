//! The lock protocol alone.
pub mod lease;
