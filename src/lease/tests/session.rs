//! Keeping the lock and getting out of it.

use std::time::Duration;

use super::super::record::{Intervention, Mode, Outcome, Record, Standing};
use super::super::session::{Finish, Loss, Notice, Request, Wait};
use super::super::transition::{Ending, acquire, evict, recreate, remove, revoke};
use super::driver::{Driver, ME, params};
use super::{LEASE, candidate, exclusive, holders, queue, record_of, wall};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));
/// Seconds between heartbeats.
const HEARTBEAT: f64 = LEASE as f64 / 6.0;

fn ops() -> Intervention {
    Intervention { by: "ann".into(), reason: "stuck".into(), at: wall(0) }
}

fn beat(record: Option<&Record>) -> u64 {
    record.unwrap().holder(ME).unwrap().beat
}

/// Lets time pass until the next heartbeat is under way, unanswered.
fn heartbeat_under_way(me: &mut Driver) {
    while me.is_idle() {
        me.skip(0.1);
        me.tick();
    }
}

#[test]
fn a_holder_beats_six_times_a_lease() {
    let mut me = Driver::holding();
    me.until(LEASE as f64 * 10.0 + 1.0, Driver::serve);
    assert_eq!(beat(me.store.as_ref()), 61);
}

/// What the record says that we do.
fn phase(me: &Driver) -> Option<&str> {
    let own = me.store.as_ref()?.holder(ME)?;
    own.activity.as_ref().map(|activity| activity.phase.as_str())
}

#[test]
fn another_phase_is_shown_by_a_heartbeat_at_once() {
    let mut me = Driver::holding();
    me.skip(1.0);
    let sent = me.now().mono;
    me.engage("plan");
    me.serve();
    assert_eq!((phase(&me), beat(me.store.as_ref())), (Some("plan"), 2));
    assert_eq!(me.session.deadlines().unwrap().end.since(sent), Duration::from_secs(LEASE));
    // The same once more is no news, and the next heartbeat is due a period after this one.
    me.engage("plan");
    assert!(me.is_idle());
    me.until(1.0 + HEARTBEAT + 0.5, Driver::serve);
    assert_eq!(beat(me.store.as_ref()), 3);
}

#[test]
fn a_phase_that_comes_during_a_heartbeat_is_shown_after_it() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    me.engage("apply");
    me.rival(|record| acquire(Some(record), &exclusive("w"), wall(8)).unwrap());
    me.until(me.seconds() + 1.0, Driver::serve);
    assert_eq!(phase(&me), Some("apply"));
    assert_eq!(queue(me.store.as_ref().unwrap()), ["w"]);
}

#[test]
fn a_heartbeat_whose_answer_was_lost_is_recognised_and_counted_from_its_first_send() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    let sent = me.now().mono;
    me.skip(2.0);
    me.serve_unheard();
    me.rival(|record| acquire(Some(record), &exclusive("w"), wall(8)).unwrap());
    me.until(me.seconds() + 1.0, Driver::serve);
    assert_eq!(me.notices, [Notice::Renewed { beat: 2 }]);
    assert_eq!(me.session.deadlines().unwrap().end.since(sent), Duration::from_secs(LEASE));
}

#[test]
fn a_heartbeat_that_lands_between_two_tries_counts_from_the_first() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    let first = me.now().mono;
    let Request::Write { expected, record: late } = me.pending().clone() else { panic!() };
    me.skip(2.5);
    me.fail();
    heartbeat_under_way(&mut me);
    me.serve();
    assert!(matches!(me.pending(), Request::Write { .. }), "it has not landed, so it is sent again");
    me.swap(expected.as_ref(), late);
    me.serve();
    assert_eq!(me.notices, [Notice::Renewed { beat: 2 }]);
    assert_eq!(me.session.deadlines().unwrap().end.since(first), Duration::from_secs(LEASE));
}

#[test]
fn a_holder_tries_again_at_once_after_a_conflict_and_a_seeker_makes_room() {
    let crowd = |record: &Record| acquire(Some(record), &exclusive("w"), wall(1)).unwrap();
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    me.rival(crowd);
    me.serve();
    assert_eq!(beat(Some(me.writing())), 2);

    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.serve();
    me.rival(crowd);
    me.serve();
    assert!(me.is_idle() && me.session.deadline().is_some_and(|at| at > me.now().mono));
}

