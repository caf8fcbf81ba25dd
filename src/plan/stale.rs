//! Whether a plan may still be applied. Pure.

use super::note::{Note, Unknown};
use crate::lease::{Applied, Legacy};

/// What is to be thought of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// No run that may have changed things has ended since it was made.
    Fresh,
    /// This run may have changed things since.
    Stale(Box<Applied>),
    /// It cannot be told; why, a clause.
    Open(String),
}

/// Judges a plan by its note, under the lock `lock` of `store`, whose record shows `legacy`.
pub fn judge(note: &Result<Note, Unknown>, lock: &str, store: &str, legacy: &Legacy) -> Judgement {
    let note = match note {
        Ok(note) => note,
        Err(unknown) => return Judgement::Open(unknown.to_string()),
    };
    if (note.lock.as_str(), note.store.as_str()) != (lock, store) {
        return Judgement::Open(format!(
            "it was made under lock {:?} in {}, and this run holds lock {lock:?} in {store}",
            note.lock, note.store
        ));
    }
    if let Some(applied) = &legacy.applied
        && applied.generation > note.generation
    {
        return Judgement::Stale(Box::new(applied.clone()));
    }
    if note.run.is_some_and(|run| run > legacy.runs) {
        return Judgement::Open("the lock's record was deleted since it was made".into());
    }
    Judgement::Fresh
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::lease::Identity;

    fn note(generation: u64, run: u64) -> Result<Note, Unknown> {
        let created = Timestamp::UNIX_EPOCH;
        Ok(Note::new("prod", "table t", generation, Some(run), created, "0".into()))
    }

    fn legacy(applied: Option<u64>, runs: u64) -> Legacy {
        let applied = applied.map(|generation| Applied {
            generation,
            run: Some(1),
            at: Timestamp::UNIX_EPOCH,
            identity: Identity::default(),
        });
        Legacy { applied, runs, ..Legacy::default() }
    }

    fn judged(note: &Result<Note, Unknown>, legacy: &Legacy) -> Judgement {
        judge(note, "prod", "table t", legacy)
    }

    #[test]
    fn a_plan_is_as_old_as_the_newest_change_after_it() {
        for (planned, applied, stale) in [
            (5, None, false),
            (5, Some(4), false),
            (5, Some(5), false),
            (5, Some(6), true),
            (5, Some(9), true),
        ] {
            let judgement = judged(&note(planned, 2), &legacy(applied, 9));
            assert_eq!(matches!(judgement, Judgement::Stale(_)), stale, "{planned} {applied:?}");
            assert_eq!(judgement == Judgement::Fresh, !stale, "{planned} {applied:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_left_open() {
        let changed = legacy(Some(9), 9);
        assert!(matches!(judge(&note(5, 2), "prod", "table u", &changed), Judgement::Open(_)));
        assert!(matches!(judge(&note(5, 2), "stage", "table t", &changed), Judgement::Open(_)));
        assert!(matches!(judged(&note(5, 7), &legacy(None, 1)), Judgement::Open(_)));
        let absent = Err(Unknown::Absent("p.tfguard.json".into()));
        let Judgement::Open(why) = judged(&absent, &changed) else { unreachable!("judged") };
        assert!(why.contains("p.tfguard.json"), "{why}");
    }
}
