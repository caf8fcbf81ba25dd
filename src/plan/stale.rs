//! Whether a plan may still be applied. Pure.

use super::note::{Note, Under, Unknown};
use crate::lease::{Applied, Legacy};

/// What is to be thought of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// No run that may have changed things has ended since it was made.
    Fresh,
    /// Under this lock this run may have changed things since.
    Stale(String, Box<Applied>),
    /// It cannot be told; why, a clause.
    Open(String),
}

/// A lock that the run holds which is to apply the plan.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The lock.
    pub under: Under,
    /// What its record shows.
    pub legacy: Legacy,
}

/// Judges a plan by its note, under the locks of `grounds`. What was changed under any lock that it
/// was made under makes it stale; a lock that only one of the two runs has says nothing.
pub fn judge(note: &Result<Note, Unknown>, grounds: &[Ground]) -> Judgement {
    let note = match note {
        Ok(note) => note,
        Err(unknown) => return Judgement::Open(unknown.to_string()),
    };
    let place = |under: &Under| (under.lock.clone(), under.store.clone());
    let common: Vec<(&Under, &Legacy)> = note
        .locks()
        .filter_map(|made| {
            let ground = grounds.iter().find(|ground| place(&ground.under) == place(made))?;
            Some((made, &ground.legacy))
        })
        .collect();
    if common.is_empty() {
        let list = |locks: Vec<&Under>| {
            let each = locks.iter().map(|under| format!("lock {:?} in {}", under.lock, under.store));
            each.collect::<Vec<_>>().join(" and ")
        };
        return Judgement::Open(format!(
            "it was made under {}, and this run holds {}",
            list(note.locks().collect()),
            list(grounds.iter().map(|ground| &ground.under).collect())
        ));
    }
    for (made, legacy) in &common {
        if let Some(applied) = &legacy.applied
            && applied.generation > made.generation
        {
            return Judgement::Stale(made.lock.clone(), Box::new(applied.clone()));
        }
    }
    if common.iter().any(|(made, legacy)| made.run.is_some_and(|run| run > legacy.runs)) {
        return Judgement::Open("the lock's record was deleted since it was made".into());
    }
    Judgement::Fresh
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::lease::Identity;

    fn under(lock: &str, store: &str, generation: u64, run: u64) -> Under {
        Under { lock: lock.into(), store: store.into(), generation, run: Some(run) }
    }

    fn ground(lock: &str, store: &str, legacy: &Legacy) -> Ground {
        Ground { under: under(lock, store, 99, 99), legacy: legacy.clone() }
    }

    fn note(generation: u64, run: u64) -> Result<Note, Unknown> {
        let created = Timestamp::UNIX_EPOCH;
        Ok(Note::new(vec![under("prod", "table t", generation, run)], created, "0".into()))
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
        judge(note, &[ground("prod", "table t", legacy)])
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
            assert_eq!(matches!(judgement, Judgement::Stale(..)), stale, "{planned} {applied:?}");
            assert_eq!(judgement == Judgement::Fresh, !stale, "{planned} {applied:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_left_open() {
        let changed = legacy(Some(9), 9);
        let elsewhere = |lock, store| judge(&note(5, 2), &[ground(lock, store, &changed)]);
        assert!(matches!(elsewhere("prod", "table u"), Judgement::Open(_)));
        assert!(matches!(elsewhere("stage", "table t"), Judgement::Open(_)));
        assert!(matches!(judged(&note(5, 7), &legacy(None, 1)), Judgement::Open(_)));
        let absent = Err(Unknown::Absent("p.tfguard.json".into()));
        let Judgement::Open(why) = judged(&absent, &changed) else { unreachable!("judged") };
        assert!(why.contains("p.tfguard.json"), "{why}");
    }

    #[test]
    fn with_several_locks_those_that_both_runs_have_decide() {
        let calm = legacy(None, 9);
        let changed = legacy(Some(9), 9);
        let made = vec![under("net", "table t", 5, 2), under("prod", "table t", 5, 2)];
        let note = Ok(Note::new(made, Timestamp::UNIX_EPOCH, "0".into()));
        let both =
            |net, prod| judge(&note, &[ground("net", "table t", net), ground("prod", "table t", prod)]);
        assert_eq!(both(&calm, &calm), Judgement::Fresh);
        assert!(matches!(both(&calm, &changed), Judgement::Stale(lock, _) if lock == "prod"));
        assert!(matches!(both(&changed, &calm), Judgement::Stale(lock, _) if lock == "net"));
        let other = judge(&note, &[ground("other", "table t", &changed), ground("prod", "table t", &calm)]);
        assert_eq!(other, Judgement::Fresh);
        assert!(matches!(judge(&note, &[ground("other", "table t", &calm)]), Judgement::Open(_)));
    }
}