#[test]
fn an_outage_is_not_a_loss() {
    let mut me = Driver::holding();
    let deadlines = me.session.deadlines().unwrap();
    me.until(LEASE as f64 * 3.0, Driver::fail);
    assert_eq!(me.notices, []);
    assert_eq!(me.session.deadlines(), Some(deadlines), "no answer, no new deadline");
    me.until(LEASE as f64 * 3.0 + 3.0, Driver::serve);
    assert_eq!(me.notices.first(), Some(&Notice::Renewed { beat: 2 }));
    assert!(me.session.deadlines().unwrap().end > deadlines.end);
}

#[test]
fn a_heartbeat_in_flight_never_arms_a_released_lock_again() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    let Request::Write { expected, record: heartbeat } = me.pending().clone() else { panic!() };
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.serve();
    assert_eq!(me.finish, Some(Finish::Released));
    me.swap(expected.as_ref(), heartbeat);
    assert!(me.store.as_ref().unwrap().is_free());
}

#[test]
fn a_release_that_is_overtaken_by_its_heartbeat_is_sent_again() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    me.land();
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.until(me.seconds() + 1.0, Driver::serve);
    assert_eq!(me.finish, Some(Finish::Released));
    assert!(me.store.as_ref().unwrap().is_free());
}

#[test]
fn an_unanswered_release_is_tried_again_and_ends() {
    let mut me = Driver::holding();
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.serve_unheard();
    me.until(3.0, Driver::serve);
    assert_eq!(me.finish, Some(Finish::Released));
    assert_eq!(me.store.as_ref().unwrap().last.as_ref().unwrap().outcome, Outcome::Released);
}

#[test]
fn a_release_that_cannot_be_had_ends_as_stranded() {
    let mut me = Driver::holding();
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.until(19.9, Driver::fail);
    assert_eq!(me.finish, None);
    me.until(23.0, Driver::fail);
    assert_eq!(me.finish, Some(Finish::Stranded));
    assert!(!me.finish.unwrap().is_clean());
}

#[test]
fn nobody_leaves_while_a_write_of_its_own_may_land() {
    for before in [None, Some(record_of(&[exclusive("a")]))] {
        let mut me = Driver::new(before, Wait::Forever);
        me.serve();
        let Request::Write { expected, record: late } = me.pending().clone() else { panic!() };
        let now = me.now();
        me.session.leave(now);
        me.poll();
        assert_eq!(me.finish, None);
        me.serve();
        assert_eq!(me.finish, Some(Finish::Left));
        me.swap(expected.as_ref(), late);
        assert_eq!(me.store.as_ref().unwrap().standing(ME), Standing::Absent);
    }
}

#[test]
fn only_who_is_known_to_be_out_ends_clean() {
    for (finish, clean) in [
        (Finish::Released, true),
        (Finish::Left, true),
        (Finish::Held(Vec::new()), true),
        (Finish::QueueFull, true),
        (Finish::TurnedAway(ops()), true),
        (Finish::Unreachable, false),
        (Finish::Refused, false),
        (Finish::Stranded, false),
    ] {
        assert_eq!(finish.is_clean(), clean, "{finish:?}");
    }
}

#[test]
fn who_has_not_seen_the_record_yet_is_gone_at_once() {
    let mut me = Driver::new(None, Wait::Forever);
    let now = me.now();
    me.session.leave(now);
    me.poll();
    assert_eq!(me.finish, Some(Finish::Left));
}

#[test]
fn a_waiter_that_leaves_does_not_free_the_holder() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    let now = me.now();
    me.session.leave(now);
    me.session.leave(now);
    me.poll();
    me.serve();
    assert_eq!(me.finish, Some(Finish::Left));
    let record = me.store.as_ref().unwrap();
    assert_eq!((holders(record), queue(record)), (vec!["a"], vec![]));
}

#[test]
fn a_vanished_record_comes_back_with_its_holder() {
    let mut me = Driver::holding();
    let before = me.store.take().unwrap();
    me.until(HEARTBEAT + 0.5, Driver::serve);
    let own = me.store.as_ref().unwrap().holder(ME).unwrap();
    assert_eq!(own.generation, before.generation);
    // Beyond the heartbeat that found it gone, and in one write.
    assert_eq!(own.beat, before.holders[0].beat + 2);
    assert_eq!(me.notices, [Notice::Recreated, Notice::Renewed { beat: own.beat }]);
}

#[test]
fn a_record_comes_back_with_a_beat_that_nobody_has_seen() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    me.serve_unheard();
    assert_eq!(beat(me.store.as_ref()), 2);
    me.store = None;
    // Two tries of which the first is lost: both show the same new beat.
    heartbeat_under_way(&mut me);
    me.serve();
    assert_eq!(beat(Some(me.writing())), 3);
    me.fail();
    me.until(me.seconds() + 3.0, Driver::serve);
    assert_eq!(beat(me.store.as_ref()), 3);
}

