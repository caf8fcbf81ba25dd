//! What earlier runs left in the lock's record.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::support::dynamo::{Engine, Shape};
use super::super::support::project::Project;
use super::{Diagnosis, at};

/// The record as it is stored, from JSON.
fn item(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(bool) => json!({ "BOOL": bool }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(list) => json!({ "L": list.iter().map(item).collect::<Vec<_>>() }),
        Value::Object(map) => {
            json!({ "M": map.iter().map(|(name, value)| (name.clone(), item(value))).collect::<serde_json::Map<_, _>>() })
        }
    }
}

fn found(change: Value) -> Diagnosis {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let now = Timestamp::now();
    let mut record = json!({
        "LockID": "tfguard:prod", "schema": 1, "stamp": "s/1/1", "generation": 1_800_000_000, "holders": [],
        "queue": [], "runs": 7, "updated_at": now, "expires_at": now.as_second() + 1000,
    });
    for (name, value) in change.as_object().unwrap() {
        record[name] = value.clone();
    }
    engine.put("locks", &item(&record)["M"]);
    let before = engine.scan("locks");
    let diagnosis = Diagnosis::of(at(&Project::hello(), &engine.endpoint));
    assert_eq!(engine.scan("locks"), before);
    diagnosis
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

fn holder(silent_for: i64) -> Value {
    json!([{ "session": "s1", "mode": "exclusive", "phase": "active", "beat": 3, "lease_ms": 10_000,
        "generation": 1_800_000_000, "run": 7, "asked_at": ago(9000), "granted_at": ago(9000),
        "renewed_at": ago(silent_for), "identity": { "actor": "eve\u{1b}[2J", "host": "ci-1" } }])
}

#[test]
fn a_record_that_cannot_be_read() {
    for change in [json!({ "schema": 99 }), json!({ "holders": "x" })] {
        let text = found(change).fails().is("lock-record", "error");
        assert!(text.contains("tfguard unlock --lock prod --table locks"), "{text}");
    }
}

#[test]
fn a_holder_that_lives_and_one_that_looks_dead() {
    let text = found(json!({ "holders": holder(1) })).works().is("lock-holder", "info");
    assert!(text.contains("eve\\u{1b}[2J on ci-1"), "{text}");
    let text = found(json!({ "holders": holder(600) })).works().is("lock-holder", "warning");
    assert!(text.contains("for 10 min") && text.contains("--session s1"), "{text}");
}

#[test]
fn a_held_record_whose_time_is_over() {
    let past = Timestamp::now().as_second() - 60;
    found(json!({ "holders": holder(600), "expires_at": past })).works().is("lock-ttl", "warning");
    found(json!({ "expires_at": past })).works().is("lock-ttl", "info");
}

#[test]
fn a_state_that_waits_to_be_pushed() {
    let rescued =
        json!([{ "run": 6, "session": "s0", "path": "/r/a b.tfstate", "at": ago(60), "identity": {} }]);
    let text = found(json!({ "needs_recovery": rescued })).works().is("lock-recovery", "warning");
    assert!(text.contains("terraform state push '/r/a b.tfstate'") && text.contains("--recovered"), "{text}");
}

#[test]
fn a_run_that_did_not_end_well() {
    for (outcome, acknowledged, severity) in [
        ("crashed", false, "warning"),
        ("expired", false, "warning"),
        ("crashed", true, "info"),
        ("released", true, "ok"),
    ] {
        let last = json!({ "run": 6, "session": "s0", "outcome": outcome, "at": ago(60),
            "acknowledged": acknowledged, "identity": { "actor": "ci" } });
        found(json!({ "last": last })).works().is("lock-last-run", severity);
    }
}
