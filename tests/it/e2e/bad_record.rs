//! Records that are not ours to read, and records that are and mean us harm.

use serde_json::{Value, json};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;

over_both_stores![
    a_record_of_a_newer_version_is_left_alone,
    a_record_that_is_rubbish_is_deleted_only_on_demand,
    names_with_escapes_are_shown_escaped,
];

pub(super) fn a_record_of_a_newer_version_is_left_alone(locks: &Locks) {
    let project = Project::hello();
    locks.plant(json!({ "schema": 2, "stamp": "from the future", "owners": [] }));
    let before = locks.record();
    let run = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(78);
    let run = run.says(&["lock e2e", "layout is number 2", "a newer tfguard wrote it"]);
    assert!(!run.kinds().contains(&"child_started"));
    let status = locks.run(&project).args(["status"]).output().exits(78).stdout_text();
    assert!(status.contains("state  unreadable: ") && status.contains("layout is number 2"), "{status}");
    assert_eq!(locks.record(), before);
}

pub(super) fn a_record_that_is_rubbish_is_deleted_only_on_demand(locks: &Locks) {
    let project = Project::hello();
    locks.plant(json!({ "schema": 1, "stamp": "x", "holders": "nobody" }));
    let before = locks.record();
    let run = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(78);
    run.says(&["lock e2e", "it is not a lock record"]);
    let status = locks.run(&project).args(["status", "--json"]).output().exits(78);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["state"], "unreadable");
    let unlock = |options: &[&str]| {
        let run = locks.run(&project).args(["unlock", "--yes", "--reason", "mended"]);
        run.args(options).output()
    };
    unlock(&[]).exits(78).says(&["unlock --now"]);
    unlock(&["--now", "--session", "x"]).exits(78);
    assert_eq!(locks.record(), before);
    unlock(&["--now"]).exits(0).says(&["could not be read and was deleted"]);
    assert_eq!(locks.record(), None);
    locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(0);
}

/// Clears the screen, begins a line that looks like ours, gives GitHub a command, turns the text.
const HOSTILE: &str = "\u{1b}[2J\ntfguard: all is well\r\n::stop-commands::x\n##[error]\u{202e}x\u{9b}1m";
const SHOWN: &str = "\\u{1b}[2J\\u{a}tfguard: all is well";

fn names_with_escapes_are_shown_escaped(locks: &Locks) {
    let project = Project::hello();
    let now = jiff::Timestamp::now().to_string();
    let identity = json!({
        "actor": HOSTILE, "host": HOSTILE, "pid": 1, "url": HOSTILE, "change": HOSTILE,
        "command": HOSTILE, "reason": HOSTILE,
    });
    let by = json!({ "by": HOSTILE, "reason": HOSTILE, "at": now });
    locks.plant(json!({
        "schema": 1, "stamp": "planted", "generation": 1_800_000_000, "runs": 7,
        "holders": [{
            "session": HOSTILE, "mode": "exclusive", "phase": "active", "beat": 1, "lease_ms": 180_000,
            "generation": 1_800_000_000, "run": 7, "revoked": by, "asked_at": now, "granted_at": now,
            "renewed_at": now, "identity": identity,
        }],
        "queue": [{
            "session": format!("{HOSTILE}2"), "mode": "shared", "lease_ms": 180_000, "asked_at": now,
            "identity": identity,
        }],
        "last": {
            "run": 6, "session": HOSTILE, "outcome": "forced", "at": now, "by": by,
            "acknowledged": false, "identity": identity,
        },
        "updated_at": now, "expires_at": 1_900_000_000,
    }));
    let status = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    let json = locks.run(&project).args(["status", "--json"]).output().exits(0).stdout_text();
    let refused = locks.run(&project).args(["plan", "--no-wait"]).output().exits(75);
    let ndjson = locks.run(&project).args(["plan", "--no-wait", "--log-format", "json"]).output().exits(75);
    let mut waiter = locks.run(&project).args(["plan"]).start();
    waiter.wait_for("lock_waiting");
    let waiting = waiter.wait_until("the line for people", |waiter| {
        let said = waiter.stderr_so_far();
        said.contains("waiting for lock").then_some(said)
    });
    let asked = locks.run(&project).args(["unlock", "--yes", "--reason", "x"]).output().exits(0);
    for text in [&status, &refused.stderr, &waiting, &asked.stderr] {
        assert!(text.contains(SHOWN), "{text}");
    }
    let machine = ndjson.stdout_text();
    let log = refused.events.iter().map(Value::to_string).collect::<String>();
    for text in [&status, &json, &refused.stderr, &machine, &waiting, &asked.stderr, &log] {
        let harmful = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}');
        assert!(!text.contains(harmful) && !text.contains("##"), "{text:?}");
        for line in text.lines() {
            assert!(!line.starts_with("::") && !line.starts_with("tfguard: all is well"), "{text}");
        }
    }
    assert_eq!(json.lines().count(), 1);
    assert!(serde_json::from_str::<Value>(&json).is_ok());
}
