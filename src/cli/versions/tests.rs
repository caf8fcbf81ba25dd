use serde_json::Value;

use super::*;
use crate::escape;
use crate::lease::transition::Ending;
use crate::lease::{Holder, Mode, Outcome, Phase, Teller};
use crate::report::Look;
use crate::report::testing::{alice, at, at_every_look, mallory};
use crate::versions::{Content, Head};

fn run(number: u64, from: i64, to: i64, changed: bool) -> PastRun {
    let holder = Holder {
        session: "s".into(),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 1,
        lease_ms: 180_000,
        generation: 1,
        run: Some(number),
        changes: changed,
        revoked: None,
        asked_at: at(from),
        granted_at: at(from),
        renewed_at: at(from),
        activity: None,
        identity: alice(),
    };
    let ending = Ending { changed, ..Ending::new(Outcome::Released, Some(0)) };
    PastRun::of(&holder, &ending, Teller::Run, at(to)).unwrap()
}

fn version(id: &str, second: i64, content: Content) -> Version {
    Version { id: id.into(), current: id == "c", at: at(second), size: Some(788), content }
}

fn state(text: &str) -> Content {
    Content::State(Head {
        serial: Some(7),
        lineage: Some(text.into()),
        terraform_version: Some("1.11.4".into()),
    })
}

#[test]
fn who_wrote_is_told_by_the_times() {
    let runs =
        [run(4, 300, 400, true), run(3, 210, 290, false), run(2, 100, 200, true), run(1, 96, 98, true)];
    let wrote = |second| writer(&runs, at(second)).map(|run| run.run);
    assert_eq!(
        [350, 250, 150, 97, 201, 50, 100].map(wrote),
        [Some(4), None, Some(2), Some(1), Some(2), None, Some(2)]
    );
}

#[test]
fn versions_for_people_and_for_programs() {
    let versions = [
        version("c", 150, Content::Spoilt),
        version("b", 120, state("a-b")),
        version("a", 90, Content::Deleted),
    ];
    let runs = [run(2, 100, 200, true)];
    let view = View { state: "s3://b/k", versions: &versions, runs: &runs };
    assert_eq!(
        text(view, Look::PLAIN),
        "\
VERSION  WRITTEN               SERIAL                 SIZE  LINEAGE  TERRAFORM  RUN  WHO    COMMAND
c        1970-01-01 00:02:30Z  not a state (current)  788                       2    alice  terraform apply
b        1970-01-01 00:02:00Z  7                      788   a-b      1.11.4     2    alice  terraform apply
a        1970-01-01 00:01:30Z  deleted                788
"
    );
    let document: Value = serde_json::from_slice(&json(view)).unwrap();
    assert_eq!(document["versions"][0]["content"], "not_a_state");
    assert_eq!(document["versions"][1]["serial"], 7);
    assert_eq!(document["versions"][1]["run"]["run"], 2);
    assert_eq!(document["versions"][2]["run"], Value::Null);
    assert_eq!(text(View { versions: &[], ..view }, Look::PLAIN), "");
}

#[test]
fn a_hostile_version_cannot_add_a_line() {
    let evil = mallory().actor.unwrap();
    let versions = [version(&evil, 1, state(&evil)), version("c", 1, Content::Unread(evil.clone()))];
    let view = View { state: "s3://b/k", versions: &versions, runs: &[] };
    assert_eq!(text(view, Look::PLAIN).lines().count(), 3);
    assert!(!text(view, Look::PLAIN).contains(|c| c != '\n' && escape::is_unsafe(c)));
    assert!(!String::from_utf8(json(view)).unwrap().trim_end().contains(escape::is_unsafe));
}

#[test]
fn versions_at_every_look() {
    // As AWS makes them, and as long as S3 lets them be made.
    let ids = [
        "kPbuMTFAL2yQvtqEnLMGhEKTsmJdDOWK",
        "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo",
    ];
    for (name, id) in ["usual", "long"].into_iter().zip(ids) {
        let versions = [
            version("c", 150, state("6f0b7a6e-2f53-8d0c-7a1c-6a2f0d5f2b11")),
            version("b", 120, Content::Unread("access denied".into())),
            version(id, 110, state("6f0b7a6e-2f53-8d0c-7a1c-6a2f0d5f2b11")),
            version("a", 90, Content::Deleted),
        ];
        let runs = [run(2, 100, 200, true)];
        let view = View { state: "s3://b/k", versions: &versions, runs: &runs };
        insta::assert_snapshot!(name, at_every_look(|look| text(view, look)));
        for width in [60, 80, 100, 130, 160, 220] {
            let shown = text(view, Look { colour: false, width: Some(width) });
            let rows = shown.lines().filter(|line| !line.starts_with(' '));
            assert!(rows.clone().all(|row| row.len() <= width), "{width} columns:\n{shown}");
        }
    }
}
