//! The one home of randomness: names of sessions, and seeds for what is random.
#![allow(clippy::disallowed_methods, reason = "this is the home of randomness")]

use uuid::Uuid;

/// A name for a session, unique for ever and in the order of time.
pub fn id() -> String {
    Uuid::now_v7().to_string()
}

/// Something that no other process has.
pub fn seed() -> u64 {
    // The low half of a v7 UUID is random.
    Uuid::now_v7().as_u64_pair().1
}

/// A word that nobody can guess.
pub fn token() -> String {
    format!("{:016x}{:016x}", seed(), seed())
}
