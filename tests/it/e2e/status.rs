//! `status` and `completions`: they look and change nothing.

use serde_json::{Value, json};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

over_both_stores![a_free_lock, a_held_lock_with_its_queue, the_end_of_the_last_run];

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
    serde_json::from_slice(&finished.stdout).unwrap()
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
    for part in ["waiting for lock \"e2e\", position 1", "alice", "/actions/runs/42", "rotate keys"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    let before = locks.record();
    let text = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    for part in [
        "lock   e2e\n",
        "state  held (generation ",
        "holder alice on ",
        "(https://github.com/acme/infra/actions/runs/42/attempts/1), for #12",
        "running `cat`",
        "because \"rotate keys\"",
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
    assert!(text.contains("state  free (generation "), "{text}");
    assert!(text.contains("last   run 1 released with exit code 3, ") && text.contains("alice"), "{text}");
    let json = document(&locks.run(&project).args(["status", "--json"]).output().exits(0));
    let last = &json["last"];
    assert_eq!(
        (&last["outcome"], &last["exit_code"], &last["run"]),
        (&json!("released"), &json!(3), &json!(1))
    );
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
