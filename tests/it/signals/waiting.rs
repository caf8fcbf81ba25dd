//! A cancel before the command runs: nothing is started, and the queue is left at once.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::puppet::Manner;
use super::stage::{Run, Stage, wait_within};
use crate::support::dynamo::{Engine, Shape};

/// How long somebody who left may be in the record.
const LEFT: Duration = Duration::from_secs(1);

const CODES: [(Signal, i32); 4] =
    [(Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)];

fn leaves_the_queue_at_once(stage: &Stage, at: impl Fn(&mut Command)) {
    let start = |args: &[&str]| -> Run<'_> {
        let mut command = stage.tfguard(args);
        at(&mut command);
        stage.start(&mut command)
    };
    let queue = || -> Vec<Value> {
        let mut status = stage.tfguard(&["status", "--json"]);
        at(&mut status);
        let output = status.output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        record["queue"].as_array().unwrap().clone()
    };
    let holder = start(&["exec", "--", "sh", "-c", "echo $$ > ready; exec sleep 60"]);
    stage.wait_file("ready");
    let waiters = CODES.map(|(signal, code)| {
        let waiter = start(&["exec", "--", "touch", "ran"]);
        (waiter, signal, code)
    });
    wait_within(super::stage::BOUND, "four in the queue", || (queue().len() == 4).then_some(()));
    for (left, (waiter, signal, code)) in (0..4).rev().zip(waiters) {
        let asked = Instant::now();
        waiter.send(signal);
        wait_within(LEFT, "the waiter to leave the record", || (queue().len() == left).then_some(()));
        let finished = waiter.finish();
        assert_eq!(finished.code, Some(code), "{}", finished.err);
        assert!(asked.elapsed() < 2 * LEFT, "it took {:?} to end", asked.elapsed());
    }
    holder.send(Signal::TERM);
    assert_eq!(holder.finish().code, Some(130));
    assert!(!stage.path("ran").exists(), "a cancelled command was started");
    assert_eq!(stage.log().all("child_started").len(), 1);
}

#[test]
fn a_cancelled_waiter_leaves_a_local_queue_at_once() {
    let stage = Stage::new();
    leaves_the_queue_at_once(&stage, |_| {});
    stage.assert_clean();
}

#[test]
fn a_cancelled_waiter_leaves_a_dynamodb_queue_at_once() {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let stage = Stage::new();
    leaves_the_queue_at_once(&stage, |command| in_table(command, &engine.endpoint));
}

/// Lets `command` find its lock in the table `locks` at `endpoint`.
pub(super) fn in_table(command: &mut Command, endpoint: &str) {
    command
        .env("TFGUARD_STORE", "dynamodb")
        .env("TFGUARD_TABLE", "locks")
        .env("TFGUARD_REGION", "eu-west-1")
        .env("TFGUARD_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}

#[test]
fn after_a_cancel_in_init_nothing_more_is_started() {
    let stage = Stage::new();
    let manner = Manner { slow_init: true, ..Manner::default() };
    let run = stage.start(&mut stage.puppet(&manner, &["--init", "always", "apply"]));
    stage.wait_file("init.ready");
    run.send(Signal::INT);
    stage.log().wait("signal", 1);
    stage.let_go();
    assert_eq!(run.finish().code, Some(130));
    assert_eq!(stage.counted("init"), ["SIGINT"]);
    assert!(!stage.path("apply.ready").exists(), "apply was started after the cancel");
    assert_eq!(stage.log().all("child_started").len(), 1);
    stage.assert_clean();
}
