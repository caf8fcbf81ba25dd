//! What each transition does to a record.

use super::super::record::{Intervention, MAX_REMOVED, Outcome, Phase, Record, RecordError};
use super::super::transition::*;
use super::{exclusive, holders, queue, record_of, shared, wall};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));
const BAD: Ending = Ending::new(Outcome::Crashed, None);

fn ops() -> Intervention {
    Intervention { by: "ann".into(), reason: "stuck".into(), at: wall(9) }
}

#[test]
fn the_first_holds_and_the_next_wait_in_order() {
    let record = record_of(&[exclusive("a"), exclusive("b"), shared("c")]);
    assert_eq!((holders(&record), queue(&record)), (vec!["a"], vec!["b", "c"]));
    assert_eq!(record.holders[0].phase, Phase::Active);
    assert_eq!(record.generation, 1_750_000_001);
}

#[test]
fn readers_join_readers_unless_someone_waits() {
    let record = record_of(&[shared("a"), shared("b"), exclusive("w"), shared("c")]);
    assert_eq!((holders(&record), queue(&record)), (vec!["a", "b"], vec!["w", "c"]));
    assert_eq!(record.holders[0].generation, record.holders[1].generation);
}

#[test]
fn a_release_grants_the_head_with_a_new_generation() {
    let record = record_of(&[exclusive("a"), exclusive("b"), exclusive("c")]);
    let next = release(&record, "a", &GOOD, wall(1));
    assert_eq!((holders(&next), queue(&next)), (vec!["b"], vec!["c"]));
    assert_eq!(next.holders[0].phase, Phase::Granted);
    assert_eq!(next.generation, record.generation + 1);
    assert_eq!(next.last.unwrap().outcome, Outcome::Released);
}

#[test]
fn readers_directly_behind_a_reader_are_granted_together() {
    let record = record_of(&[exclusive("a"), shared("b"), shared("c"), exclusive("w"), shared("d")]);
    let next = release(&record, "a", &GOOD, wall(1));
    assert_eq!((holders(&next), queue(&next)), (vec!["b", "c"], vec!["w", "d"]));
    assert!(next.holders.iter().all(|holder| holder.generation == next.generation));
}

#[test]
fn a_writer_that_leaves_lets_the_readers_behind_it_join() {
    let record = record_of(&[shared("a"), exclusive("w"), shared("b")]);
    let next = leave(&record, "w", wall(1));
    assert_eq!((holders(&next), queue(&next)), (vec!["a", "b"], vec![]));
    assert_eq!(next.generation, record.generation);
}

#[test]
fn a_waiter_that_leaves_takes_nobody_with_it() {
    let record = record_of(&[exclusive("a"), exclusive("b"), exclusive("c")]);
    let next = leave(&record, "b", wall(1));
    assert_eq!((holders(&next), queue(&next)), (vec!["a"], vec!["c"]));
    assert_eq!(next.last, None);
}

#[test]
fn a_grant_that_is_given_back_says_nothing_about_a_run() {
    let record = release(&record_of(&[exclusive("a"), exclusive("b")]), "a", &GOOD, wall(1));
    let next = leave(&record, "b", wall(2));
    assert!(next.is_free());
    assert_eq!(next.last.unwrap().session, "a");
}

#[test]
fn an_eviction_serves_the_queue_or_the_observer() {
    let record = record_of(&[exclusive("a"), exclusive("b"), exclusive("c")]);
    let served = evict(&record, &["a".into()], &exclusive("c"), wall(1));
    assert_eq!((holders(&served), queue(&served)), (vec!["b"], vec!["c"]));
    assert_eq!(served.last.unwrap().outcome, Outcome::Expired);

    let taken = evict(&record_of(&[exclusive("a")]), &["a".into()], &exclusive("o"), wall(1));
    assert_eq!(holders(&taken), ["o"]);
    assert_eq!(taken.holders[0].phase, Phase::Active);
    assert!(taken.last.unwrap().acknowledged);
}

#[test]
fn a_bad_end_stays_until_a_later_run_was_told() {
    let record = record_of(&[shared("a"), shared("b"), exclusive("c")]);
    let crashed = release(&record, "a", &BAD, wall(1));
    let released = release(&crashed, "b", &GOOD, wall(2));
    let last = released.last.clone().unwrap();
    assert_eq!((last.session.as_str(), last.needs_telling()), ("a", true));

    let told = confirm(&released, &exclusive("c"), wall(3));
    assert!(!told.last.clone().unwrap().needs_telling());
    let after = release(&told, "c", &GOOD, wall(4));
    assert_eq!(after.last.unwrap().session, "c");
}

