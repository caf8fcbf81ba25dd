use super::*;
use crate::escape;
use crate::lease::Activity;
use crate::report::testing::{at, at_every_look, every_event, hostile};

/// The example of a wait, told at this second.
fn waiting(position: usize, session: &str) -> Event {
    match every_event().into_iter().find(|event| event.kind() == "lock_waiting") {
        Some(Event::LockWaiting { lock, session: ours, holders, waited, estimate, news, .. }) => {
            let holders = holders
                .into_iter()
                .map(|party| Party {
                    session: session.into(),
                    activity: Some(Activity { phase: "apply".into(), since: 90 }),
                    ..party
                })
                .collect();
            Event::LockWaiting { lock, session: ours, position, holders, waited, estimate, news }
        }
        _ => unreachable!("the example is of a wait"),
    }
}

fn shown(live: &mut Live, second: i64, look: Look) -> String {
    let drawn = live.drawn(at(second), look);
    drawn.strip_prefix('\r').and_then(|rest| rest.strip_suffix("\u{1b}[J\r")).unwrap().to_owned()
}

#[test]
fn the_line_at_every_look() {
    insta::assert_snapshot!(at_every_look(|look| {
        let mut live = Live::default();
        live.takes(&waiting(2, "s1"), at(150));
        [150, 155, 400].map(|second| shown(&mut live, second, look) + "\n").concat()
    }));
}

#[test]
fn a_line_of_its_own_is_for_a_new_holder() {
    let mut live = Live::default();
    assert!(live.takes(&waiting(3, "a"), at(150)));
    assert!(!live.takes(&waiting(2, "a"), at(151)), "the place moves in the line");
    assert!(live.takes(&waiting(2, "b"), at(152)));
    assert!(live.takes(&Event::say(Level::Warn, "odd"), at(153)));
    assert!(live.moves(), "a warning ends no wait");
}

#[test]
fn it_is_erased_once_and_ends_with_the_wait() {
    for event in every_event().iter().filter(|event| {
        matches!(event.kind(), "lock_acquired" | "signal" | "run_summary")
            || matches!(event, Event::Diagnostic { level: Level::Error, .. })
    }) {
        let mut live = Live::default();
        live.takes(&waiting(1, "a"), at(150));
        assert_eq!(live.erased(), "", "nothing is drawn yet");
        let _ = live.drawn(at(150), Look::PLAIN);
        assert!(live.takes(event, at(151)));
        assert_eq!(live.erased(), ERASE);
        assert_eq!(live.erased(), "");
        assert!(!live.moves());
        assert_eq!(live.drawn(at(152), Look::PLAIN), "");
    }
}

#[test]
fn a_hostile_record_cannot_leave_the_line() {
    for event in hostile().iter().filter(|event| event.kind() == "lock_waiting") {
        let mut live = Live::default();
        live.takes(event, at(150));
        let line = shown(&mut live, 150, Look { colour: false, width: Some(300) });
        assert!(!line.contains(escape::is_unsafe) && !line.contains("##"), "{line:?}");
        assert!(wrap::columns(&line) < 300);
    }
}
