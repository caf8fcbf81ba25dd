use super::*;
use crate::lease::transition::Ending;
use crate::lease::{Identity, Outcome, PastRun, Phase, Teller, Waiter};

const MINUTE: u64 = 60;

fn at(second: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(second).unwrap()).unwrap()
}

fn holder(mode: Mode) -> Holder {
    Holder {
        session: "s".into(),
        mode,
        phase: Phase::Active,
        beat: 1,
        lease_ms: 180_000,
        generation: 1,
        run: Some(1),
        changes: true,
        revoked: None,
        asked_at: at(0),
        granted_at: at(0),
        renewed_at: at(0),
        activity: None,
        identity: Identity::default(),
    }
}

fn run(mode: Mode, seconds: u64, outcome: Outcome) -> PastRun {
    PastRun::of(&holder(mode), &Ending::new(outcome, None), Teller::Run, at(seconds)).unwrap()
}

/// Exclusive holds of so many minutes.
fn past(minutes: impl IntoIterator<Item = u64>) -> Past {
    let runs: Vec<_> = minutes
        .into_iter()
        .map(|minutes| run(Mode::Exclusive, minutes * MINUTE, Outcome::Released))
        .collect();
    Past::of(&runs)
}

/// Median and 90th percentile in seconds, for an exclusive wait behind an exclusive holder that has
/// held for `held` seconds.
fn seconds(past: &Past, queue: &[Mode], held: u64) -> Option<(u64, u64)> {
    of(past, &[Mode::Exclusive], queue, Mode::Exclusive, held)
}

fn of(past: &Past, holders: &[Mode], queue: &[Mode], mode: Mode, held: u64) -> Option<(u64, u64)> {
    let holders: Vec<Holder> = holders.iter().map(|mode| holder(*mode)).collect();
    let until = estimate(past, Ahead { holders: &holders, queue, mode }, at(held))?.until?;
    Some((until.median.as_secs(), until.p90.as_secs()))
}

#[test]
fn fewer_than_three_runs_are_not_enough() {
    assert_eq!(seconds(&past([4, 4]), &[], 0), None);
    assert_eq!(seconds(&past([4, 4, 4]), &[], 0), Some((240, 240)));
    assert_eq!(
        estimate(&Past::default(), Ahead { holders: &[], queue: &[], mode: Mode::Shared }, at(0)),
        None
    );
}

#[test]
fn behind_one_holder_it_is_what_is_left_of_its_hold() {
    let past = past(1..=10);
    assert_eq!(seconds(&past, &[], 0), Some((5 * MINUTE, 9 * MINUTE)));
    // It is one of those that took 5 minutes and more.
    assert_eq!(seconds(&past, &[], 4 * MINUTE + 30), Some((150, 330)));
    // A clock that runs behind the holder's.
    let ahead = Ahead { holders: &[holder(Mode::Exclusive)], queue: &[], mode: Mode::Exclusive };
    let early = estimate(&past, ahead, Timestamp::from_second(-90).unwrap()).unwrap();
    assert_eq!(early.until.unwrap().median, Duration::from_secs(5 * MINUTE));
    assert_eq!(early.runs, 10);
}

#[test]
fn a_holder_that_is_beyond_all_experience_has_no_end_in_sight() {
    let ahead = Ahead { holders: &[holder(Mode::Exclusive)], queue: &[], mode: Mode::Exclusive };
    let beyond = estimate(&past([1, 2, 3]), ahead, at(3 * MINUTE)).unwrap();
    assert_eq!(beyond, Estimate { until: None, runs: 3 });
}

#[test]
fn turns_add_up_and_their_worst_do_not() {
    let past = past((0..10).map(|run| if run == 0 { 21 } else { 1 }));
    assert_eq!(seconds(&past, &[], 0), Some((MINUTE, MINUTE)));
    let nine = [Mode::Exclusive; 9];
    let (median, p90) = seconds(&past, &nine, 0).unwrap();
    // Ten turns, of which one takes 21 minutes on the average.
    assert_eq!(median / MINUTE, 30);
    assert!((50..100).contains(&(p90 / MINUTE)), "{p90}");
}

