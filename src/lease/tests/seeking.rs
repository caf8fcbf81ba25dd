//! Getting the lock, or not.

use std::time::Duration;

use super::super::record::{Intervention, MAX_WAITERS, Mode, Outcome, Phase, Record};
use super::super::session::{Answer, Finish, Notice, Request, Wait};
use super::super::transition::{Candidate, Ending, confirm, evict, release, renew, revoke};
use super::driver::{Driver, ME, params};
use super::{LEASE, candidate, exclusive, holders, queue, record_of, wall};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));
const PATIENCE: f64 = 1.1 * LEASE as f64;

/// `me`, waiting behind `others`.
fn waiting(me: Candidate, others: &[Candidate]) -> Driver {
    let mut me = Driver::of(params(me, Wait::Forever), Some(record_of(others)));
    while !me.is_idle() {
        me.serve();
    }
    me
}

/// So many who want it for themselves.
fn line(length: usize) -> Vec<Candidate> {
    (0..length).map(|n| exclusive(&format!("w{n}"))).collect()
}

/// When `me`, waiting behind `others`, has looked again after the store told of a change, in milliseconds.
fn echo(me: Candidate, others: &[Candidate]) -> u64 {
    let mut me = waiting(me, others);
    let (told, before) = (me.now().mono, me.session.deadline());
    me.changed();
    if !me.is_idle() {
        return 0;
    }
    let due = me.session.deadline().unwrap();
    me.skip(0.001);
    me.changed();
    assert_eq!(me.session.deadline(), Some(due), "the next change puts the look off");
    assert!(Some(due) <= before, "a change puts the look off");
    u64::try_from(due.since(told).as_millis()).unwrap()
}

/// A hundred that look at once keep the machine from the one whose turn it is.
#[test]
fn a_change_wakes_the_head_at_once_and_those_behind_it_one_after_the_other() {
    assert_eq!(echo(exclusive(ME), &line(1)), 0);
    assert_eq!(echo(exclusive(ME), &line(2)), 5);
    assert_eq!(echo(exclusive(ME), &line(3)), 10);
    assert_eq!(echo(exclusive(ME), &line(128)), 500);
}

/// They are granted together with the head.
#[test]
fn a_change_wakes_those_at_once_who_share() {
    let readers = [exclusive("w"), candidate("r1", Mode::Shared), candidate("r2", Mode::Shared)];
    assert_eq!(echo(candidate(ME, Mode::Shared), &readers), 0);
    assert_eq!(echo(exclusive(ME), &readers), 10);
    let behind_a_writer = [exclusive("w"), candidate("r1", Mode::Shared), exclusive("w2")];
    assert_eq!(echo(candidate(ME, Mode::Shared), &behind_a_writer), 10);
}

/// Behind place 32 they would only be in the way; but whoever shares may be granted from any place.
#[test]
fn who_stands_far_behind_is_told_of_no_change() {
    let readers = |length| (0..length).map(|n| candidate(&format!("r{n}"), Mode::Shared));
    let behind_readers: Vec<_> = [exclusive("w")].into_iter().chain(readers(50)).collect();
    assert!(waiting(exclusive(ME), &line(32)).session.listens());
    assert!(!waiting(exclusive(ME), &line(33)).session.listens());
    assert!(waiting(candidate(ME, Mode::Shared), &behind_readers).session.listens());
    assert!(!waiting(exclusive(ME), &behind_readers).session.listens());
    assert!(Driver::holding().session.listens());
}

/// A record whose holders' last sign of life is this many seconds old.
fn aged(mut record: Record, seconds: i64) -> Record {
    for holder in &mut record.holders {
        holder.renewed_at = wall(-seconds);
    }
    record
}

#[test]
fn who_does_not_wait_is_told_at_once_that_a_live_one_holds() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Not);
    me.serve();
    assert!(matches!(&me.finish, Some(Finish::Held(holders)) if holders[0].session == "a"));
    assert_eq!(queue(me.store.as_ref().unwrap()), [""; 0]);
}

