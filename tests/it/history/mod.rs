//! `history`: what is written of each run, whoever has to write it, and how it is shown: as text, as JSON, and as a page
//! in a real browser.

mod file;
mod page;
mod shown;
mod written;

use serde_json::Value;

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
