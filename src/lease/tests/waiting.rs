//! In the queue: how often one looks, what is told meanwhile, and when one gives up.

use std::time::Duration;

use super::super::record::{Mode, Outcome, Record};
use super::super::session::{Finish, Notice, Params, Wait};
use super::super::transition::{Ending, acquire, evict, leave, release};
use super::driver::{Driver, ME, params};
use super::{LEASE, candidate, exclusive, holders, queue, record_of, shared, wall};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));
const PATIENCE: f64 = 1.1 * LEASE as f64;

/// `a` holds, this many wait.
fn line(length: usize) -> Record {
    let mut all = vec![exclusive("a")];
    all.extend((0..length).map(|n| exclusive(&format!("w{n}"))));
    record_of(&all)
}

/// The pause before the next look, in milliseconds.
fn pause(me: &Driver) -> f64 {
    assert!(me.is_idle());
    me.session.deadline().unwrap().since(me.now().mono).as_secs_f64() * 1000.0
}

fn is_about(pause: f64, expected: f64) -> bool {
    (0.8 * expected..=1.2 * expected).contains(&pause)
}

/// Answers everything, and the look that is due next.
fn look_once(me: &mut Driver) {
    me.skip(pause(me) / 1000.0 + 0.001);
    me.tick();
    while !me.is_idle() {
        me.serve();
    }
}

#[test]
fn a_young_wait_is_worth_quick_looks_and_every_place_is_new() {
    for seed in 0..50 {
        let mut me = Driver::of(Params { seed, ..params(exclusive(ME), Wait::Forever) }, Some(line(1)));
        while !me.is_idle() {
            me.serve();
        }
        assert!(is_about(pause(&me), 2.0 * 2.0 * 25.0), "{} ms", pause(&me));
        // A twentieth of what it has waited.
        me.skip(4.0);
        look_once(&mut me);
        let waited = me.seconds() * 1000.0;
        assert!(is_about(pause(&me), 2.0 * waited / 20.0), "{} ms", pause(&me));
        me.skip(16.0);
        look_once(&mut me);
        assert!(is_about(pause(&me), 2.0 * 300.0), "{} ms", pause(&me));
        me.rival(|record| leave(record, "w0", wall(20)));
        look_once(&mut me);
        assert!(is_about(pause(&me), 25.0), "the head is young: {} ms", pause(&me));
        me.changed();
        assert!(!me.is_idle(), "a change wakes the head at once");
    }
}

#[test]
fn a_wait_ends_on_time_however_rarely_one_looks() {
    for (length, seed) in (0..10).flat_map(|length| (0..10).map(move |seed| (length, seed))) {
        let wait = Wait::AtMost(Duration::from_secs(5));
        let mut me = Driver::of(Params { seed, ..params(exclusive(ME), wait) }, Some(line(length)));
        me.until(4.999, Driver::serve);
        assert_eq!(me.finish, None);
        me.until(5.0, Driver::serve);
        assert!(matches!(me.finish, Some(Finish::Held(_))), "{length} before it, seed {seed}");
        assert!(!queue(me.store.as_ref().unwrap()).contains(&ME));
    }
}

#[test]
fn a_dead_holder_is_passed_over_on_time_however_rarely_one_looks() {
    let mut me = Driver::new(Some(line(9)), Wait::Forever);
    me.serve();
    let seen = me.seconds();
    me.serve();
    me.until(seen + PATIENCE - 0.001, Driver::serve);
    assert_eq!(holders(me.store.as_ref().unwrap()), ["a"]);
    me.until(seen + PATIENCE, Driver::serve);
    assert_eq!((holders(me.store.as_ref().unwrap()), &me.evicted[..]), (vec!["w0"], &["a".to_owned()][..]));
}

/// `last` names one of them only.
#[test]
fn of_readers_that_died_together_all_are_told() {
    let readers = record_of(&[shared("r1"), shared("r2")]);
    let mut me = Driver::new(Some(readers), Wait::Forever);
    me.until(PATIENCE + 4.0, Driver::serve);
    assert_eq!(me.evicted, ["r1", "r2"]);
    assert_eq!(holders(me.store.as_ref().unwrap()), [ME]);
}

/// It never ran.
#[test]
fn a_grant_that_was_passed_over_is_not_told() {
    let granted = release(&line(1), "a", &GOOD, wall(0)).sealed("x".into(), wall(0));
    let mut me = Driver::new(Some(granted), Wait::Forever);
    me.until(14.0, Driver::serve);
    assert_eq!((holders(me.store.as_ref().unwrap()), me.evicted.len()), (vec![ME], 0));
}

/// What is told of waiting: the place, who holds, and what those before us ask for.
fn told(me: &mut Driver) -> Vec<(usize, Vec<String>, Vec<Mode>)> {
    std::mem::take(&mut me.notices)
        .into_iter()
        .filter_map(|notice| match notice {
            Notice::Waiting { position, holders, ahead, .. } => {
                Some((position, holders.into_iter().map(|holder| holder.session).collect(), ahead))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn who_waits_is_told_when_something_changes_before_it_and_once() {
    let of = |session: &str| vec![session.to_owned()];
    let before = record_of(&[exclusive("a"), exclusive("b"), candidate("r", Mode::Shared)]);
    let mut me = Driver::new(Some(before), Wait::Forever);
    me.until(5.0, Driver::serve);
    assert_eq!(told(&mut me), [(3, of("a"), vec![Mode::Exclusive, Mode::Shared])]);
    me.rival(|record| acquire(Some(record), &exclusive("z"), wall(5)).unwrap());
    me.until(10.0, Driver::serve);
    assert_eq!(told(&mut me), [], "who comes later is no news");
    me.rival(|record| evict(record, &["a".into()], &exclusive("z"), wall(10)));
    me.until(15.0, Driver::serve);
    assert_eq!(told(&mut me), [(2, of("b"), vec![Mode::Shared])]);
    me.rival(|record| leave(record, "r", wall(15)));
    me.until(20.0, Driver::serve);
    assert_eq!(told(&mut me), [(1, of("b"), vec![])]);
}