#[test]
fn who_does_not_wait_takes_over_from_the_dead_after_its_patience() {
    for wait in [Wait::Not, Wait::AtMost(Duration::from_secs(5))] {
        let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), wait);
        me.until(PATIENCE - 0.1, Driver::serve);
        assert_eq!((&me.finish, holders(me.store.as_ref().unwrap())), (&None, vec!["a"]));
        me.until(PATIENCE + 2.0, Driver::serve);
        assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
        assert!(me.notices.iter().any(|notice| matches!(
            notice,
            Notice::Acquired { previous: Some(last), .. } if last.outcome == Outcome::Expired
        )));
        assert_eq!(me.evicted, ["a"]);
    }
}

/// The history has no other word of a run whose machine died.
#[test]
fn an_eviction_is_told_by_whoever_made_it_also_when_its_answer_is_lost() {
    for lost in [false, true] {
        let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), Wait::Not);
        me.until(PATIENCE + 2.0, |me| {
            let evicts = matches!(me.pending(), Request::Write { .. });
            if lost && evicts && me.evicted.is_empty() && holders(me.store.as_ref().unwrap()) == ["a"] {
                me.serve_unheard();
                assert_eq!(me.evicted, [""; 0]);
            } else {
                me.serve();
            }
        });
        assert_eq!((&me.evicted[..], holders(me.store.as_ref().unwrap())), (&["a".to_owned()][..], vec![ME]));
    }
}

#[test]
fn who_left_by_itself_was_not_evicted() {
    let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), Wait::Not);
    me.until(PATIENCE + 2.0, |me| {
        if matches!(me.pending(), Request::Write { .. }) && holders(me.store.as_ref().unwrap()) == ["a"] {
            let ending = Ending::new(Outcome::Released, Some(0));
            me.rival(|record| release(record, "a", &ending, wall(200)));
        }
        me.serve();
    });
    assert_eq!((&me.evicted[..], holders(me.store.as_ref().unwrap())), (&[][..], vec![ME]));
}

#[test]
fn who_does_not_wait_gives_up_at_the_first_new_beat() {
    for wait in [Wait::Not, Wait::AtMost(Duration::from_secs(5))] {
        let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), wait);
        me.until(20.0, Driver::serve);
        assert_eq!(me.finish, None);
        me.rival(|record| renew(record, "a", None, wall(20)));
        me.until(23.0, Driver::serve);
        assert!(matches!(me.finish, Some(Finish::Held(_))), "{:?}", me.finish);
    }
}

#[test]
fn a_wait_that_is_shorter_than_the_patience_ends_behind_a_live_one() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::AtMost(Duration::from_secs(5)));
    me.until(4.9, Driver::serve);
    assert_eq!(queue(me.store.as_ref().unwrap()), [ME]);
    me.until(5.1, Driver::serve);
    assert!(matches!(me.finish, Some(Finish::Held(_))));
    assert_eq!(queue(me.store.as_ref().unwrap()), [""; 0]);
}

