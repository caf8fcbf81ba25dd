//! What a run leaves to those after it: that it may have changed things, and a state that could
//! not be written to where it belongs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::record::{Holder, Record};
use super::transition::Ending;

/// Saved states that a record remembers; more than one at a time is rare, and each needs a person.
const MAX_RESCUED: usize = 8;
/// Bytes of a saved state's path that a record has room for. The end, with the file's name, stays.
const PATH: usize = 400;

/// A state that a run could not write to its backend and that was saved in a file instead. Until
/// it is pushed, the backend does not know what that run changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescued {
    /// Number of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The session's id.
    pub session: String,
    /// Where the file is, on the machine that the identity names.
    pub path: String,
    /// When it was saved.
    pub at: Timestamp,
    /// Who it was, in short.
    pub identity: Identity,
}

impl Rescued {
    fn of(holder: &Holder, path: &str, at: Timestamp) -> Self {
        Self {
            run: holder.run,
            session: holder.session.clone(),
            path: ending_of(path),
            at,
            identity: holder.identity.for_waiter(),
        }
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The newest run that may have changed what the lock protects, however it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its fencing token: plans with a lower one were made before it.
    pub generation: u64,
    /// Number of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// When it ended or was found dead.
    pub at: Timestamp,
    /// Who it was, in short.
    pub identity: Identity,
}

/// A saved state that has been pushed to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A file of this name. Names of saved states are unique, wherever they are carried.
    Named(String),
    /// Nobody knows which: it came through a pipe, or a person says that all is well.
    Any,
}

/// What a run finds when it becomes active.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Legacy {
    /// Saved states that nobody has pushed yet, oldest first.
    pub rescued: Vec<Rescued>,
    /// The newest run that may have changed things.
    pub applied: Option<Applied>,
    /// Runs that became active, ever; the finder included.
    pub runs: u64,
}

impl Record {
    /// What earlier runs have left.
    pub fn legacy(&self) -> Legacy {
        Legacy {
            rescued: self.needs_recovery.iter().take(MAX_RESCUED).cloned().collect(),
            applied: self.applied.clone(),
            runs: self.runs,
        }
    }

    /// Writes down what the run of `holder` leaves.
    pub(super) fn bequeath(&mut self, holder: &Holder, ending: &Ending, wall: Timestamp) {
        let newer = self.applied.as_ref().is_none_or(|applied| applied.generation <= holder.generation);
        if holder.changes && ending.changed && newer {
            self.applied = Some(Applied {
                generation: holder.generation,
                run: holder.run,
                at: wall,
                identity: holder.identity.for_waiter(),
            });
        }
        if let Some(pushed) = &ending.pushed {
            self.clear(pushed);
        }
        if let Some(path) = &ending.rescued {
            self.mark(Rescued::of(holder, path, wall));
        }
    }

    /// The record with the mark of a state that was saved under the hold of `own`, which may be
    /// over. `None` when it has that mark.
    pub fn with_rescued(&self, own: &Holder, path: &str, wall: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        next.mark(Rescued::of(own, path, wall));
        (next.needs_recovery != self.needs_recovery).then_some(next)
    }

    /// The record without the marks that `pushed` settles. `None` when there is none.
    pub fn with_pushed(&self, pushed: &Pushed) -> Option<Self> {
        let mut next = self.clone();
        next.clear(pushed);
        (next.needs_recovery != self.needs_recovery).then_some(next)
    }

    fn mark(&mut self, rescued: Rescued) {
        if self.needs_recovery.iter().any(|known| known.path == rescued.path) {
            return;
        }
        self.needs_recovery.push(rescued);
        let surplus = self.needs_recovery.len().saturating_sub(MAX_RESCUED);
        self.needs_recovery.drain(..surplus);
    }

    /// A file that nobody knows may be any of them, mended by hand.
    fn clear(&mut self, pushed: &Pushed) {
        let before = self.needs_recovery.len();
        if let Pushed::Named(name) = pushed {
            self.needs_recovery.retain(|rescued| rescued.file_name() != name);
        }
        if self.needs_recovery.len() == before {
            self.needs_recovery.clear();
        }
    }
}