#[test]
fn a_vanished_record_is_told_of_also_after_an_unanswered_heartbeat() {
    let mut me = Driver::holding();
    heartbeat_under_way(&mut me);
    me.fail();
    me.store = None;
    me.until(me.seconds() + 3.0, Driver::serve);
    assert_eq!(me.notices.iter().filter(|notice| **notice == Notice::Recreated).count(), 1);
}

#[test]
fn a_vanished_record_is_not_put_back_after_the_kill_deadline() {
    let mut me = Driver::holding();
    me.until(LEASE as f64 * 0.9, Driver::fail);
    me.store = None;
    me.until(LEASE as f64 * 0.9 + 4.0, Driver::serve);
    assert_eq!(me.notices, [Notice::Lost(Loss::Gone)]);
    assert_eq!(me.store, None);
}

#[test]
fn at_the_kill_deadline_itself_it_is_too_late() {
    let mut me = Driver::holding();
    me.skip(LEASE as f64 * 0.9);
    me.tick();
    me.store = None;
    me.serve();
    assert_eq!(me.notices, [Notice::Lost(Loss::Gone)]);
}

/// An entry of ours with another token is none that we know of.
#[test]
fn a_hold_of_another_generation_is_not_ours() {
    let mut me = Driver::holding();
    me.rival(|record| {
        let mut other = record.clone();
        other.generation += 1;
        other.holders[0].generation += 1;
        other
    });
    me.until(HEARTBEAT + 0.5, Driver::serve);
    assert_eq!(me.notices, [Notice::Lost(Loss::Gone)]);
}

#[test]
fn a_reader_comes_back_beside_the_one_that_put_the_record_back() {
    let reader = |name: &str| candidate(name, Mode::Shared);
    let first = record_of(&[reader("r")]);
    let mut me = Driver::of(params(reader(ME), Wait::Forever), Some(first.clone()));
    me.serve();
    me.serve();
    me.store = Some(recreate(&first.holders[0], wall(1)).sealed("r/1".into(), wall(1)));
    me.until(HEARTBEAT + 1.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), ["r", ME]);
    assert!(me.notices.contains(&Notice::Recreated));
    // Beyond the heartbeat that found it gone, and in one write.
    assert_eq!(beat(me.store.as_ref()), 3);
}

#[test]
fn a_reader_comes_back_no_more_after_the_kill_deadline() {
    let reader = |name: &str| candidate(name, Mode::Shared);
    let first = record_of(&[reader("r")]);
    let mut me = Driver::of(params(reader(ME), Wait::Forever), Some(first.clone()));
    me.serve();
    me.serve();
    me.store = Some(recreate(&first.holders[0], wall(1)).sealed("r/1".into(), wall(1)));
    me.skip(LEASE as f64 * 0.9);
    me.until(me.seconds() + 1.0, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), ["r"]);
    assert_eq!(me.notices.last(), Some(&Notice::Lost(Loss::Gone)));
}

#[test]
fn a_revoked_holder_says_so_and_beats_no_more() {
    let mut me = Driver::holding();
    me.rival(|record| revoke(record, ME, &ops()).unwrap());
    me.until(60.0, Driver::serve);
    assert_eq!(me.notices, [Notice::Lost(Loss::Revoked(ops()))]);
    assert_eq!(beat(me.store.as_ref()), 1);
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.serve();
    assert!(me.store.as_ref().unwrap().is_free());
}

#[test]
fn a_removed_holder_is_told_by_whom() {
    let mut me = Driver::holding();
    me.rival(|record| remove(record, ME, &ops(), wall(1)).unwrap());
    me.until(10.0, Driver::serve);
    assert_eq!(me.notices, [Notice::Lost(Loss::Removed(ops()))]);
}

#[test]
fn an_evicted_holder_says_that_the_lock_is_gone() {
    let mut me = Driver::holding();
    me.rival(|record| evict(record, &[ME.into()], &exclusive("o"), wall(40)));
    me.until(10.0, Driver::serve);
    assert_eq!(me.notices, [Notice::Lost(Loss::Gone)]);
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    assert_eq!(me.finish, Some(Finish::Released));
    assert_eq!(holders(me.store.as_ref().unwrap()), ["o"]);
}

#[test]
fn a_removed_waiter_is_turned_away() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.rival(|record| remove(record, ME, &ops(), wall(1)).unwrap());
    me.until(3.0, Driver::serve);
    assert_eq!(me.finish, Some(Finish::TurnedAway(ops())));
}
