use std::time::Duration;

use super::*;
use crate::escape;
use crate::lease::{Mode, Outcome};
use crate::report::testing::{alice, at, at_every_look, every_event, hostile, last, prod};

fn shown(event: &Event) -> String {
    lines(event, at(150), Look::PLAIN)
}

#[test]
fn each_event_as_people_read_it() {
    let all = |look| every_event().iter().map(|event| lines(event, at(150), look)).collect::<String>();
    insta::assert_snapshot!(at_every_look(|look| all(look).replace(env!("CARGO_PKG_VERSION"), "VERSION")));
}

#[test]
fn no_line_is_wider_than_the_terminal_unless_it_has_to_be() {
    for event in every_event().iter().chain(&hostile()) {
        for line in lines(event, at(150), Look { colour: false, width: Some(80) }).lines() {
            let held_together = line.contains('`') || line.contains("/srv/") || line.contains("\\u{");
            assert!(line.chars().count() <= 80 || held_together, "{line}");
        }
    }
}

#[test]
fn variants_of_waiting_and_getting() {
    let acquired = |mode, inherited, waited| Event::LockAcquired {
        lock: prod(),
        session: "s".into(),
        store: "files in /x".into(),
        generation: 3,
        waited: Duration::from_secs(waited),
        mode,
        inherited,
    };
    assert_eq!(
        shown(&acquired(Mode::Shared, false, 72)),
        "tfguard: lock prod, shared, acquired after 1 min 12 s (files in /x, generation 3)\n"
    );
    assert_eq!(
        shown(&acquired(Mode::Exclusive, true, 0)),
        "tfguard: running under lock prod of the tfguard that started this one (generation 3)\n"
    );
    let observing = Event::LockWaiting {
        lock: prod(),
        session: "s".into(),
        position: 0,
        holders: Vec::new(),
        waited: Duration::ZERO,
        estimate: None,
        news: true,
    };
    assert_eq!(shown(&observing), "tfguard: lock prod looks abandoned, watching it\n");
}

#[test]
fn an_operators_hand_is_named() {
    let forced = shown(&Event::PreviousRun { lock: prod(), last: last(Outcome::Forced, alice()) });
    assert!(
        forced.contains("was removed by alice (\"alice\") while it held the lock, 2 min ago"),
        "{forced}"
    );
    let expired = shown(&Event::PreviousRun { lock: prod(), last: last(Outcome::Expired, alice()) });
    assert!(expired.contains("stopped giving signs of life"), "{expired}");
}

#[test]
fn a_hostile_record_cannot_make_a_line_of_its_own() {
    for event in hostile() {
        let shown = shown(&event);
        assert!(shown.ends_with('\n'));
        for line in shown.lines() {
            assert!(line.starts_with(PREFIX), "{line:?}");
            assert!(!line.contains(escape::is_unsafe), "{line:?}");
            assert!(!line.contains("##"), "{line:?}");
        }
    }
}

#[test]
fn colour_is_for_the_mark_alone() {
    let coloured = Look { colour: true, width: None };
    let event = Event::say(Level::Warn, "mind the gap");
    assert_eq!(
        lines(&event, at(0), coloured),
        "tfguard: \u{1b}[1m\u{1b}[33mwarning:\u{1b}[0m mind the gap\n"
    );
    let info = Event::say(Level::Info, "fine");
    assert_eq!(lines(&info, at(0), coloured), "tfguard: fine\n");
}

#[test]
fn an_error_of_several_lines_is_ours_on_each() {
    let error = crate::error::Error::Usage("wrong\n\nUsage: tfguard".into());
    assert_eq!(
        error_lines(&error, Look::PLAIN),
        "tfguard: error: wrong\ntfguard: \ntfguard: Usage: tfguard\n"
    );
}