#[test]
fn no_time_at_all_still_takes_over_from_the_dead() {
    let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), Wait::AtMost(Duration::ZERO));
    me.until(PATIENCE + 2.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn one_failed_look_does_not_end_the_watch_over_a_dead_holder() {
    let mut me = Driver::new(Some(aged(record_of(&[exclusive("a")]), 61)), Wait::Not);
    me.until(10.0, Driver::serve);
    me.until(12.0, Driver::fail);
    assert_eq!(me.finish, None);
    me.until(PATIENCE + 2.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn an_unreachable_store_is_tried_for_as_long_as_was_said() {
    let mut me = Driver::new(None, Wait::Forever);
    me.until(59.0, Driver::fail);
    assert_eq!(me.finish, None);
    me.until(63.0, Driver::fail);
    assert_eq!(me.finish, Some(Finish::Unreachable));
}

#[test]
fn an_outage_does_not_prolong_the_wait() {
    let holder = Some(record_of(&[exclusive("a")]));
    let mut me = Driver::new(holder, Wait::AtMost(Duration::from_secs(30)));
    me.until(25.0, Driver::serve);
    me.until(33.0, Driver::fail);
    assert_eq!(me.finish, None, "it tries to leave");
    me.until(38.0, Driver::fail);
    assert_eq!(me.finish, Some(Finish::Unreachable));
}

#[test]
fn a_store_that_says_no_is_not_asked_again() {
    let mut me = Driver::new(None, Wait::Forever);
    me.answer(Answer::Failed { refused: true, transient: false });
    assert_eq!(me.finish, Some(Finish::Refused));
}

#[test]
fn a_full_queue_turns_away_behind_a_live_holder() {
    let mut crowd = vec![exclusive("a")];
    crowd.extend((0..MAX_WAITERS).map(|n| exclusive(&format!("w{n}"))));
    let mut me = Driver::new(Some(record_of(&crowd)), Wait::Forever);
    me.serve();
    assert_eq!(me.finish, Some(Finish::QueueFull));
}

#[test]
fn a_full_queue_of_the_dead_is_taken_over() {
    let mut crowd = vec![exclusive("a")];
    crowd.extend((0..MAX_WAITERS).map(|n| exclusive(&format!("w{n}"))));
    let mut me = Driver::new(Some(aged(record_of(&crowd), 61)), Wait::Forever);
    me.until(PATIENCE + 5.0, Driver::serve);
    assert_eq!(me.finish, None);
    let record = me.store.as_ref().unwrap();
    assert_eq!(holders(record), ["w0"]);
    assert_eq!(queue(record).last(), Some(&ME));
}

#[test]
fn a_grant_is_confirmed_before_the_lock_is_said_to_be_ours() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.rival(|record| release(record, "a", &GOOD, wall(1)));
    while me.is_idle() {
        me.skip(0.05);
        me.tick();
    }
    me.serve();
    assert_eq!(me.writing().holder(ME).unwrap().phase, Phase::Active);
    assert!(!me.notices.iter().any(|notice| matches!(notice, Notice::Acquired { .. })));
    me.serve();
    assert!(me.notices.iter().any(|notice| matches!(notice, Notice::Acquired { .. })));
}

#[test]
fn a_confirmation_whose_answer_was_lost_is_recognised_and_counted_from_its_first_send() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.rival(|record| release(record, "a", &GOOD, wall(1)));
    while me.is_idle() {
        me.skip(0.05);
        me.tick();
    }
    me.serve();
    let sent = me.now().mono;
    me.skip(2.0);
    me.serve_unheard();
    me.rival(|record| super::super::transition::acquire(Some(record), &exclusive("z"), wall(4)).unwrap());
    me.until(me.seconds() + 1.0, Driver::serve);
    let deadlines = me.session.deadlines().unwrap();
    assert_eq!(deadlines.end.since(sent), Duration::from_secs(LEASE));
    assert_eq!(me.store.as_ref().unwrap().holder(ME).unwrap().beat, 1);
}

#[test]
fn the_head_of_the_queue_looks_about_every_300_ms() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(10.0, Driver::serve);
    let mut looks = 0;
    me.until(30.0, |me| {
        looks += 1;
        me.serve();
    });
    // 20 s, each pause up to a fifth shorter or longer.
    assert!((55..=84).contains(&looks), "{looks} looks");
}

/// What is held for half a second is worth a wait of a few hundredths.
#[test]
fn a_wait_that_is_young_looks_every_twentieth_of_it() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(0.1, Driver::serve);
    let mut looks = [0; 2];
    for (look, end) in looks.iter_mut().zip([0.6, 2.6]) {
        me.until(end, |me| {
            *look += 1;
            me.serve();
        });
    }
    // 0.5 s with pauses of 25 to 30 ms, and 2 s with pauses of 30 to 130 ms, a fifth shorter or longer.
    assert!((14..=25).contains(&looks[0]) && (22..=37).contains(&looks[1]), "{looks:?} looks");
}

