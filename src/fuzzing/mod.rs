//! What must hold for *any* bytes that come from outside: one function for each kind of input, which
//! panics where it does not.
//!
//! `fuzz/` gives them what libFuzzer thinks of, and [`tests`] everything that is kept in
//! `fuzz/seeds`. They are no part of the program: nothing of this is there without `cfg(test)` or the
//! `cfg(fuzzing)` of cargo-fuzz. `docs/design/testing.md` has the properties in words.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a property that falls is told by a panic")]

mod backend;
mod past_run;
mod plan;
mod record;
mod session;
mod terraform_output;
#[cfg(test)]
mod tests;
mod text;

pub use backend::backend;
pub use past_run::past_run;
pub use plan::plan;
pub use record::record;
pub use terraform_output::terraform_output;
pub use text::text;

use jiff::Timestamp;

use crate::escape;
use crate::lease::RecordError;

/// The time at which everything is looked at: 2026-11-21 08:00:00 UTC.
fn now() -> Timestamp {
    Timestamp::from_second(1_795_248_000).unwrap_or_default()
}

/// Lines of ours hold nothing that a terminal or a CI system would obey.
fn assert_harmless(shown: &str) {
    assert!(!shown.contains(|c| c != '\n' && escape::is_unsafe(c)), "shown as it is: {shown:?}");
}

/// What an item holds is what JSON holds. Why it is rubbish may be said in other words: a number is written anew.
fn assert_same<T: PartialEq + std::fmt::Debug>(item: &Result<T, RecordError>, json: &Result<T, RecordError>) {
    let same = match (item, json) {
        (Err(RecordError::Rubbish(_)), Err(RecordError::Rubbish(_))) => true,
        (item, json) => item == json,
    };
    assert!(same, "an item: {item:?}, as JSON: {json:?}");
}

/// One JSON document on one line, with its newline.
fn assert_json_line(line: &[u8]) -> serde_json::Value {
    let text = line.strip_suffix(b"\n").unwrap_or_else(|| panic!("no newline: {line:?}"));
    assert!(!text.contains(&b'\n'), "more than one line: {line:?}");
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
}
