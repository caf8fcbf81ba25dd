//! What stays of a run once it is over: one small item for each, kept for 90 days.
//!
//! The record counts the runs that became active, so that the numbers of a lock's runs follow each
//! other, and the newest ones are found without any search.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::{self, Identity};
use super::legacy::ending_of;
use super::record::{Holder, Intervention, LockName, Mode, Outcome, RecordError};
use super::transition::Ending;

/// The only layout of an item that this version reads and writes.
const SCHEMA: u64 = 1;
/// How long an item is kept.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Bytes of the word for the result.
const WORD: usize = 40;

/// Who tells of a run. A later one is worth more: it knows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Teller {
    /// Somebody who took its entry out: a waiter that found it dead, or an operator.
    Other,
    /// Its guardian, after the run's own process had died.
    Guardian,
    /// The run itself.
    Run,
}

/// What a plan or an apply said that it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Counts {
    /// Resources to add.
    pub add: u64,
    /// Resources to change in place.
    pub change: u64,
    /// Resources to destroy.
    pub destroy: u64,
    /// Resources to import.
    pub import: u64,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRun {
    /// Layout of the item, 1.
    pub schema: u64,
    /// Its number, counted by the lock's record.
    pub run: u64,
    /// Its fencing token.
    pub generation: u64,
    /// The session's id.
    pub session: String,
    /// How it held the lock.
    pub mode: Mode,
    /// Who it was and what it ran.
    pub identity: Identity,
    /// When it asked for the lock.
    pub asked_at: Timestamp,
    /// When it was given the lock.
    pub granted_at: Timestamp,
    /// When it knew that the lock was its own, and began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// When it released, or was taken out.
    pub ended_at: Timestamp,
    /// How long it waited, in milliseconds.
    pub waited_ms: u64,
    /// How long it held the lock, in milliseconds.
    pub held_ms: u64,
    /// How its hold ended.
    pub outcome: Outcome,
    /// What came of its command, in the word of `run_summary`: `succeeded`, `failed`, `cancelled`…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The command's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// It may have changed what the lock protects.
    #[serde(default)]
    pub changed: bool,
    /// What Terraform said that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Where a state was saved that it could not write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescued: Option<String>,
    /// The operator who took it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Intervention>,
    /// Who tells this.
    pub told_by: Teller,
    /// Epoch seconds after which a store may collect the item as garbage.
    pub expires_at: u64,
}

/// An item as it was found: readable or not, it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The run's number.
    pub run: u64,
    /// The run, or why its item cannot be read.
    pub past: Result<PastRun, RecordError>,
}

impl PastRun {
    /// The run of `holder`, which ended at `wall`. `None` when it never became active, and so has
    /// no number.
    pub fn of(holder: &Holder, ending: &Ending, teller: Teller, wall: Timestamp) -> Option<Self> {
        let expires = u64::try_from(wall.as_second()).unwrap_or(0).saturating_add(KEPT.as_secs());
        Some(Self {
            schema: SCHEMA,
            run: holder.run?,
            generation: holder.generation,
            session: holder.session.clone(),
            mode: holder.mode,
            identity: holder.identity.for_history(),
            asked_at: holder.asked_at,
            granted_at: holder.granted_at,
            active_at: None,
            ended_at: wall,
            waited_ms: between(holder.asked_at, holder.granted_at),
            held_ms: between(holder.granted_at, wall),
            outcome: ending.outcome,
            result: None,
            exit_code: ending.exit_code,
            changed: holder.changes && ending.changed,
            counts: None,
            rescued: ending.rescued.as_deref().map(ending_of),
            by: None,
            told_by: teller,
            expires_at: expires,
        })
    }

    /// The same with what came of its command, in a word.
    #[must_use]
    pub fn with_result(self, word: &str) -> Self {
        Self { result: Some(identity::cut(word, WORD)), ..self }
    }

    /// The same, taken out by an operator.
    #[must_use]
    pub fn with_operator(self, by: &Intervention) -> Self {
        Self { by: Some(by.fitted()), ..self }
    }