#[test]
fn runs_are_counted_when_they_become_active() {
    let record = record_of(&[exclusive("a"), exclusive("b")]);
    assert_eq!((record.runs, record.holders[0].run), (1, Some(1)));
    let granted = release(&record, "a", &GOOD, wall(1));
    assert_eq!((granted.runs, granted.holders[0].run), (1, None));
    let confirmed = confirm(&granted, &exclusive("b"), wall(2));
    assert_eq!((confirmed.runs, confirmed.holders[0].run), (2, Some(2)));
}

#[test]
fn a_second_revoke_does_not_replace_the_first() {
    let record = record_of(&[exclusive("a")]);
    let once = revoke(&record, "a", &ops()).unwrap();
    let twice = revoke(&once, "a", &Intervention { by: "bob".into(), ..ops() }).unwrap();
    assert_eq!(twice.holders[0].revoked.as_ref().unwrap().by, "ann");
    assert_eq!(revoke(&record, "nobody", &ops()), None);
}

#[test]
fn a_removal_is_remembered_and_serves_the_queue() {
    let record = record_of(&[exclusive("a"), exclusive("b"), exclusive("c")]);
    let next = remove(&record, "a", &ops(), wall(1)).unwrap();
    assert_eq!((holders(&next), queue(&next)), (vec!["b"], vec!["c"]));
    assert_eq!(next.removal("a").unwrap().by, "ann");
    assert_eq!(next.last.as_ref().unwrap().outcome, Outcome::Forced);
    assert_eq!(remove(&next, "a", &ops(), wall(2)), None);
}

#[test]
fn only_the_newest_removals_are_remembered() {
    let mut record = record_of(&[exclusive("a")]);
    for n in 0..=MAX_REMOVED {
        record = acquire(Some(&record), &exclusive(&format!("w{n}")), wall(1)).unwrap();
        record = remove(&record, &format!("w{n}"), &ops(), wall(1)).unwrap();
    }
    assert_eq!(record.removed.len(), MAX_REMOVED);
    assert!(record.removal("w0").is_none());
    assert!(record.removal(&format!("w{MAX_REMOVED}")).is_some());
}

#[test]
fn a_record_is_put_back_with_its_holder_and_its_tokens() {
    let record = record_of(&[exclusive("a")]);
    let back = recreate(&record.holders[0], wall(50));
    assert_eq!(back.generation, record.generation);
    assert_eq!(back.runs, record.runs);
    assert_eq!(back.holders[0].beat, record.holders[0].beat + 1);
    assert_eq!(back.holders[0].renewed_at, wall(50));
}

#[test]
fn only_a_reader_of_the_same_group_comes_back_beside_another() {
    let group = record_of(&[shared("a"), shared("b")]);
    let back = recreate(&group.holders[0], wall(1));
    let both = rejoin(&back, &group.holders[1], wall(2)).unwrap();
    assert_eq!(holders(&both), ["a", "b"]);
    assert_eq!((both.holders[1].beat, both.holders[1].renewed_at), (2, wall(2)));

    let mut later = back.clone();
    later.generation += 1;
    later.holders[0].generation += 1;
    assert_eq!(rejoin(&later, &group.holders[1], wall(2)), None);

    let alone = record_of(&[exclusive("x")]);
    assert_eq!(rejoin(&back, &alone.holders[0], wall(2)), None);

    let taken_out = remove(&group, "b", &ops(), wall(1)).unwrap();
    assert_eq!(rejoin(&taken_out, &group.holders[1], wall(2)), None);
}

#[test]
fn a_garbage_date_never_comes_closer() {
    let record = record_of(&[exclusive("a")]).sealed("x".into(), wall(1_000_000));
    let later = record.clone().sealed("y".into(), wall(-1_000_000));
    assert_eq!(later.expires_at, record.expires_at);
}

#[test]
fn counters_out_of_reach_are_rubbish() {
    let damages: [fn(&mut Record); 4] = [
        |record| record.generation = u64::MAX,
        |record| record.runs = u64::MAX,
        |record| record.holders[0].beat = u64::MAX,
        |record| record.holders[0].generation = record.generation + 1,
    ];
    for damage in damages {
        let mut record = record_of(&[exclusive("a")]);
        assert!(record.clone().check().is_ok());
        damage(&mut record);
        assert!(matches!(record.check(), Err(RecordError::Rubbish(_))));
    }
}
