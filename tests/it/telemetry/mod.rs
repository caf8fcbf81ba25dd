//! Traces and metrics, as a collector receives them from real runs.

mod collector;
mod context;
mod counted;
mod spans;
mod trouble;
