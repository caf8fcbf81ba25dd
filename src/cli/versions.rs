//! What `state versions` shows. Nothing of a state's content is in it; what comes from the bucket
//! is escaped.

use jiff::Timestamp;
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style;

use crate::escape;
use crate::lease::{Outcome, PastRun};
use crate::report::json as ndjson;
use crate::report::parts::{self, Stamp, Who};
use crate::versions::{Content, Version};

/// Seconds by which the times of a list may be off: S3 cuts them to whole seconds, and its clock is
/// not that of the machines that wrote the history.
const CLOCKS: i64 = 2;

/// The versions as they were found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Where the state is.
    pub state: &'a str,
    /// The newest first.
    pub versions: &'a [Version],
    /// Runs of the lock, the newest first, as far as they are known.
    pub runs: &'a [PastRun],
}

/// The run during which something was written in the second that begins at `at`, as far as clocks
/// tell. Of several the newest that may have changed the state.
pub fn writer(runs: &[PastRun], at: Timestamp) -> Option<&PastRun> {
    let slack = jiff::SignedDuration::from_secs(CLOCKS);
    let during = |run: &&PastRun| {
        run.granted_at.saturating_sub(slack).is_ok_and(|from| from <= at)
            && run.ended_at.saturating_add(slack).is_ok_and(|to| at <= to)
    };
    let next = at.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(at);
    let within = |run: &&PastRun| run.granted_at < next && at <= run.ended_at;
    runs.iter()
        .filter(|run| run.changed)
        .find(within)
        .or_else(|| runs.iter().filter(|run| run.changed).find(during))
}

const HEAD: [&str; 9] =
    ["VERSION", "WRITTEN", "SERIAL", "SIZE", "LINEAGE", "TERRAFORM", "RUN", "WHO", "COMMAND"];

/// For people: a table. Nothing where there are no versions.
pub fn text(view: View<'_>) -> String {
    if view.versions.is_empty() {
        return String::new();
    }
    let mut table = Builder::default();
    table.push_record(HEAD);
    for version in view.versions {
        table.push_record(cells(version, writer(view.runs, version.at)));
    }
    let mut table = table.build();
    let mut shown = String::new();
    for line in table.with(Style::empty()).to_string().lines() {
        shown.push_str(line.trim());
        shown.push('\n');
    }
    shown
}

fn cells(version: &Version, run: Option<&PastRun>) -> [String; 9] {
    let text = |text: Option<&str>| text.map(|text| escape::field(text).into_owned()).unwrap_or_default();
    let head = version.head();
    let now = if version.current { " (current)" } else { "" };
    let serial = match &version.content {
        Content::State(head) => head.serial.map(|serial| serial.to_string()).unwrap_or_default(),
        Content::Deleted => "deleted".to_owned(),
        Content::Empty => "empty".to_owned(),
        Content::Spoilt => "not a state".to_owned(),
        Content::Unread(why) => format!("not read: {}", escape::field(why)),
    };
    [
        text(Some(&version.id)),
        version.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        serial + now,
        version.size.map(|size| size.to_string()).unwrap_or_default(),
        text(version.lineage()),
        text(head.and_then(|head| head.terraform_version.as_deref())),
        run.map(|run| run.run.to_string()).unwrap_or_default(),
        text(run.and_then(|run| run.identity.actor.as_deref())),
        text(run.and_then(|run| run.identity.command.as_deref())),
    ]
}

/// The earlier versions of a state object.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// Where the state is: `s3://BUCKET/KEY`.
    state: &'a str,
    /// Its versions, the newest first.
    versions: Vec<Entry>,
}

/// One version.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entry {
    /// Its ID in the bucket.
    version: String,
    /// It is the one that Terraform reads.
    current: bool,
    /// When it was written. The bucket cuts this to whole seconds.
    written_at: Stamp,
    /// Its size in bytes.
    size: Option<u64>,
    /// What it holds.
    content: Kind,
    /// Why it could not be read; only with `content` `not_read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    error: Option<String>,
    /// The state's serial number.
    serial: Option<u64>,
    /// The state's lineage.
    lineage: Option<String>,
    /// The Terraform that wrote it.
    terraform_version: Option<String>,
    /// The run that held the lock when it was written, as far as clocks and the history tell.
    run: Option<Writer>,
}

/// What a version holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A state.
    State,
    /// Nothing: the object was deleted.
    Deleted,
    /// Nothing at all: no bytes.
    Empty,
    /// Something that is no state.
    NotAState,
    /// Unknown: it could not be read.
    NotRead,
}

/// The run that wrote a version.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Writer {
    /// Its number under the lock.
    run: u64,
    /// How it ended.
    outcome: Outcome,
    /// Who it was.
    identity: Who,
}

/// One JSON document on one line, with its newline. Its fields are described in [`Document`].
pub fn json(view: View<'_>) -> Vec<u8> {
    let entries = view.versions.iter().map(|version| Entry::new(version, writer(view.runs, version.at)));
    ndjson::document(&Document { state: view.state, versions: entries.collect() })
}

impl Entry {
    fn new(version: &Version, run: Option<&PastRun>) -> Self {
        let (content, error) = match &version.content {
            Content::State(_) => (Kind::State, None),
            Content::Deleted => (Kind::Deleted, None),
            Content::Empty => (Kind::Empty, None),
            Content::Spoilt => (Kind::NotAState, None),
            Content::Unread(why) => (Kind::NotRead, parts::field(Some(why))),
        };
        let head = version.head();
        Self {
            version: escape::field(&version.id).into_owned(),
            current: version.current,
            written_at: Stamp(version.at),
            size: version.size,
            content,
            error,
            serial: version.serial(),
            lineage: parts::field(version.lineage()),
            terraform_version: parts::field(head.and_then(|head| head.terraform_version.as_deref())),
            run: run.map(|run| Writer {
                run: run.run,
                outcome: run.outcome,
                identity: Who::from(&run.identity),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::lease::transition::Ending;
    use crate::lease::{Holder, Mode, Outcome, Phase, Teller};
    use crate::report::testing::{alice, at, mallory};
    use crate::versions::Head;

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
            text(view),
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
        assert_eq!(text(View { versions: &[], ..view }), "");
    }

    #[test]
    fn a_hostile_version_cannot_add_a_line() {
        let evil = mallory().actor.unwrap();
        let versions = [version(&evil, 1, state(&evil)), version("c", 1, Content::Unread(evil.clone()))];
        let view = View { state: "s3://b/k", versions: &versions, runs: &[] };
        assert_eq!(text(view).lines().count(), 3);
        assert!(!text(view).contains(|c| c != '\n' && escape::is_unsafe(c)));
        assert!(!String::from_utf8(json(view)).unwrap().trim_end().contains(escape::is_unsafe));
    }
}
