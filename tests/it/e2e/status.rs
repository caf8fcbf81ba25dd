//! `status` and `completions`: they look and change nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};
use crate::support::schema;

over_both_stores![a_free_lock, a_held_lock_with_its_queue, the_end_of_the_last_run, all_locks_of_a_store];

/// What GitHub sets, by the name of who started the job.
fn on_github(run: Run, actor: &str, number: &str) -> Run {
    run.env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_ACTOR", actor)
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", "acme/infra")
        .env("GITHUB_RUN_ID", number)
        .env("GITHUB_RUN_ATTEMPT", "1")
        .env("GITHUB_SHA", "0123abc")
        .env("GITHUB_REF", "refs/pull/12/merge")
}

fn document(finished: &Finished) -> Value {
    let document = serde_json::from_slice(&finished.stdout).unwrap();
    schema::check("status", &document);
    document
}

fn a_free_lock(locks: &Locks) {
    let project = Project::hello();
    let never = locks.run(&project).args(["status"]).output().exits(0);
    assert_eq!(never.stderr, "");
    let text = never.stdout_text();
    assert!(
        text.starts_with("lock   e2e\nstore  ") && text.ends_with("\nstate  free, never held\n"),
        "{text}"
    );
    locks.run(&project).args(["status", "--check"]).output().exits(0);
    let json = document(&locks.run(&project).args(["status", "--json"]).output().exits(0));
    assert_eq!(json["state"], "free");
    assert_eq!((&json["generation"], &json["last"], &json["runs"]), (&Value::Null, &Value::Null, &json!(0)));
    // Looking writes nothing.
    assert_eq!(locks.record(), None);
}