#[test]
fn a_grant_that_an_operator_revoked_is_not_confirmed() {
    let by = Intervention { by: "ann".into(), reason: "wrong plan".into(), at: wall(1) };
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.rival(|record| release(record, "a", &GOOD, wall(1)));
    me.rival(|record| revoke(record, ME, &by).unwrap());
    me.until(me.seconds() + 2.0, Driver::serve);
    assert_eq!(me.finish, Some(Finish::TurnedAway(by)));
    assert!(me.store.as_ref().unwrap().is_free());
}

/// As one of ours might stand there that was given up as lost: it is no second run.
#[test]
fn an_entry_of_ours_that_nothing_explains_is_taken_on_by_a_new_beat() {
    let mut me = Driver::new(Some(record_of(&[exclusive(ME)])), Wait::Forever);
    me.serve();
    let own = me.writing().holder(ME).unwrap().clone();
    assert_eq!((me.writing().runs, own.run, own.beat), (1, Some(1), 2));
    me.serve();
    assert!(matches!(me.notices[..], [Notice::Acquired { .. }]));
}

#[test]
fn a_grant_that_was_never_seen_is_told_of_as_missed() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a"), exclusive("b")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    assert_eq!(queue(me.store.as_ref().unwrap()), ["b", ME]);
    // Stopped for a long time, it is granted the lock and loses it.
    me.rival(|record| release(record, "a", &GOOD, wall(1)));
    me.rival(|record| evict(record, &["b".into()], &exclusive("z"), wall(20)));
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
    me.rival(|record| super::super::transition::acquire(Some(record), &exclusive("z"), wall(21)).unwrap());
    me.rival(|record| evict(record, &[ME.into()], &exclusive("z"), wall(40)));
    me.rival(|record| confirm(record, &exclusive("z"), wall(41)));
    me.skip(40.0);
    me.until(me.seconds() + 2.0, Driver::serve);
    assert!(me.notices.contains(&Notice::GrantMissed));
    assert_eq!(queue(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn an_absent_record_is_waited_out_by_the_lease_also_when_the_holder_was_seen_as_granted() {
    let granted = release(&record_of(&[exclusive("a"), exclusive("b")]), "a", &GOOD, wall(0));
    let mut me = Driver::new(Some(granted.sealed("x".into(), wall(0))), Wait::Forever);
    me.serve();
    me.serve();
    // The holder confirms unseen, and the record is deleted under it.
    me.store = None;
    me.until(PATIENCE, Driver::serve);
    assert_eq!(me.store, None);
    me.until(PATIENCE + 2.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn a_holder_that_showed_in_a_conflict_is_waited_out_too() {
    let mut me = Driver::new(None, Wait::Forever);
    me.serve();
    me.store = Some(record_of(&[exclusive("a")]));
    me.serve();
    assert!(me.is_idle(), "it makes room for the others");
    me.store = None;
    me.until(PATIENCE, Driver::serve);
    assert_eq!(me.store, None);
    me.until(PATIENCE + 2.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn a_record_emptied_by_a_leaver_is_not_a_free_lock() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.store = Some(Record::new(wall(1)).sealed("leaver/1".into(), wall(1)));
    me.until(PATIENCE, Driver::serve);
    assert!(me.store.as_ref().unwrap().is_free());
    me.until(PATIENCE + 3.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

#[test]
fn the_generation_keeps_rising_after_a_deletion() {
    let mut record = record_of(&[exclusive("a")]);
    record.generation += 1_000_000;
    record.holders[0].generation += 1_000_000;
    let before = record.generation;
    let mut me = Driver::new(Some(record), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.store = None;
    me.until(PATIENCE + 3.0, Driver::serve);
    assert!(me.store.as_ref().unwrap().holder(ME).unwrap().generation > before);

    let fresh = record_of(&[exclusive("f")]);
    assert!(fresh.generation > u64::try_from(wall(0).as_second()).unwrap());
}

#[test]
fn a_reader_that_does_not_wait_joins_readers() {
    let readers = record_of(&[candidate("r", Mode::Shared)]);
    let mut me = Driver::of(params(candidate(ME, Mode::Shared), Wait::Not), Some(readers));
    me.serve();
    me.serve();
    assert_eq!(holders(me.store.as_ref().unwrap()), ["r", ME]);
}
