//! `unlock`: an operator asks a holder to stop, or takes somebody out.

use serde_json::{Value, json};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

over_both_stores![
    a_holder_that_is_asked_stops_its_terraform_and_releases,
    a_holder_that_is_removed_is_out_at_once,
    a_waiter_that_is_taken_out_is_told_by_whom,
    a_free_lock_needs_nothing,
];

/// An apply that goes on until it is stopped.
const ENDLESS: &str = r#"
resource "terraform_data" "work" {
  provisioner "local-exec" {
    command = "echo begun > begun; exec sleep 600"
  }
}
"#;

/// An unlock by somebody called olga.
fn unlock(locks: &Locks, project: &Project, options: &[&str]) -> Run {
    locks.run(project).env("USER", "olga").args(["unlock"]).args(options)
}

/// Who was named in the event by which a holder learned that its lock is not its own any more.
fn cause(finished: &Finished) -> &str {
    finished.event("lock_lost")["cause"].as_str().unwrap()
}

fn a_holder_that_is_asked_stops_its_terraform_and_releases(locks: &Locks) {
    let project = Project::with(ENDLESS);
    let apply = locks.run(&project).args(["apply", "--lease", "10s", "--", "-auto-approve"]);
    let mut apply = apply.start();
    apply.wait_until("work", |_| (project.read("begun") == "begun\n").then_some(()));
    let asked = unlock(locks, &project, &["--yes", "--reason", "wrong branch"]).output().exits(0);
    asked.says(&["asked to stop: ", "running `terraform apply", "--now"]);
    let apply = apply.finish().exits(76);
    assert!(cause(&apply).contains("olga") && cause(&apply).contains("asked this run to stop: wrong branch"));
    assert_eq!(apply.stdout_text().matches("Interrupt received").count(), 1, "{}", apply.stdout_text());
    assert_eq!(apply.event("child_exited")["code"], 1);
    assert_eq!(locks.last(), ("released".into(), Some(1)));
    assert!(!project.state_is_locked());
}

fn a_holder_that_is_removed_is_out_at_once(locks: &Locks) {
    let project = Project::hello();
    let holder = locks.hold_with(&project, &["--lease", "10s"]);
    let removed =
        unlock(locks, &project, &["--yes", "--now", "--reason", "runner is gone"]).output().exits(0);
    removed.says(&["warning: lock e2e: removed ", "running `cat`", "two runs overlap"]);
    let record = locks.free_record();
    assert_eq!(record["last"]["outcome"], "forced");
    assert_eq!(record["last"]["by"]["reason"], "runner is gone");
    // Another one runs while the first does not know yet, or does.
    let next = locks.run(&project).args(["exec", "--no-wait", "--", "true"]).output().exits(0);
    next.says(&["was removed by olga", "runner is gone"]);
    let holder = holder.finish().exits(76);
    assert!(
        cause(&holder).contains("olga") && cause(&holder).contains("runner is gone"),
        "{}",
        cause(&holder)
    );
    // Its end changes nothing in a record that is not its own any more.
    assert_eq!(locks.last(), ("released".into(), Some(0)));
}

fn a_waiter_that_is_taken_out_is_told_by_whom(locks: &Locks) {
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let mut waiter = locks.run(&project).args(["apply", "--", "-auto-approve"]).start();
    waiter.wait_for("lock_waiting");
    let session = locks.record().unwrap()["queue"][0]["session"].as_str().unwrap().to_owned();
    let out = unlock(locks, &project, &["--yes", "--session", &session, "--reason", "superseded"]);
    out.output().exits(0).says(&["took ", "out of the queue"]);
    assert_eq!(locks.record().unwrap()["queue"], json!([]));
    let waiter = waiter.finish().exits(75).says(&["olga", "took this run out of the queue: superseded"]);
    assert!(!waiter.kinds().contains(&"child_started"));
    let nobody = unlock(locks, &project, &["--yes", "--session", &session, "--reason", "again"]).output();
    nobody.exits(64).says(&["no session", &session, "tfguard status"]);
    holder.close_stdin();
    holder.finish().exits(0);
}

fn a_free_lock_needs_nothing(locks: &Locks) {
    let project = Project::hello();
    for now in [&[][..], &["--now"]] {
        let options = [&["--yes", "--reason", "to be sure"], now].concat();
        unlock(locks, &project, &options).output().exits(0).says(&["is free: nothing to do"]);
    }
    assert_eq!(locks.record(), None);
}

#[test]
fn nothing_is_done_without_a_reason_or_an_answer() {
    let locks = Locks::local();
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let before = locks.record().unwrap()["holders"].clone();
    let unanswered = unlock(&locks, &project, &["--reason", "x"]).output();
    unanswered.exits(64).says(&["--yes"]);
    unlock(&locks, &project, &["--yes"]).output().exits(64).says(&["--reason"]);
    assert_eq!(before[0]["revoked"], Value::Null);
    assert_eq!(locks.record().unwrap()["holders"], before);
    holder.close_stdin();
    holder.finish().exits(0);
}
