//! When a session asks again: how long it pauses, what wakes it, and what does not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::Lease;
use super::super::record::{Mode, Outcome, Record};
use super::super::session::{Loss, Notice, Params, Request, Wait};
use super::super::transition::{Candidate, Ending, acquire, evict, release};
use super::driver::{Driver, ME, params};
use super::{candidate, exclusive, holders, record_of, wall};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));

/// The jitter is drawn from the seed: so many show what its bounds are.
const SEEDS: u64 = 100;

fn crowd(record: &Record) -> Record {
    acquire(Some(record), &exclusive(&format!("w{}", record.queue.len())), wall(1)).unwrap()
}

/// How long it pauses now, in milliseconds.
fn pause(me: &Driver) -> f64 {
    assert!(me.is_idle());
    me.session.deadline().unwrap().since(me.now().mono).as_secs_f64() * 1000.0
}

/// The shortest and the longest of many.
fn bounds(pauses: impl Iterator<Item = f64>) -> (f64, f64) {
    pauses.fold((f64::MAX, 0.0), |(least, most), pause| (pause.min(least), pause.max(most)))
}

/// Lets time pass until the next request is under way, unanswered.
fn until_busy(me: &mut Driver) {
    let due = me.session.deadline().unwrap();
    me.skip(due.since(me.now().mono).as_secs_f64() + 0.001);
    me.tick();
    assert!(!me.is_idle());
}

/// The `n`-th pause of everyone with this lease whose requests fail, from 1 on.
fn after_failures(lease: u64, n: usize) -> (f64, f64) {
    bounds((0..SEEDS).map(|seed| {
        let lease = Lease::new(Duration::from_secs(lease)).unwrap();
        let candidate = Candidate { lease, ..exclusive(ME) };
        let mut me = Driver::of(Params { seed, ..params(candidate, Wait::Forever) }, None);
        for _ in 1..n {
            me.fail();
            until_busy(&mut me);
        }
        me.fail();
        pause(&me)
    }))
}

#[test]
fn a_failed_request_is_tried_again_after_a_tenth_of_a_second_doubling_to_two() {
    let longest = [100.0, 200.0, 400.0, 800.0, 1600.0, 2000.0, 2000.0, 2000.0, 2000.0];
    for (n, longest) in longest.into_iter().enumerate() {
        let (least, most) = after_failures(180, n + 1);
        assert!((0.5..0.55).contains(&(least / longest)), "{least} of {longest} ms");
        assert!((0.95..=1.0).contains(&(most / longest)), "{most} of {longest} ms");
    }
}

#[test]
fn a_short_lease_is_tried_again_in_a_quarter_of_a_heartbeat() {
    let (least, most) = after_failures(12, 7);
    assert!((250.0..275.0).contains(&least) && (475.0..=500.0).contains(&most), "{least} to {most} ms");
}

#[test]
fn who_lost_a_race_makes_room_for_up_to_three_seconds() {
    let longest = [50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3000.0, 3000.0, 3000.0];
    for (n, longest) in longest.into_iter().enumerate() {
        let (least, most) = bounds((0..SEEDS).map(|seed| {
            let params = Params { seed, ..params(exclusive(ME), Wait::Forever) };
            let mut me = Driver::of(params, Some(record_of(&[exclusive("a")])));
            for lost in 0..=n {
                if lost > 0 {
                    until_busy(&mut me);
                }
                me.serve();
                me.rival(crowd);
                me.serve();
            }
            pause(&me)
        }));
        assert!(least < longest * 0.05, "{least} of {longest} ms");
        assert!((0.95..=1.0).contains(&(most / longest)), "{most} of {longest} ms");
    }
}

#[test]
fn a_change_does_not_end_the_pause_of_one_who_makes_room() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.serve();
    me.rival(crowd);
    me.serve();
    let due = me.session.deadline();
    me.changed();
    assert!(me.is_idle() && me.session.deadline() == due);
    until_busy(&mut me);
    assert_eq!(me.pending(), &Request::Read);
}

#[test]
fn a_change_does_not_hurry_one_who_leaves() {
    let mut me = Driver::holding();
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me.fail();
    let due = me.session.deadline();
    me.changed();
    assert!(me.is_idle() && me.session.deadline() == due);
    until_busy(&mut me);
    me.serve();
    me.serve();
    assert!(me.finish.is_some());
    me.changed();
    assert!(me.is_idle());
}

/// Where requests fail, one more would not come sooner.
#[test]
fn another_phase_waits_for_the_heartbeat_that_is_under_way_or_failing() {
    let mut me = Driver::holding();
    until_busy(&mut me);
    let heartbeat = me.pending().clone();
    me.engage("plan");
    assert_eq!(me.pending(), &heartbeat);
    me.fail();
    let due = me.session.deadline();
    me.engage("apply");
    assert!(me.is_idle() && me.session.deadline() == due);
}

#[test]
fn an_answer_ends_the_count_of_failures() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(40.0, Driver::fail);
    me.until(42.5, Driver::serve);
    let mut first = true;
    me.until(80.0, |me| {
        me.fail();
        if std::mem::take(&mut first) {
            assert!(pause(me) <= 100.0);
        }
    });
    assert_eq!(me.finish, None, "two outages of 40 s are none of 60");
}

#[test]
fn whoever_stands_among_the_holders_does_not_make_room() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.until(1.0, Driver::serve);
    me.rival(|record| release(record, "a", &GOOD, wall(1)));
    until_busy(&mut me);
    me.serve();
    me.rival(crowd);
    me.serve();
    assert_eq!(me.writing().holder(ME).unwrap().beat, 1, "it confirms its grant at once");
}

#[test]
fn who_finds_its_entry_gone_in_a_conflict_says_so_at_once() {
    let mut me = Driver::holding();
    until_busy(&mut me);
    me.rival(|record| evict(record, &[ME.into()], &exclusive("o"), wall(40)));
    me.serve();
    assert_eq!(me.notices, [Notice::Lost(Loss::Gone)]);
}

#[test]
fn a_record_that_vanished_is_put_back_at_once_and_awaited_by_all_others() {
    let mut me = Driver::holding();
    until_busy(&mut me);
    me.store = None;
    me.serve();
    assert_eq!(holders(me.writing()), [ME]);

    let mut me = Driver::new(Some(record_of(&[candidate("a", Mode::Shared)])), Wait::Forever);
    me.serve();
    me.store = None;
    me.serve();
    assert!(me.is_idle() && pause(&me) <= 50.0);
}

#[test]
fn no_two_writes_bear_the_same_stamp() {
    let mut stamps = BTreeSet::new();
    let mut me = Driver::new(None, Wait::Forever);
    me.until(60.0, |me| {
        if let Request::Write { record, .. } = me.pending() {
            assert!(stamps.insert(record.stamp.clone()), "{} twice", record.stamp);
        }
        me.serve();
    });
    assert!(stamps.len() > 10);
}
