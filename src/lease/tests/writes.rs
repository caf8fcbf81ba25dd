//! What is known of our own writes.

use std::time::Duration;

use super::super::time::Instant;
use super::super::writes::{Claim, Unanswered};
use super::{exclusive, record_of};

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(0) + Duration::from_secs(seconds)
}

#[test]
fn a_try_counts_from_the_first_one_that_may_be_what_landed() {
    let old = Claim { beat: 3, first_sent: at(1) };
    let none = Unanswered::default();
    let mut one = Unanswered::default();
    one.push(Some("s/1".into()));
    let anew = |beat| Claim { beat, first_sent: at(9) };
    assert_eq!(Claim::renewed(Some(old), 3, at(9), &one), old);
    assert_eq!(Claim::renewed(Some(old), 3, at(9), &none), anew(3));
    assert_eq!(Claim::renewed(Some(old), 4, at(9), &one), anew(4));
    assert_eq!(Claim::renewed(None, 3, at(9), &one), anew(3));
}

#[test]
fn a_write_may_land_while_its_condition_stands() {
    let record = record_of(&[exclusive("a")]);
    let mut unanswered = Unanswered::default();
    assert!(!unanswered.any());
    for condition in [Some(record.stamp.clone()), None, Some(record.stamp.clone())] {
        unanswered.push(condition);
    }
    assert_eq!(unanswered.conditions.len(), 2);
    unanswered.look(Some(&record));
    assert_eq!(unanswered.conditions, [Some(record.stamp.clone())]);
    unanswered.look(None);
    assert!(!unanswered.any());
    unanswered.push(None);
    unanswered.look(None);
    assert!(unanswered.any());
    unanswered.look(Some(&record));
    assert!(!unanswered.any());
}