    /// Whether this is to stand where `known` stands: another run that had the number before, in a
    /// record that was deleted since, or the same one, told by somebody who knew no more.
    pub fn replaces(&self, known: &Self) -> bool {
        self.session != known.session || self.told_by >= known.told_by
    }

    /// Reads an item from JSON. The layout number is looked at before anything else.
    ///
    /// # Errors
    /// [`RecordError`], naming what is wrong.
    pub fn from_json(value: serde_json::Value) -> Result<Self, RecordError> {
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(SCHEMA) => {}
            Some(other) => return Err(RecordError::Schema(other)),
            None => return Err(RecordError::Rubbish("it has no schema number".into())),
        }
        serde_json::from_value(value).map_err(|error| RecordError::Rubbish(error.to_string()))
    }
}

impl LockName {
    /// The key of the item of the lock's run `number`. A lock's name holds no `#`, so that no item
    /// is ever taken for a lock.
    pub fn run_key(&self, number: u64) -> String {
        format!("{}#{number}", self.key())
    }
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Phase;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn holder() -> Holder {
        Holder {
            session: "s".into(),
            mode: Mode::Exclusive,
            phase: Phase::Active,
            beat: 2,
            lease_ms: 180_000,
            generation: 7,
            run: Some(3),
            changes: true,
            revoked: None,
            asked_at: at(100),
            granted_at: at(110),
            renewed_at: at(130),
            activity: None,
            identity: Identity { reason: Some("\u{1}".repeat(5000)), ..Identity::default() },
        }
    }

    fn ending() -> Ending {
        Ending { changed: true, rescued: Some("/x".repeat(3000)), ..Ending::new(Outcome::Crashed, Some(1)) }
    }

    #[test]
    fn an_item_is_small_whatever_is_in_it_and_comes_back() {
        let by = Intervention { by: "\\".repeat(3000), reason: "\"".repeat(3000), at: at(140) };
        let past = PastRun::of(&holder(), &ending(), Teller::Run, at(140)).unwrap();
        let past = past.with_result(&"x".repeat(500)).with_operator(&by);
        let json = serde_json::to_value(&past).unwrap();
        assert!(json.to_string().len() < 3000, "{}", json.to_string().len());
        assert_eq!((past.waited_ms, past.held_ms, past.changed), (10_000, 30_000, true));
        assert_eq!(past.result.as_ref().map(String::len), Some(WORD - 2));
        assert_eq!(past.by.as_ref(), Some(&by.fitted()));
        assert_eq!(past.expires_at, 140 + 90 * 24 * 3600);
        assert_eq!(PastRun::from_json(json), Ok(past));
    }

    #[test]
    fn only_a_command_that_may_change_things_and_ran_has_changed_them() {
        for (changes, ran) in [(false, false), (false, true), (true, false), (true, true)] {
            let holder = Holder { changes, ..holder() };
            let past = PastRun::of(&holder, &Ending { changed: ran, ..ending() }, Teller::Run, at(140));
            assert_eq!(past.map(|past| past.changed), Some(changes && ran));
        }
    }

    #[test]
    fn a_newer_layout_is_named_as_such() {
        assert_eq!(PastRun::from_json(serde_json::json!({"schema": 2})), Err(RecordError::Schema(2)));
        assert!(PastRun::from_json(serde_json::json!({"run": 1})).is_err());
    }

    #[test]
    fn whoever_knows_more_has_the_last_word() {
        let told = |teller| PastRun::of(&holder(), &ending(), teller, at(140)).unwrap();
        assert!(told(Teller::Run).replaces(&told(Teller::Other)));
        assert!(told(Teller::Guardian).replaces(&told(Teller::Guardian)));
        assert!(!told(Teller::Other).replaces(&told(Teller::Run)));
        assert!(!told(Teller::Guardian).replaces(&told(Teller::Run)));
        // A record that was deleted counts anew.
        let of_before = PastRun { session: "other".into(), ..told(Teller::Run) };
        assert!(told(Teller::Other).replaces(&of_before));
    }

    #[test]
    fn who_never_began_has_no_number() {
        let granted = Holder { run: None, phase: Phase::Granted, ..holder() };
        assert_eq!(PastRun::of(&granted, &ending(), Teller::Other, at(140)), None);
    }
}