#[test]
fn shared_waiters_join() {
    let shared: Vec<_> = (0..5).map(|_| run(Mode::Shared, 60, Outcome::Released)).collect();
    let exclusive: Vec<_> = (0..5).map(|_| run(Mode::Exclusive, 600, Outcome::Released)).collect();
    let past = Past::of(shared.iter().chain(&exclusive));
    let (x, s) = (Mode::Exclusive, Mode::Shared);
    for (holders, queue, mode, minutes) in [
        (&[x][..], &[s, s, s][..], x, 11),
        (&[x], &[s, s, s], s, 10),
        (&[x], &[s, x, s, s], s, 21),
        (&[x], &[s, x, s, s], x, 22),
        (&[s, s], &[x], s, 11),
        (&[s, s], &[], x, 1),
    ] {
        let (median, p90) = of(&past, holders, queue, mode, 0).unwrap();
        assert_eq!((median, p90), (minutes * MINUTE, minutes * MINUTE), "{holders:?} {queue:?} {mode:?}");
    }
}

#[test]
fn who_shares_is_as_long_as_the_longest() {
    let runs: Vec<_> =
        (1..=10).map(|minutes| run(Mode::Shared, minutes * MINUTE, Outcome::Released)).collect();
    let past = Past::of(&runs);
    let one = of(&past, &[Mode::Shared], &[], Mode::Exclusive, 0).unwrap();
    let five = of(&past, &[Mode::Shared; 5], &[], Mode::Exclusive, 0).unwrap();
    assert_eq!(one, (5 * MINUTE, 9 * MINUTE));
    assert_eq!(five, (9 * MINUTE, 10 * MINUTE));
}

#[test]
fn a_mode_of_which_too_little_is_known_makes_it_unknown() {
    let past = past([4; 10]);
    assert_eq!(of(&past, &[Mode::Exclusive], &[Mode::Shared], Mode::Exclusive, 0), None);
    assert_eq!(of(&past, &[Mode::Exclusive], &[Mode::Shared], Mode::Shared, 0), Some((240, 240)));
}

#[test]
fn runs_that_did_not_end_by_themselves_do_not_count() {
    let runs: Vec<_> = [Outcome::Released, Outcome::Crashed, Outcome::Expired, Outcome::Forced]
        .map(|outcome| run(Mode::Exclusive, 60, outcome))
        .into();
    assert_eq!(Past::of(&runs).holds(Mode::Exclusive).len(), 2);
}

#[test]
fn a_full_queue_is_estimated_at_once() {
    let past = past(1..=20);
    let queue: Vec<Mode> = (0..crate::lease::MAX_WAITERS).map(|_| Mode::Exclusive).collect();
    let (median, p90) = seconds(&past, &queue, 0).unwrap();
    // 129 turns of 10.5 minutes.
    assert!((1300..1410).contains(&(median / MINUTE)), "{median}");
    assert!(p90 > median && p90 < 2 * median);
}

#[test]
fn a_waiter_of_a_record_is_asked_for_by_its_place() {
    let past = past([4; 5]);
    let mut record = Record::new(at(0));
    record.holders.push(holder(Mode::Exclusive));
    for mode in [Mode::Exclusive, Mode::Exclusive] {
        record.queue.push(Waiter {
            session: "w".into(),
            mode,
            lease_ms: 180_000,
            asked_at: at(0),
            identity: Identity::default(),
        });
    }
    let median = |place| {
        estimate_at(&past, &record, place, at(60)).map(|estimate| estimate.until.unwrap().median.as_secs())
    };
    assert_eq!([median(0), median(1), median(2)], [Some(180), Some(420), None]);
}
