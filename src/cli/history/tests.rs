use serde_json::{Value, json as value};

use super::*;
use crate::lease::Identity;
use crate::lease::transition::Ending;
use crate::lease::{Counts, Holder, Intervention, Mode, Outcome, PastRun, Phase, RecordError, Teller};
use crate::report::testing::{alice, at, at_every_look, mallory, prod};

fn holder(run: u64, identity: Identity) -> Holder {
    Holder {
        session: identity.actor.clone().unwrap_or_default(),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 3,
        lease_ms: 180_000,
        generation: 100,
        run: Some(run),
        changes: true,
        revoked: None,
        asked_at: at(95),
        granted_at: at(100),
        renewed_at: at(190),
        activity: None,
        identity,
    }
}

fn past(run: u64, identity: Identity, outcome: Outcome, code: Option<i32>) -> PastRun {
    let ending = Ending { changed: true, ..Ending::new(outcome, code) };
    PastRun::of(&holder(run, identity), &ending, Teller::Run, at(172)).unwrap()
}

fn rows(identity: &Identity) -> Vec<Row> {
    let who = || identity.clone();
    let text = identity.actor.clone().unwrap();
    let by = Intervention { by: text.clone(), reason: text.clone(), at: at(150) };
    let counts = Some(Counts { add: 1, change: 2, destroy: 3, import: 0 });
    vec![
        Row::Running(holder(9, who())),
        Row::Unreadable(8, RecordError::Rubbish(text.clone())),
        Row::Over(past(7, who(), Outcome::Forced, None).with_operator(&by)),
        Row::Over(PastRun { rescued: Some(text.clone()), ..past(6, who(), Outcome::Crashed, Some(1)) }),
        Row::Over(PastRun { counts, ..past(5, who(), Outcome::Released, Some(0)).with_result("succeeded") }),
    ]
}

fn view<'a>(lock: &'a LockName, rows: &'a [Row]) -> View<'a> {
    View { lock, store: "folder /x", total: 9, rows, now: at(200) }
}

#[test]
fn a_history_for_people() {
    let (lock, rows) = (prod(), rows(&alice()));
    assert_eq!(
        text(view(&lock, &rows), Look::PLAIN),
        "\
RUN  STARTED               WHO    COMMAND          WAITED  HELD        OUTCOME                  CHANGES   LINK
9    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 40 s  running                            https://ci/1
8                                                                      unreadable                         it is not a lock record: alice
7    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  forced, by alice         ?         https://ci/1
6    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  crashed (1), state kept  ?         https://ci/1
5    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  succeeded                +1 ~2 -3  https://ci/1
"
    );
    assert_eq!(text(view(&lock, &[]), Look::PLAIN), "");
}

#[test]
fn a_history_at_every_look() {
    let (lock, mut rows) = (prod(), rows(&alice()));
    let url = Some("https://github.com/acme/infra/actions/runs/4711/attempts/1".to_owned());
    let command = Some("terraform apply -input=false -auto-approve -target=module.network".to_owned());
    let long = Identity { url, command, ..alice() };
    rows.push(Row::Over(past(4, long, Outcome::Released, Some(0)).with_result("succeeded")));
    let view = view(&lock, &rows);
    insta::assert_snapshot!(at_every_look(|look| text(view, look)));
    // However little room there is, no row is wider but by what stands below it.
    for width in [60, 70, 90, 150, 200] {
        let shown = text(view, Look { colour: false, width: Some(width) });
        let rows = shown.lines().filter(|line| !line.starts_with(' '));
        assert!(rows.clone().all(|row| row.chars().count() <= width.max(69)), "{width}\n{shown}");
    }
}

#[test]
fn a_history_for_programs() {
    let (lock, rows) = (prod(), rows(&alice()));
    let document: Value = serde_json::from_slice(&json(&[view(&lock, &rows)])).unwrap();
    assert_eq!(document["total"], 9);
    let states: Vec<_> = document["runs"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["running", "unreadable", "over", "over", "over"]);
    let newest = &document["runs"][4];
    assert_eq!(newest["counts"], value!({"add": 1, "change": 2, "destroy": 3, "import": 0}));
    assert_eq!(newest["outcome"], "released");
    assert_eq!(newest["held_ms"], 72_000);
    assert_eq!(newest["granted_at"], "1970-01-01T00:01:40.000000Z");
    assert_eq!(newest["by"], Value::Null);
    assert_eq!(document["runs"][2]["by"]["by"], "alice");
    // Whoever reads one kind of run by its fields may read the other.
    let fields = |index: usize| -> Vec<String> {
        document["runs"][index].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(fields(0), fields(4));
}

#[test]
fn a_hostile_history_cannot_add_a_line_or_leave_its_string() {
    let lock = LockName::new("a\u{202e}b").unwrap();
    let rows = rows(&mallory());
    let shown = text(view(&lock, &rows), Look::PLAIN);
    assert_eq!(shown.lines().count(), 6, "{shown}");
    let bytes = json(&[view(&lock, &rows)]);
    for text in [shown.as_str(), std::str::from_utf8(&bytes).unwrap()] {
        assert!(!text.contains(|c| c != '\n' && escape::is_unsafe(c)), "{text:?}");
    }
}