fn a_held_lock_with_its_queue(locks: &Locks) {
    let project = Project::hello();
    let holder = locks.run(&project).args(["exec", "--reason", "rotate keys", "--", "cat"]);
    let mut holder = on_github(holder.stdin_open(), "alice", "42").start();
    holder.wait_for("child_started");
    let waiter = locks.run(&project).args(["apply", "--", "-auto-approve", "-var=token=hunter2"]);
    let mut waiter = on_github(waiter, "bob", "43").start();
    let told = waiter.wait_for("lock_waiting");
    assert_eq!(told["holder"]["actor"], "alice");
    assert_eq!(told["holder"]["url"], "https://github.com/acme/infra/actions/runs/42/attempts/1");
    let told = waiter.wait_until("the line for people", |waiter| {
        let said = waiter.stderr_so_far();
        said.contains("waiting for lock").then_some(said)
    });
    for part in ["waiting for lock e2e, position 1", "alice", "/actions/runs/42", "rotate keys"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    let before = locks.record();
    let text = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    for part in [
        "lock   e2e\n",
        "state  held for ",
        ", 1 waiting (generation ",
        "holder alice on ",
        ", for #12, running `cat`, because \"rotate keys\"\n",
        "\n       https://github.com/acme/infra/actions/runs/42/attempts/1\n",
        " of its lease of 3 min left\n",
        "wait 1 bob on ",
        "/actions/runs/43/attempts/1",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let checked = locks.run(&project).args(["status", "--check"]).output().exits(75);
    assert!(checked.stdout_text().contains("state  held"));

    let json = document(&locks.run(&project).args(["status", "--json"]).output().exits(0));
    assert_eq!((&json["lock"], &json["state"]), (&json!("e2e"), &json!("held")));
    let held = &json["holders"][0];
    assert_eq!(
        (&held["mode"], &held["phase"], &held["run"]),
        (&json!("exclusive"), &json!("active"), &json!(1))
    );
    assert_eq!((&held["lease_ms"], &held["looks_dead"]), (&json!(180_000), &json!(false)));
    assert_eq!(held["identity"]["actor"], "alice");
    assert_eq!(held["identity"]["repository"], "acme/infra");
    assert_eq!(held["identity"]["pid"], holder.pid().as_raw_nonzero().get());
    let queued = &json["queue"][0];
    assert_eq!((&queued["position"], &queued["identity"]["actor"]), (&json!(1), &json!("bob")));
    assert_eq!(json["queue"].as_array().unwrap().len(), 1);
    // Also where the whole job speaks JSON.
    let ambient = locks.run(&project).env("TFGUARD_LOG_FORMAT", "json").args(["status"]).output().exits(0);
    assert_eq!(document(&ambient)["state"], "held");
    assert_eq!(locks.record(), before);

    holder.close_stdin();
    holder.finish().exits(0);
    waiter.finish();
}

fn the_end_of_the_last_run(locks: &Locks) {
    let project = Project::hello();
    on_github(locks.run(&project), "alice", "42")
        .args(["exec", "--", "sh", "-c", "exit 3"])
        .output()
        .exits(3);
    let text = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    assert!(text.contains("state  free for ") && text.contains(" (generation "), "{text}");
    assert!(
        text.contains("last   run 1 released with exit code 3 after ") && text.contains("alice"),
        "{text}"
    );
    let json = document(&locks.run(&project).args(["status", "--json"]).output().exits(0));
    let last = &json["last"];
    assert_eq!(
        (&last["outcome"], &last["exit_code"], &last["run"]),
        (&json!("released"), &json!(3), &json!(1))
    );
}

/// The documents of a listing, by the names of their locks.
fn listed(finished: &Finished) -> BTreeMap<String, Value> {
    let text = finished.stdout_text();
    let documents = text.lines().map(|line| {
        let document: Value = serde_json::from_str(line).unwrap();
        schema::check("status", &document);
        (document["lock"].as_str().unwrap().to_owned(), document)
    });
    documents.collect()
}

pub(super) fn all_locks_of_a_store(locks: &Locks) {
    let project = Project::hello();
    // The lock of the job is not what is asked for.
    let all = |options: &[&str]| locks.run(&project).args(["status", "--all"]).args(options).output();
    let empty = all(&[]).exits(0).stdout_text();
    assert!(empty.ends_with(": 0 held, 0 waiting, 0 free\n"), "{empty}");
    assert_eq!(all(&["--json", "--check"]).exits(0).stdout_text(), "");

    let run = |lock: &str| locks.run(&project).env("TFGUARD_LOCK", lock);
    run("net/old").args(["exec", "--", "true"]).output().exits(0);
    run("net/broken").args(["exec", "--", "sh", "-c", "kill -9 $$"]).output();
    all(&["--check"]).exits(0);
    let mut holder =
        on_github(run("net/prod"), "alice", "42").args(["exec", "--", "cat"]).stdin_open().start();
    holder.wait_for("child_started");
    let mut waiter = on_github(run("net/prod"), "bob", "43").args(["exec", "--", "true"]).start();
    waiter.wait_for("lock_waiting");
    let mut other = run("db").args(["exec", "--shared", "--", "cat"]).stdin_open().start();
    other.wait_for("child_started");

    let text = all(&[]).exits(0).stdout_text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("LOCK ") && lines[0].ends_with(" LINK"), "{text}");
    let first = lines[1];
    assert!(first.starts_with("net/prod    held ") && first.contains("  alice on "), "{text}");
    assert!(first.contains("  1 for ") && first.ends_with("/actions/runs/42/attempts/1"), "{text}");
    assert!(lines[2].starts_with("db          shared by 1  "), "{text}");
    assert!(lines[3].starts_with("net/broken  free ") && lines[3].contains("  crashed"), "{text}");
    assert_eq!(lines[4], "", "{text}");
    let counted = ": 2 held, 1 waiting, 2 free (1 not shown: --free shows them)";
    assert!(lines[5].ends_with(counted) && lines.len() == 6, "{text}");
    let free = all(&["--free"]).exits(0).stdout_text();
    assert!(free.contains("\nnet/old     free ") && free.contains("  released 0\n"), "{free}");
    let net = all(&["--prefix", "net/", "--limit", "1"]).exits(0).stdout_text();
    assert!(net.starts_with("LOCK ") && net.lines().count() == 4, "{net}");
    assert!(
        net.ends_with(", names starting with net/: 1 held, 1 waiting, 2 free (2 not shown: --limit)\n"),
        "{net}"
    );

    let json = listed(&all(&["--json", "--check"]).exits(75));
    assert_eq!(json.keys().collect::<Vec<_>>(), ["db", "net/broken", "net/old", "net/prod"]);
    let held = &json["net/prod"];
    assert_eq!((&held["state"], &held["holders"][0]["identity"]["actor"]), (&json!("held"), &json!("alice")));
    assert_eq!(
        (&held["queue"][0]["identity"]["actor"], &held["origins"]["lock"]),
        (&json!("bob"), &Value::Null)
    );
    assert_eq!(listed(&all(&["--json", "--limit", "2"]).exits(0)).len(), 2);
    assert_eq!(listed(&all(&["--json", "--prefix", "net/o"]).exits(0)).len(), 1);
    all(&["--lock", "db"]).exits(64).says(&["--all shows every lock of the store", "--prefix"]);
    locks.run(&project).args(["status", "--free"]).output().exits(64).says(&["--all"]);

    for mut held in [holder, other] {
        held.close_stdin();
        held.finish().exits(0);
    }
    waiter.finish().exits(0);
    assert!(all(&["--check"]).exits(0).stdout_text().contains(": 0 held, 0 waiting, 4 free"));
}

#[test]
fn a_store_that_is_not_there_has_no_locks_or_says_so() {
    let project = Project::hello();
    let local = Run::new(&project).args(["status", "--all"]).output().exits(0).stdout_text();
    assert!(local.ends_with("/.tfguard: 0 held, 0 waiting, 0 free\n"), "{local}");
    assert!(!project.path(".tfguard").exists());
    let locks = Locks::dynamodb();
    let wrong = locks.run(&project).args(["status", "--all", "--table", "nowhere"]).output().exits(78);
    let wrong = wrong.says(&["there is no DynamoDB table nowhere"]);
    assert!(!wrong.stderr.contains("lock e2e"), "{}", wrong.stderr);
}

#[test]
fn a_record_that_cannot_be_read_is_listed_and_told_by_the_code() {
    let locks = Locks::local();
    let project = Project::hello();
    locks.plant(json!({ "schema": 9 }));
    let all = |options: &[&str]| locks.run(&project).args(["status", "--all"]).args(options).output();
    let text = all(&[]).exits(78).stdout_text();
    assert!(text.contains("\ne2e   unreadable  its layout is number 9, "), "{text}");
    assert_eq!(listed(&all(&["--json"]).exits(78))["e2e"]["state"], "unreadable");
}

#[test]
fn without_a_ci_it_is_user_and_host() {
    let locks = Locks::local();
    let project = Project::hello();
    locks.run(&project).env("USER", "ann").args(["exec", "--", "true"]).output().exits(0);
    let text = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    assert!(text.contains(" ago: ann on "), "{text}");
}

#[test]
fn the_lock_of_local_state_is_beside_it_and_named_after_its_directory() {
    let project = Project::hello();
    let run = || Run::new(&project);
    let applied = run().args(["apply", "--", "-auto-approve"]).output().exits(0);
    applied.says(&["the store is local", "the lock is named after the directory"]);
    assert!(project.path(".tfguard/state.json").exists());
    let text = run().args(["status"]).output().exits(0).stdout_text();
    assert!(text.starts_with(&format!("lock   {}\n", project.dir().display())), "{text}");
    // From elsewhere it is the same.
    for option in [format!("-chdir={}", project.dir().display()), format!("-C{}", project.dir().display())] {
        let from_home = run().env("TFGUARD_STORE", "auto").args([&option, "status"]).output().exits(0);
        assert_eq!(from_home.stdout_text().lines().next(), text.lines().next());
    }
    run()
        .env("CI", "true")
        .args(["plan"])
        .output()
        .exits(0)
        .says(&["warning: the lock is a file on this machine"]);
}

#[test]
fn completions_are_scripts() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = Run::new(&project).args(["completions", shell]).output().exits(0);
        assert!(script.stdout_text().contains("wait-timeout"), "{shell}");
        project.write(shell, &script.stdout_text());
    }
    Run::program("bash", &project).args(["-n", "bash"]).output().exits(0);
    Run::new(&project).args(["completions", "nosuchshell"]).output().exits(64);
}
