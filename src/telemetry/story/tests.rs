//! What is made of events, without an SDK.

use super::*;
use crate::lease::LockName;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn lock(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

fn begun(locks: &[&str]) -> Story {
    let (mut story, _) = Story::begin("apply", at(0), Vec::new());
    let locks = locks.iter().map(|name| lock(name)).collect();
    story.hear(&Event::RunStarted { session: "s".into(), pid: 1, locks, command: "c".into() }, at(1));
    story
}

fn acquired(name: &str, inherited: bool) -> Event {
    Event::LockAcquired {
        lock: lock(name),
        session: "s".into(),
        store: "folder x".into(),
        generation: 1,
        waited: Duration::ZERO,
        mode: Mode::Exclusive,
        inherited,
    }
}

fn summary(outcome: RunOutcome, exit_code: u8) -> Event {
    let (session, locks, waited) = (None, Vec::new(), Duration::ZERO);
    Event::RunSummary { session, locks, outcome, exit_code, waited, held: None, changes: None }
}

fn ended(steps: &[Step]) -> Vec<(Key, Option<&str>)> {
    let ends = steps.iter().filter_map(|step| match step {
        Step::End { key, failed, .. } => Some((key.clone(), failed.as_deref())),
        _ => None,
    });
    ends.collect()
}

fn measured(steps: &[Step]) -> Vec<(&'static str, Option<f64>)> {
    let all = steps.iter().filter_map(|step| match step {
        Step::Measure { instrument, seconds, .. } => Some((*instrument, *seconds)),
        _ => None,
    });
    all.collect()
}

#[test]
fn a_lock_that_is_an_ancestors_is_neither_waited_for_nor_held() {
    let mut story = begun(&["a", "b"]);
    let steps = story.hear(&acquired("a", true), at(2));
    assert_eq!(ended(&steps), [(Key::Wait("a".into()), None)]);
    assert_eq!(measured(&steps), []);
    assert!(matches!(&steps[1], Step::Start { key: Key::Wait(next), .. } if next == "b"), "{steps:?}");
    let steps = story.hear(&acquired("b", false), at(5));
    assert_eq!(measured(&steps), [(words::WAIT, Some(3.0))]);
}

#[test]
fn whatever_is_open_ends_with_the_run_and_says_why() {
    let mut story = begun(&["a", "b"]);
    story.hear(&acquired("a", false), at(2));
    story.hear(&Event::LockLost { lock: lock("a"), cause: "revoked".into() }, at(3));
    let steps = story.hear(&summary(RunOutcome::Lost, 76), at(4));
    assert_eq!(
        ended(&steps),
        [
            (Key::Wait("b".into()), Some("lock a: revoked")),
            (Key::Hold("a".into()), Some("the lock was not released by this run")),
            (Key::Run, Some("lock a: revoked")),
        ]
    );
    assert_eq!(measured(&steps), [(words::WAIT, Some(2.0)), (words::RUNS, None)]);
}

#[test]
fn a_command_that_was_never_started_ends_too() {
    let mut story = begun(&["a"]);
    story.hear(&acquired("a", false), at(2));
    assert!(matches!(story.before_command(at(3)), Some(Step::Start { key: Key::Command, .. })));
    assert_eq!(story.before_command(at(3)), None);
    let steps = story.hear(&summary(RunOutcome::Failed, 127), at(4));
    assert!(ended(&steps).contains(&(Key::Command, Some("failed"))), "{steps:?}");
}

#[test]
fn outcomes_that_are_no_failures_are_no_errors() {
    for (outcome, is_error) in [
        (RunOutcome::Succeeded, false),
        (RunOutcome::NoChanges, false),
        (RunOutcome::Drift, false),
        (RunOutcome::Declined, false),
        (RunOutcome::Failed, true),
        (RunOutcome::Cancelled, true),
        (RunOutcome::NotAcquired, true),
        (RunOutcome::Refused, true),
    ] {
        let steps = begun(&[]).hear(&summary(outcome, 0), at(2));
        assert_eq!(ended(&steps)[0].1.is_some(), is_error, "{outcome:?}");
    }
}

#[test]
fn a_clock_that_was_set_back_measures_nothing() {
    let mut story = begun(&["a"]);
    assert_eq!(measured(&story.hear(&acquired("a", false), at(-100))), [(words::WAIT, Some(0.0))]);
}

#[test]
fn names_are_those_that_many_runs_share() {
    let name = |line: &str| command_name(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(name("terraform apply -auto-approve"), "terraform apply");
    assert_eq!(name("/opt/bin/tofu -chdir=x plan"), "tofu plan");
    assert_eq!(name("/srv/build-4711/deploy.sh prod"), "deploy.sh");
}
