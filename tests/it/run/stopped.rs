//! Whatever stops a pipeline, nothing of it is started after that.

use rustix::process::{Signal, kill_process};

use crate::e2e::locks::Locks;
use crate::support::project::Project;
use crate::support::run::{Finished, Run, Started};

/// A Terraform whose plan, or apply, waits for the file `go` once it has written `here`.
fn waits_in(project: &Project, phase: &str, then: &str) -> std::path::PathBuf {
    project.script(
        "bin/terraform",
        &format!(
            "if [ \"$1\" = {phase} ]; then\n  {then}\n  touch here\n  until [ -e go ]; do sleep 0.02; done\nfi\n\
             exec terraform \"$@\""
        ),
    )
}

fn pipeline(locks: &Locks, project: &Project, terraform: &std::path::Path, options: &[&str]) -> Run {
    let run = locks.run(project).env("TFGUARD_TERRAFORM_BIN", terraform);
    run.args(["run", "--auto-approve"]).args(options)
}

fn wait_here(run: &mut Started, project: &Project) {
    run.wait_until("the phase", |_| project.path("here").exists().then_some(()));
}

#[track_caller]
fn nothing_applied(finished: &Finished, project: &Project) {
    let applies = finished.events.iter().filter(|event| event["argv"][1] == "apply").count();
    assert_eq!(applies, 0);
    assert_eq!(project.read("terraform.tfstate"), "");
}

#[test]
fn a_signal_during_the_plan_that_ends_well_all_the_same() {
    let (locks, project) = (Locks::local(), Project::hello());
    // It does not hear, and goes on.
    let terraform = waits_in(&project, "plan", "trap '' INT");
    let mut run = pipeline(&locks, &project, &terraform, &[]).start();
    wait_here(&mut run, &project);
    kill_process(run.pid(), Signal::TERM).unwrap();
    assert_eq!(run.wait_for("signal")["action"], "passed");
    project.write("go", "");
    let ended = run.finish().exits(143);
    nothing_applied(&ended, &project);
    assert_eq!(ended.event("run_summary")["outcome"], "cancelled");
    assert_eq!(locks.last(), ("released".into(), None));
}

#[test]
fn a_signal_that_ends_the_plan_has_the_plans_code() {
    let (locks, project) = (Locks::local(), Project::hello());
    let terraform = waits_in(&project, "plan", "trap 'exit 1' INT");
    let mut run = pipeline(&locks, &project, &terraform, &[]).start();
    wait_here(&mut run, &project);
    kill_process(run.pid(), Signal::INT).unwrap();
    let ended = run.finish().exits(1);
    nothing_applied(&ended, &project);
    assert_eq!(ended.event("run_summary")["outcome"], "cancelled");
}

#[test]
fn a_signal_during_the_apply_is_one_interrupt() {
    let locks = Locks::local();
    let project = Project::with(
        "resource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"touch here; exec sleep 600\"\n  }\n}",
    );
    let mut run = locks.run(&project).args(["run", "--auto-approve"]).start();
    wait_here(&mut run, &project);
    kill_process(run.pid(), Signal::INT).unwrap();
    run.wait_for("signal");
    kill_process(run.pid(), Signal::TERM).unwrap();
    let ended = run.finish().exits(1);
    let stdout = ended.stdout_text();
    assert_eq!(stdout.matches("Interrupt received").count(), 1, "{stdout}");
    assert!(!stdout.contains("Two interrupts received"), "{stdout}");
    assert_eq!(ended.event("run_summary")["outcome"], "cancelled");
    assert!(!project.state_is_locked());
    assert!(project.read("terraform.tfstate").contains("tainted"));
}

#[test]
fn a_deadline_that_comes_with_the_plan_is_no_apply() {
    let (locks, project) = (Locks::local(), Project::hello());
    let terraform = waits_in(&project, "plan", "trap '' INT");
    let mut run = pipeline(&locks, &project, &terraform, &["--deadline", "2s"]).start();
    wait_here(&mut run, &project);
    run.wait_until("the deadline", |run| run.stderr_so_far().contains("--deadline has come").then_some(()));
    project.write("go", "");
    let ended = run.finish().exits(75).says(&["nothing more was started"]);
    nothing_applied(&ended, &project);
    assert_eq!(ended.event("run_summary")["outcome"], "cancelled");
}

#[test]
fn a_lock_that_is_lost_with_the_plan_is_no_apply() {
    let (locks, project) = (Locks::local(), Project::hello());
    let terraform = waits_in(&project, "plan", "trap '' INT");
    let mut run = pipeline(&locks, &project, &terraform, &["--lease", "10s"]).start();
    wait_here(&mut run, &project);
    locks.run(&project).args(["unlock", "--reason", "x", "--yes", "--now"]).output().exits(0);
    run.wait_for("lock_lost");
    project.write("go", "");
    let ended = run.finish().exits(76);
    nothing_applied(&ended, &project);
    assert_eq!(ended.event("run_summary")["outcome"], "lost");
}

/// Others see which phase a run is in, long before its next heartbeat.
#[test]
fn the_record_shows_the_phase() {
    let (locks, project) = (Locks::local(), Project::hello());
    let terraform = waits_in(&project, "apply", ":");
    let mut run = pipeline(&locks, &project, &terraform, &["--lease", "1h"]).start();
    wait_here(&mut run, &project);
    run.wait_until("the phase in the record", |_| {
        let record = locks.record()?;
        (record["holders"][0]["activity"][0] == "apply").then_some(())
    });
    let status = locks.run(&project).args(["status"]).output().exits(0).stdout_text();
    assert!(status.contains("in phase apply for "), "{status}");
    let waiter = locks.run(&project).args(["plan", "--no-wait"]).output().exits(75);
    waiter.says(&["running `tfguard run`", "in phase apply for "]);
    project.write("go", "");
    run.finish().exits(0);
}
