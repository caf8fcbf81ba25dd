//! Runs that are killed at random moments.
