use jiff::Timestamp;

use super::*;
use crate::lease::transition::Ending;
use crate::lease::{Activity, Identity, Outcome, PastRun, Phase, Teller};

fn now(millis: u64) -> Now {
    let wall = Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap();
    Now { mono: Instant::from_nanos(millis * 1_000_000), wall }
}

fn holder(session: &str) -> Holder {
    Holder {
        session: session.into(),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 1,
        lease_ms: 180_000,
        generation: 1,
        run: Some(1),
        changes: true,
        revoked: None,
        asked_at: Timestamp::UNIX_EPOCH,
        granted_at: Timestamp::UNIX_EPOCH,
        renewed_at: Timestamp::UNIX_EPOCH,
        activity: None,
        identity: Identity::default(),
    }
}

fn seen(position: usize, session: &str, phase: &str) -> Seen {
    let activity = Some(Activity::new(phase, Timestamp::UNIX_EPOCH));
    Seen { position, holders: vec![Holder { activity, ..holder(session) }], ahead: Vec::new() }
}

fn past() -> Past {
    let ending = Ending::new(Outcome::Released, Some(0));
    let ended = Timestamp::from_second(60).unwrap();
    let run = PastRun::of(&holder("old"), &ending, Teller::Run, ended).unwrap();
    Past::of(&[run.clone(), run.clone(), run])
}

/// The instants, in milliseconds, at which something is told until `end`, each with `!` where it is news.
fn told(telling: &mut Telling, end: u64) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(due) = telling.due().filter(|due| *due <= now(end).mono) {
        let millis = due.since(now(0).mono).as_millis();
        let word = telling.tell(now(u64::try_from(millis).unwrap())).unwrap();
        told.push(format!("{millis}{}", if word.news { "!" } else { "" }));
    }
    told
}

#[test]
fn the_first_word_comes_with_the_estimate_and_then_one_every_30_s() {
    let mut telling = Telling::new(Mode::Exclusive);
    assert_eq!(telling.due(), None);
    assert!(telling.sees(seen(1, "a", "plan"), now(1000).mono), "the history is read once");
    assert_eq!(telling.tell(now(1000)), None);
    telling.learns(Some(past()), now(1020).mono);
    let word = telling.tell(now(1020)).unwrap();
    assert_eq!((word.seen.position, word.news, word.estimate.unwrap().runs), (1, true, 3));
    assert_eq!(told(&mut telling, 95_000), ["31020!", "61020!", "91020!"]);
    assert!(!telling.sees(seen(1, "b", "plan"), now(95_000).mono));
    assert_eq!(told(&mut telling, 126_000), ["95000!", "125000!"]);
}

#[test]
fn a_history_that_does_not_come_delays_nothing() {
    let mut telling = Telling::new(Mode::Exclusive);
    let _ = telling.sees(seen(2, "a", "plan"), now(0).mono);
    let _ = telling.sees(seen(1, "b", "plan"), now(100).mono);
    assert_eq!(told(&mut telling, 1000), ["300!"], "one line, of what is so by then");
    telling.learns(None, now(2000).mono);
    assert_eq!(told(&mut telling, 31_000), ["30300!"]);
}

#[test]
fn an_estimate_that_comes_late_is_told() {
    let mut telling = Telling::new(Mode::Exclusive);
    let _ = telling.sees(seen(1, "a", "plan"), now(0).mono);
    assert_eq!(told(&mut telling, 1000), ["300!"]);
    telling.learns(Some(past()), now(2000).mono);
    assert!(telling.tell(now(2000)).unwrap().estimate.is_some());
    assert_eq!(told(&mut telling, 33_000), ["32000!"]);
}

#[test]
fn place_and_holder_are_news_and_a_phase_is_not() {
    let mut telling = Telling::new(Mode::Exclusive);
    let _ = telling.sees(seen(2, "a", "plan"), now(0).mono);
    telling.learns(None, now(0).mono);
    assert_eq!(told(&mut telling, 0), ["0!"]);
    let _ = telling.sees(seen(2, "a", "apply"), now(10_000).mono);
    assert_eq!(told(&mut telling, 29_000), ["10000"]);
    // What is no news does not put off the next line.
    assert_eq!(told(&mut telling, 30_000), ["30000!"]);
    let _ = telling.sees(seen(1, "a", "apply"), now(40_000).mono);
    let _ = telling.sees(seen(1, "b", "apply"), now(40_000).mono);
    assert_eq!(told(&mut telling, 60_000), ["40000!"]);
}

#[test]
fn who_only_observes_gets_no_estimate() {
    let mut telling = Telling::new(Mode::Exclusive);
    let _ = telling.sees(seen(0, "a", "plan"), now(0).mono);
    telling.learns(Some(past()), now(0).mono);
    assert_eq!(telling.tell(now(0)).unwrap().estimate, None);
}
