//! `history`: what is written of each run, whoever has to write it, and how it is shown: as text, as JSON, and as a page
//! in a real browser.

mod file;
mod page;
mod shown;
mod written;

use serde_json::{Value, json};

use crate::e2e::locks::Locks;
use crate::support::project::Project;

/// The runs as `history --json` gives them with these options, the newest first.
fn history(locks: &Locks, project: &Project, options: &[&str]) -> Vec<Value> {
    let shown = locks.run(project).args(["history", "--json"]).args(options).output().exits(0);
    let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
    crate::support::schema::check("history", &document);
    assert_eq!(document["lock"], crate::e2e::locks::LOCK);
    document["runs"].as_array().unwrap().clone()
}

fn numbers(runs: &[Value]) -> Vec<u64> {
    runs.iter().map(|run| run["run"].as_u64().unwrap()).collect()
}

/// 2026-11-21 08:00:00 UTC.
const START: i64 = 1_795_248_000;

/// Makes it the history of the lock, which is free.
fn plant(locks: &Locks, runs: &[Value]) {
    locks.plant(json!({
        "schema": 1, "stamp": "s", "generation": 9, "runs": runs.len(), "holders": [], "queue": [],
        "updated_at": "2026-11-21T08:10:00Z", "expires_at": START * 2,
    }));
    for run in runs {
        locks.plant_run(run.clone());
    }
}

/// A run that asked so many seconds after [`START`], waited and held so many.
fn run(number: u64, [asked, waited, held]: [i64; 3], more: &Value) -> Value {
    let at = |second: i64| jiff::Timestamp::from_second(START + second).unwrap().to_string();
    let mut run = json!({
        "schema": 1, "run": number, "generation": number, "session": format!("s{number}"), "mode": "exclusive",
        "identity": { "actor": "ann", "host": "ci-7", "url": format!("https://ci.example/{number}") },
        "asked_at": at(asked), "granted_at": at(asked + waited), "ended_at": at(asked + waited + held),
        "waited_ms": waited * 1000, "held_ms": held * 1000, "outcome": "released", "told_by": "run",
        "expires_at": START * 2,
    });
    for (name, value) in more.as_object().unwrap() {
        run[name] = value.clone();
    }
    run
}
