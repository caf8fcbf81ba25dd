//! GitLab's job scripts, on a quiet day and on a bad one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::pipeline::{FULL, Job, QUICK};
use crate::guardian::process::{gone, is_alive, signal};
use crate::guardian::stage::{Over, Stage, wait_for};
use crate::support::fault::Fault;

const PLAN: &str = ".tfguard:plan";
const APPLY: &str = ".tfguard:apply";
const DESTROY: &str = ".tfguard:destroy";

fn interrupts(text: &str) -> usize {
    assert!(!text.contains("Two interrupts received"), "{text}");
    text.matches("Interrupt received.").count()
}

/// A plan for the runs that follow.
fn planned(stage: &Stage) {
    let (code, text) = Job::new(stage, PLAN, "plan", "0").script().end();
    assert_eq!(code, Some(0), "{text}");
}

fn queue(stage: &Stage) -> usize {
    stage.status()["queue"].as_array().map_or(0, Vec::len)
}

/// Plan, report, apply of that plan, destroy, in the shells that images have.
fn a_pipeline(shell: &[&str], path: Option<&str>) {
    let stage = Stage::new(Over::Dynamo);
    let job = |kind, name: &str| {
        let job = Job::new(&stage, kind, name, "0").shell(shell);
        match path {
            Some(path) => {
                let program = env!("CARGO_BIN_EXE_tfguard").rsplit_once('/').unwrap().0;
                job.with("PATH", &format!("{program}:{path}"))
            }
            None => job,
        }
    };
    let plan = job(PLAN, "plan");
    let (code, text) = plan.script().end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(plan.after(), "");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(plan.file("report.json")).unwrap()).unwrap();
    assert_eq!(report, serde_json::json!({ "create": 1, "update": 0, "delete": 0 }));
    assert_eq!(fs::metadata(plan.file("plan.tfplan")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(plan.log().contains("run_summary"));

    let apply = job(APPLY, "apply");
    let (code, text) = apply.script().end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Apply complete! Resources: 1 added"), "{text}");
    assert_eq!(apply.after(), "");

    // With nothing left to do the merge request is told so.
    let (code, text) = plan.script().end();
    assert_eq!(code, Some(0), "{text}");
    let report = fs::read_to_string(plan.file("report.json")).unwrap();
    assert_eq!(report.trim(), r#"{"create":0,"update":0,"delete":0}"#);

    let (code, text) = job(DESTROY, "destroy").script().end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Destroy complete! Resources: 1 destroyed"), "{text}");
    stage.assert_clean();
}

#[test]
fn a_pipeline_in_bash() {
    a_pipeline(&["bash"], None);
}

#[test]
fn a_pipeline_in_dash() {
    a_pipeline(&["dash"], None);
}

/// As in an image that has nothing but busybox and Terraform.
#[test]
fn a_pipeline_in_busybox() {
    let folder = crate::support::folder::Folder::new();
    let bin = folder.path();
    let installed = std::process::Command::new("busybox").args(["--install", "-s"]).arg(bin).status();
    assert!(installed.expect("busybox runs: ci/test installs it").success());
    // The second is for the witness of these tests.
    for program in ["terraform", "flock"] {
        let found = std::process::Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        let _ = fs::remove_file(bin.join(program));
        std::os::unix::fs::symlink(fs::canonicalize(found.trim()).unwrap(), bin.join(program)).unwrap();
    }
    a_pipeline(&[&bin.join("sh").display().to_string()], Some(&bin.display().to_string()));
}

#[test]
fn codes_are_tfguards_own() {
    let stage = Stage::new(Over::Local);
    let (code, text) = Job::new(&stage, APPLY, "early", "0").script().end();
    assert_eq!(code, Some(66), "{text}");
    assert!(text.contains("needs the artifacts of the plan job"), "{text}");
    let (code, text) =
        Job::new(&stage, PLAN, "wrong", "0").with("TFGUARD_CI_ARGS", "-target=* -nonsense").script().end();
    assert_eq!(code, Some(1), "{text}");
    let holder = stage.working("holder", &[]);
    let (code, text) = Job::new(&stage, PLAN, "late", "0").with("TFGUARD_WAIT_TIMEOUT", "0").script().end();
    assert_eq!(code, Some(75), "{text}");
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// The shell executor's cancel: Terraform has a group of its own, tfguard is asked.
fn cancelled_with_its_group(state: Duration) -> Duration {
    let stage = Stage::new(Over::Local);
    planned(&stage);
    let job = Job::new(&stage, APPLY, "run", "60");
    let script = job.working();
    stage.state.slow_down(state);
    let start = Instant::now();
    script.cancel_group();
    let (code, text) = script.end();
    assert_ne!(code, Some(0), "{text}");
    // The shell has ended, which traps SIGTERM; the run goes on.
    job.after();
    let took = start.elapsed();
    assert_eq!(interrupts(&script_text(&stage, "run")), 1);
    assert!(stage.is_free());
    assert_eq!(stage.outcome(), "released");
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
    took
}

#[test]
fn the_shell_executors_cancel_is_one_interrupt() {
    cancelled_with_its_group(Duration::from_secs(1));
}

/// It waits for up to ten minutes; Terraform needs 20 s.
#[test]
fn in_full_length_the_shell_executors_cancel_is_waited_for() {
    let took = cancelled_with_its_group(Duration::from_secs(7));
    println!("measured: released {took:?} after the cancel");
    assert!(took >= Duration::from_secs(20), "{took:?}: Terraform was not slow enough to show anything");
}

/// What is on its way to the store when everything is killed: no event tells of it but the first.
#[test]
fn who_was_killed_before_it_could_say_that_it_waits_is_taken_out_too() {
    let stage = Stage::new(Over::Dynamo);
    let holder = stage.working("holder", &[]);
    let job = Job::new(&stage, PLAN, "run", "0");
    stage.proxy.set_for("PutItem", Fault::Late(Duration::from_secs(30)));
    let script = job.script();
    wait_for("the entry", || queue(&stage) == 1);
    assert!(job.log().contains("\"run_started\"") && !job.log().contains("lock_waiting"), "{}", job.log());
    signal(job.supervisor(), libc::SIGKILL);
    gone(job.supervisor());
    stage.proxy.set(Fault::None);
    script.end();
    assert_eq!(queue(&stage), 1);
    let said = job.after();
    assert!(said.contains("out of the queue"), "{said}");
    assert_eq!(queue(&stage), 0);
    assert!(!stage.is_free() && is_alive(holder.terraform()));
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

fn script_text(stage: &Stage, name: &str) -> String {
    String::from_utf8_lossy(&fs::read(stage.path(&format!("script.{name}"))).unwrap()).into_owned()
}

/// The docker executor's cancel: Terraform has its signal before anyone else. `after_script` runs
/// while the script still does.
fn cancelled_in_its_container(each: Duration, state: Duration) -> Duration {
    let stage = Stage::new(Over::Dynamo);
    planned(&stage);
    let job = Job::new(&stage, APPLY, "run", "60");
    let script = job.working();
    stage.state.slow_down(state);
    let start = Instant::now();
    let took = std::thread::scope(|scope| {
        let cancel = scope.spawn(|| script.cancel_container(&job, each));
        wait_for("Terraform to know", || interrupts(&script.text()) == 1);
        assert!(!stage.is_free());
        let said = job.after();
        assert!(said.contains("the run goes on stopping; waiting for up to 240 s"), "{said}");
        let took = start.elapsed();
        assert!(stage.is_free(), "{}", script.text());
        cancel.join().unwrap();
        took
    });
    let (_, text) = script.end();
    assert_eq!(interrupts(&text), 1);
    assert_eq!(stage.outcome(), "released");
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
    took
}

#[test]
fn the_docker_executors_cancel_is_one_interrupt_and_after_script_waits() {
    cancelled_in_its_container(QUICK, Duration::from_secs(3));
}

/// The executor's own times, and a Terraform that needs 20 s.
#[test]
fn in_full_length_after_script_waits_for_what_the_docker_executor_has_cancelled() {
    let took = cancelled_in_its_container(FULL, Duration::from_secs(20));
    println!("measured: released {took:?} after the cancel");
    assert!(took >= Duration::from_secs(20), "{took:?}: Terraform was not slow enough to show anything");
}

#[test]
fn a_cancelled_waiter_leaves_the_holder_alone() {
    let stage = Stage::new(Over::Dynamo);
    let holder = stage.working("holder", &[]);
    let job = Job::new(&stage, PLAN, "run", "0");
    let mut script = job.script();
    script.wait_for("waiting for lock stage");
    script.cancel_group();
    script.end();
    wait_for("the waiter to leave", || queue(&stage) == 0);
    assert_eq!(job.after(), "");

    // github-action-locks#6: the same with a waiter that was killed, whose entry is left.
    let killed = Job::new(&stage, PLAN, "killed", "0");
    let mut script = killed.script();
    script.wait_for("waiting for lock stage");
    signal(killed.supervisor(), libc::SIGKILL);
    gone(killed.supervisor());
    script.end();
    assert_eq!(queue(&stage), 1);
    let said = killed.after();
    assert!(said.contains("out of the queue"), "{said}");
    assert_eq!(queue(&stage), 0);
    assert!(!stage.is_free() && is_alive(holder.terraform()));
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// The container is gone with all that ran in it: the lock is released by the run's own session.
#[test]
fn when_everything_is_killed_after_script_releases_what_is_ours() {
    let stage = Stage::new(Over::Dynamo);
    planned(&stage);
    // Long enough for a shell that looks through every process of a busy machine.
    let job = Job::new(&stage, APPLY, "run", "60").with("TFGUARD_LEASE", "5m");
    let script = job.working();
    signal(job.supervisor(), libc::SIGSTOP);
    job.processes().into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
    wait_for("all of it to be dead", || job.processes().is_empty());
    script.end();
    assert!(!stage.is_free());
    let start = Instant::now();
    let said = job.after();
    println!("measured: released {:?} after everything was killed", start.elapsed());
    assert!(said.contains("removed"), "{said}");
    assert!(stage.is_free());
    assert_eq!(stage.outcome(), "forced");
    stage.state.force_unlock();
    stage.assert_clean();
}

#[test]
fn what_does_not_stop_in_time_is_killed_and_the_lock_released() {
    let stage = Stage::new(Over::Local);
    planned(&stage);
    let job = Job::new(&stage, APPLY, "run", "60").with("TFGUARD_CI_STOP_BUDGET", "2");
    let script = job.working();
    // Its state is never written.
    stage.state.slow_down(Duration::from_secs(60));
    script.cancel_group();
    let said = job.after();
    assert!(said.contains("did not stop in time and is killed"), "{said}");
    assert!(stage.is_free(), "{said}");
    assert_eq!(stage.outcome(), "crashed");
    script.end();
    stage.state.slow_down(Duration::ZERO);
    if stage.state.lock().is_some() {
        stage.state.force_unlock();
    }
    wait_for("every process to be gone", || stage.processes().is_empty());
}
