//! Since when a holder counts as silent.

use std::time::Duration;

use super::super::observer::Observer;
use super::super::record::{Outcome, Record};
use super::super::time::{GRANT_PATIENCE, Instant};
use super::super::transition::{Ending, acquire, confirm, release, renew};
use super::{LEASE, exclusive, record_of, wall};

fn at(seconds: f64) -> Instant {
    Instant::from_nanos(0) + Duration::from_secs_f64(seconds)
}

fn dead(observer: &Observer, record: &Record, seconds: f64) -> Vec<String> {
    observer.dead(record, "me", at(seconds))
}

const PATIENCE: f64 = 1.1 * LEASE as f64;

#[test]
fn looking_again_does_not_restart_the_clock() {
    let record = record_of(&[exclusive("a")]);
    let mut observer = Observer::default();
    for second in 0..40 {
        observer.look(&record, at(f64::from(second)));
    }
    assert!(dead(&observer, &record, PATIENCE - 0.001).is_empty());
    assert_eq!(dead(&observer, &record, PATIENCE), ["a"]);
}

#[test]
fn arrivals_change_the_stamp_and_not_the_clock() {
    let mut record = record_of(&[exclusive("a")]);
    let mut observer = Observer::default();
    for second in 0..30 {
        let next = acquire(Some(&record), &exclusive(&format!("w{second}")), wall(0)).unwrap();
        record = next.sealed(format!("test/w{second}"), wall(0));
        observer.look(&record, at(f64::from(second)));
    }
    assert_eq!(dead(&observer, &record, PATIENCE), ["a"]);
}

#[test]
fn a_beat_restarts_the_clock() {
    let record = record_of(&[exclusive("a")]);
    let mut observer = Observer::default();
    observer.look(&record, at(0.0));
    let renewed = renew(&record, "a", None, wall(20));
    observer.look(&renewed, at(20.0));
    assert!(dead(&observer, &renewed, PATIENCE).is_empty());
    assert_eq!(dead(&observer, &renewed, 20.0 + PATIENCE), ["a"]);
}

#[test]
fn a_grant_is_open_for_ten_seconds_and_its_confirmation_counts_anew() {
    let good = Ending::new(Outcome::Released, None);
    let granted = release(&record_of(&[exclusive("a"), exclusive("b")]), "a", &good, wall(1));
    let mut observer = Observer::default();
    observer.look(&granted, at(0.0));
    assert_eq!(observer.next_ripe(&granted), Some(at(0.0) + GRANT_PATIENCE));
    assert_eq!(dead(&observer, &granted, 10.0), ["b"]);
    let confirmed = confirm(&granted, &exclusive("b"), wall(2));
    observer.look(&confirmed, at(9.0));
    assert!(dead(&observer, &confirmed, 9.0 + PATIENCE - 0.001).is_empty());
}

#[test]
fn nobody_finds_itself_dead() {
    let record = record_of(&[exclusive("me")]);
    let mut observer = Observer::default();
    observer.look(&record, at(0.0));
    assert!(dead(&observer, &record, 1000.0).is_empty());
}

#[test]
fn a_record_that_was_not_looked_at_gives_no_verdict() {
    let record = record_of(&[exclusive("a")]);
    assert!(dead(&Observer::default(), &record, 1000.0).is_empty());
}
