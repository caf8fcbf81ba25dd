//! Off a terminal: whatever reaches the supervisor, the real Terraform gets one interrupt.

use std::os::unix::process::CommandExt;

use rustix::process::{Signal, kill_process_group};

use super::processes;
use super::stage::{Finished, SLOW, Stage};
use crate::guardian::state::StateServer;

/// Terraform stopped gracefully, once, and nothing is left of anything. `state`: what it has written.
fn assert_stopped(stage: &Stage, finished: &Finished, state: &str) {
    let all = format!("{}{}", finished.out, finished.err);
    assert_eq!(finished.code, Some(1), "{all}");
    assert_eq!(all.matches("Interrupt received.").count(), 1, "{all}");
    assert!(!all.contains("Two interrupts received"), "{all}");
    assert!(finished.out.contains("Stopping operation..."), "{all}");
    stage.assert_clean();
    assert!(state.contains("tainted"), "what was begun is in the state: {state}");
    let summary = stage.log().wait("run_summary", 1);
    assert_eq!((summary["outcome"].as_str(), summary["exit_code"].as_u64()), (Some("cancelled"), Some(1)));
}

/// The same with the state in a file.
fn assert_stopped_once(stage: &Stage, finished: &Finished) {
    let state = std::fs::read_to_string(stage.path("terraform.tfstate")).unwrap_or_default();
    assert_stopped(stage, finished, &state);
    stage.assert_state_is_sound();
}

fn stops_once_at(signal: Signal, name: &str) {
    let stage = Stage::new();
    let run = stage.applying();
    run.send(signal);
    assert_stopped_once(&stage, &run.finish());
    assert_eq!(stage.log().signals(), [format!("{name} passed")]);
}

#[test]
fn sigint_stops_terraform_once() {
    stops_once_at(Signal::INT, "SIGINT");
}

#[test]
fn sigterm_stops_terraform_once() {
    stops_once_at(Signal::TERM, "SIGTERM");
}

#[test]
fn sighup_stops_terraform_once() {
    stops_once_at(Signal::HUP, "SIGHUP");
}

#[test]
fn sigquit_stops_terraform_once() {
    stops_once_at(Signal::QUIT, "SIGQUIT");
}

/// GitHub's runner sends SIGINT, and 7.5 s later SIGTERM. Terraform kills its resource at once; what keeps
/// it until both have come is the writing of its state.
#[test]
fn sigint_and_then_sigterm_stop_terraform_once() {
    let server = StateServer::start();
    let backend =
        format!("terraform {{\n  backend \"http\" {{\n    address = \"{}\"\n  }}\n}}\n", server.endpoint());
    let stage = Stage::with(&(backend + SLOW));
    let run = stage.applying();
    server.hold();
    run.send(Signal::INT);
    stage.log().wait("signal", 1);
    run.send(Signal::TERM);
    stage.log().wait("signal", 2);
    server.let_go();
    assert_stopped(&stage, &run.finish(), &String::from_utf8(server.body()).unwrap());
    assert_eq!(stage.log().signals(), ["SIGINT passed", "SIGTERM swallowed"]);
}

/// GitLab's shell executor signals the process group.
#[test]
fn sigterm_to_the_whole_process_group_stops_terraform_once() {
    let stage = Stage::new();
    let mut command = stage.tfguard(&["apply", "--", "-auto-approve", "-no-color"]);
    let run = stage.applying_with(command.process_group(0));
    kill_process_group(run.pid(), Signal::TERM).unwrap();
    assert_stopped_once(&stage, &run.finish());
    assert_eq!(stage.log().signals(), ["SIGTERM passed"]);
}

/// GitLab's docker executor signals every process, the newest first: Terraform knows before us.
#[test]
fn sigterm_to_every_process_stops_terraform_once() {
    let stage = Stage::new();
    let run = stage.applying();
    // The resource's own command is left out: without it Terraform would have nothing to stop.
    let resource = stage.wait_pid("ready");
    for pid in stage.processes().into_iter().filter(|pid| *pid != resource) {
        processes::send(pid, Signal::TERM);
    }
    assert_stopped_once(&stage, &run.finish());
    assert_eq!(stage.log().signals(), ["SIGTERM swallowed"]);
}
