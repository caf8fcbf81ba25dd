//! The child's exit code is ours, and the record says how the run ended.

use rustix::process::Signal;

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;

over_both_stores![
    success_is_0,
    a_plan_with_changes_is_2,
    a_configuration_that_fails_is_1,
    a_terraform_that_was_killed_is_137_and_the_next_run_is_told,
];

fn success_is_0(locks: &Locks) {
    let project = Project::hello();
    let applied = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(0);
    assert!(applied.stdout_text().contains("Apply complete! Resources: 1 added"));
    assert_eq!(applied.event("run_summary")["outcome"], "succeeded");
    assert_eq!(locks.last(), ("released".into(), Some(0)));
    let unchanged = locks.run(&project).args(["plan", "--", "-detailed-exitcode"]).output().exits(0);
    assert!(unchanged.stdout_text().contains("No changes."));
    let destroyed = locks.run(&project).args(["destroy", "--", "-auto-approve"]).output().exits(0);
    assert!(destroyed.stdout_text().contains("Destroy complete! Resources: 1 destroyed"));
    assert_eq!(locks.free_record()["runs"], 3);
}

fn a_plan_with_changes_is_2(locks: &Locks) {
    let project = Project::hello();
    let plan = locks.run(&project).args(["plan", "--", "-detailed-exitcode"]).output().exits(2);
    let summary = plan.event("run_summary");
    assert_eq!(
        (&summary["exit_code"], &summary["outcome"]),
        (&2.into(), &"succeeded".into()),
        "an answer, no failure"
    );
    assert_eq!(locks.last(), ("released".into(), Some(2)));
    let own = ["exec", "--", "terraform", "plan", "-detailed-exitcode"];
    let own = locks.run(&project).args(own).output().exits(2);
    assert_eq!(own.event("run_summary")["outcome"], "succeeded");
    // Of anybody else 2 is a failure.
    let other = locks.run(&project).args(["exec", "--", "sh", "-c", "exit 2", "plan", "-detailed-exitcode"]);
    assert_eq!(other.output().exits(2).event("run_summary")["outcome"], "failed");
}

fn a_configuration_that_fails_is_1(locks: &Locks) {
    let project = Project::with(
        r#"
        resource "terraform_data" "work" {
          provisioner "local-exec" {
            command = "exit 3"
          }
        }
        "#,
    );
    let failed = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(1);
    let failed = failed.says(&["local-exec provisioner error", "exit status 3"]);
    assert_eq!(failed.event("run_summary")["outcome"], "failed");
    assert_eq!(locks.last(), ("released".into(), Some(1)));
    assert!(!project.state_is_locked());
}

fn a_terraform_that_was_killed_is_137_and_the_next_run_is_told(locks: &Locks) {
    let project = Project::with(
        r#"
        resource "terraform_data" "work" {
          provisioner "local-exec" {
            command = "kill -9 $PPID"
          }
        }
        "#,
    );
    let killed = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(137);
    let killed = killed.says(&["was ended by SIGKILL"]);
    assert_eq!(killed.event("child_exited")["signal"], 9);
    assert_eq!(locks.last(), ("crashed".into(), None));

    let told = locks.run(&project).args(["exec", "--", "true"]).output().exits(0);
    told.says(&["warning: the previous run 1", "was killed before it could finish", "state lock"]);
    // Once is enough.
    let calm = locks.run(&project).args(["exec", "--", "true"]).output().exits(0);
    calm.never_says(&["previous run"]);
}

#[test]
fn every_code_of_a_command_comes_through() {
    let locks = Locks::local();
    let project = Project::empty();
    let codes = (0..=255).step_by(5).chain([1, 2, 11, 64, 66, 69, 76, 77, 78, 126, 127, 130, 137, 143]);
    for code in codes {
        let script = format!("exit {code}");
        locks.run(&project).args(["exec", "--", "sh", "-c", &script]).output().exits(code);
        assert_eq!(locks.last(), ("released".into(), Some(code.into())));
    }
}

#[test]
fn a_signal_that_ends_the_command_is_added_to_128() {
    let locks = Locks::local();
    let project = Project::empty();
    let signals =
        [Signal::INT, Signal::QUIT, Signal::ABORT, Signal::KILL, Signal::SEGV, Signal::PIPE, Signal::TERM];
    for signal in signals.map(Signal::as_raw) {
        let script = format!("kill -{signal} $$");
        let ended =
            locks.run(&project).args(["exec", "--", "sh", "-c", &script]).output().exits(128 + signal);
        assert_eq!(ended.event("child_exited")["signal"], signal);
        assert_eq!(locks.last(), ("crashed".into(), None));
    }
}

#[test]
fn a_command_that_cannot_run_takes_no_lock() {
    let locks = Locks::local();
    let project = Project::empty();
    let missing = locks.run(&project).args(["exec", "--", "no-such-command"]).output();
    missing.exits(127).says(&["no-such-command was not found on PATH"]);
    project.write("plain", "not a program");
    let plain = locks.run(&project).args(["exec", "--", "./plain"]).output();
    plain.exits(126).says(&["plain is not executable"]);
    assert_eq!(locks.record(), None);
}

#[test]
fn apply_that_nobody_can_approve_is_terraforms_own_error() {
    let locks = Locks::local();
    let project = Project::hello();
    let bare = crate::support::run::Run::program("terraform", &project);
    let bare = bare.args(["apply", "-input=false"]).env("TF_IN_AUTOMATION", "1").output();
    let guarded = locks.run(&project).args(["apply"]).output().exits(bare.code());
    assert_eq!(guarded.code(), 1);
    assert!(bare.stderr.contains("asking for approval"), "{}", bare.stderr);
    let guarded = guarded.says(&[bare.stderr.trim()]);
    assert_eq!(guarded.stdout, bare.stdout);
    assert_eq!(locks.last(), ("released".into(), Some(1)));
}

#[test]
fn in_json_an_apply_that_nobody_can_approve_is_refused_before_the_lock() {
    let locks = Locks::local();
    let project = Project::hello();
    for command in ["apply", "destroy"] {
        let refused = locks.run(&project).args([command, "--log-format", "json"]).output().exits(64);
        refused.says(&["nobody can answer", "-auto-approve"]);
    }
    assert_eq!(locks.record(), None);
    locks.run(&project).args(["plan", "--", "-out=saved"]).output().exits(0);
    locks.run(&project).args(["apply", "--log-format", "json", "--", "saved"]).output().exits(0);
}