/// The last [`PATH`] bytes of a path, cut between characters.
pub(super) fn ending_of(path: &str) -> String {
    let mut start = path.len().saturating_sub(PATH);
    while !path.is_char_boundary(start) {
        start += 1;
    }
    path[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lease::transition::{self, Candidate};
    use crate::lease::{Lease, Mode, Outcome};

    const RELEASED: Ending = Ending::new(Outcome::Released, Some(0));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn candidate(session: &str, changes: bool) -> Candidate {
        Candidate {
            session: session.into(),
            mode: Mode::Exclusive,
            changes,
            lease: Lease::new(Duration::from_secs(60)).unwrap(),
            asked_at: at(100),
            identity: Identity::default(),
        }
    }

    /// A run that takes the free lock and ends.
    fn run(record: Option<&Record>, session: &str, changes: bool, ending: &Ending) -> Record {
        let held = transition::acquire(record, &candidate(session, changes), at(100)).unwrap();
        transition::release(&held, session, ending, at(200))
    }

    fn rescuing(path: &str) -> Ending {
        Ending { rescued: Some(path.into()), ..Ending::new(Outcome::Released, Some(1)) }
    }

    fn paths(record: &Record) -> Vec<&str> {
        record.needs_recovery.iter().map(|rescued| rescued.path.as_str()).collect()
    }

    #[test]
    fn only_a_run_that_may_change_things_and_ran_counts_as_applied() {
        let ran = Ending { changed: true, ..RELEASED };
        assert_eq!(run(None, "plan", false, &ran).applied, None);
        assert_eq!(run(None, "cancelled", true, &RELEASED).applied, None);
        let applied = run(None, "apply", true, &ran);
        assert_eq!(applied.applied.as_ref().map(|applied| applied.generation), Some(applied.generation));
        let later = run(Some(&applied), "plan", false, &ran);
        assert_eq!(later.applied, applied.applied);
        assert!(later.generation > applied.generation);
    }

    /// Of a group of shared holders it is the one that ended last.
    #[test]
    fn the_newest_run_counts_and_one_of_before_does_not_replace_it() {
        let ran = Ending { changed: true, ..RELEASED };
        let first = run(None, "a", true, &ran);
        let second = run(Some(&first), "b", true, &ran);
        let applied =
            |record: &Record| record.applied.as_ref().map(|applied| (applied.generation, applied.run));
        assert_eq!(applied(&second), Some((second.generation, Some(2))));

        let mut late = transition::acquire(Some(&second), &candidate("c", true), at(100)).unwrap();
        late.holders[0].generation = second.generation;
        let same = transition::release(&late, "c", &ran, at(200));
        assert_eq!(applied(&same), Some((second.generation, Some(3))));
        late.holders[0].generation = first.generation;
        let before = transition::release(&late, "c", &ran, at(200));
        assert_eq!(before.applied, second.applied);
    }

    #[test]
    fn a_path_keeps_its_end_cut_between_characters() {
        let even = format!("/{}", "ä".repeat(200));
        assert_eq!(ending_of(&even), "ä".repeat(200));
        assert_eq!(ending_of(&format!("{even}/")), format!("{}/", "ä".repeat(199)));
        assert_eq!(ending_of("/x/errored.tfstate"), "/x/errored.tfstate");
    }

    #[test]
    fn a_holder_that_died_or_was_removed_may_have_changed_things() {
        let held = transition::acquire(None, &candidate("a", true), at(100)).unwrap();
        let observer = candidate("b", false);
        let evicted = transition::evict(&held, &["a".into()], &observer, at(300));
        assert_eq!(evicted.applied.map(|applied| applied.generation), Some(held.generation));
        let by = crate::lease::Intervention { by: "ann".into(), reason: "gone".into(), at: at(300) };
        let removed = transition::remove(&held, "a", &by, at(300)).unwrap();
        assert_eq!(removed.applied.map(|applied| applied.generation), Some(held.generation));
    }

    #[test]
    fn a_granted_run_keeps_its_word_when_it_confirms() {
        let held = transition::acquire(None, &candidate("a", false), at(100)).unwrap();
        let queued = transition::acquire(Some(&held), &candidate("b", true), at(100)).unwrap();
        let granted = transition::release(&queued, "a", &RELEASED, at(200));
        let active = transition::confirm(&granted, &candidate("b", true), at(201));
        let over = transition::release(&active, "b", &Ending { changed: true, ..RELEASED }, at(300));
        assert_eq!(over.applied.map(|applied| applied.generation), Some(over.generation));
    }

    #[test]
    fn the_mark_stays_through_other_runs_until_its_file_is_pushed() {
        let first = run(None, "a", true, &rescuing("/x/one"));
        let second = run(Some(&first), "b", true, &rescuing("/x/two"));
        let third = run(Some(&second), "c", true, &RELEASED);
        assert_eq!(paths(&third), ["/x/one", "/x/two"]);
        assert_eq!(third.needs_recovery[0].run, Some(1));
        let push = Ending { pushed: Some(Pushed::Named("one".into())), ..RELEASED };
        assert_eq!(paths(&run(Some(&third), "d", true, &push)), ["/x/two"]);
        let mended = Pushed::Named("mended".into());
        assert_eq!(third.with_pushed(&mended).map(|next| next.needs_recovery), Some(Vec::new()));
        assert_eq!(third.with_pushed(&Pushed::Any).map(|next| next.needs_recovery), Some(Vec::new()));
        assert_eq!(run(None, "a", true, &RELEASED).with_pushed(&Pushed::Any), None);
    }

    #[test]
    fn marks_are_bounded_in_number_and_size_and_keep_the_files_name() {
        let mut record = run(None, "a", true, &RELEASED);
        for number in 0..20 {
            let path = format!("/{}/{number}.tfstate", "ä".repeat(1000));
            record = run(Some(&record), "a", true, &rescuing(&path));
        }
        assert_eq!(record.needs_recovery.len(), MAX_RESCUED);
        assert_eq!(record.needs_recovery[MAX_RESCUED - 1].file_name(), "19.tfstate");
        assert!(serde_json::to_vec(&record).unwrap().len() < 10_000);
    }

    #[test]
    fn a_record_written_before_there_were_marks_is_read() {
        let mut json =
            serde_json::to_value(run(None, "a", true, &rescuing("/x")).sealed("s".into(), at(1))).unwrap();
        let fields = json.as_object_mut().unwrap();
        assert!(fields.remove("needs_recovery").is_some());
        assert_eq!(fields.remove("applied"), None);
        let record = Record::from_json(json).unwrap();
        assert_eq!(record.legacy(), Legacy { runs: 1, ..Legacy::default() });
    }

    #[test]
    fn a_mark_may_be_set_while_the_lock_is_held_and_after_it_was_lost() {
        let held = transition::acquire(None, &candidate("a", true), at(100)).unwrap();
        let own = held.holders[0].clone();
        let marked = held.with_rescued(&own, "/x", at(200)).unwrap();
        assert_eq!(paths(&marked), ["/x"]);
        assert_eq!(marked.with_rescued(&own, "/x", at(201)), None);
        let lost = transition::evict(&held, &["a".into()], &candidate("b", true), at(300));
        assert_eq!(paths(&lost.with_rescued(&own, "/x", at(301)).unwrap()), ["/x"]);
    }
}
