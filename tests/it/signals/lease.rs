//! A lease that is lost or cannot be renewed, over DynamoDB.

use std::time::{Duration, Instant};

use serde_json::json;

use super::puppet::Manner;
use super::stage::{Run, Stage, wait};
use super::waiting::in_table;
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};

const LOCK_ID: &str = "tfguard:it";

fn engine() -> Engine {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    engine
}

/// A puppet under a lease of 10 s in the table at `endpoint`.
fn leased<'a>(stage: &'a Stage, endpoint: &str) -> Run<'a> {
    let manner = Manner::default();
    let mut command = stage.puppet(&manner, &["--lease", "10s", "apply"]);
    in_table(&mut command, endpoint);
    stage.counting_with(&mut command, &manner)
}

fn wait_interrupted(stage: &Stage) {
    wait("the interrupt", || (!stage.counted("apply").is_empty()).then_some(()));
}

#[test]
fn a_lock_that_someone_took_over_interrupts_at_once_and_ends_with_76() {
    let engine = engine();
    let stage = Stage::new();
    let run = leased(&stage, &engine.endpoint);
    let mut item = engine.get("locks", LOCK_ID).unwrap();
    item["stamp"] = json!({ "S": "thief/1/1" });
    item["holders"]["L"][0]["M"]["session"] = json!({ "S": "thief" });
    engine.put("locks", &item);
    stage.log().wait("lock_lost", 1);
    wait_interrupted(&stage);
    stage.let_go();
    let finished = run.finish();
    assert_eq!(finished.code, Some(76), "{}", finished.err);
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    assert_eq!(stage.log().wait("run_summary", 1)["outcome"], "lost");
    let after = engine.get("locks", LOCK_ID).unwrap();
    assert_eq!(after, item, "the record is not ours any more, and was written all the same");
}

/// The deadlines of a lease of 10 s, counted from the newest heartbeat, of which there is one
/// every 1.7 s: warned at 3.3 s, interrupted at 5 s, killed at 9 s.
#[test]
fn a_store_that_hangs_warns_then_interrupts_then_kills() {
    const BEAT: f64 = 10.0 / 6.0;
    /// A machine that is busy.
    const SLACK: f64 = 1.5;
    let engine = engine();
    let proxy = Proxy::start(&engine.endpoint);
    let stage = Stage::new();
    let run = leased(&stage, &proxy.endpoint());
    let cut = Instant::now();
    proxy.set(Fault::Hang);
    let passed = |what: &str, deadline: f64| {
        let after = cut.elapsed().as_secs_f64();
        let earliest = deadline - BEAT - 0.1;
        assert!((earliest..deadline + SLACK).contains(&after), "{what} came {after} s after the cut");
    };
    stage.log().wait("lock_at_risk", 1);
    passed("the warning", 10.0 / 3.0);
    wait_interrupted(&stage);
    passed("the interrupt", 5.0);
    let ended = stage.log().wait("child_exited", 1);
    passed("the kill", 9.0);
    assert_eq!(ended["signal"], 9);
    proxy.set(Fault::None);
    let finished = run.finish();
    assert_eq!(finished.code, Some(76), "{}", finished.err);
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    let item = engine.get("locks", LOCK_ID).unwrap();
    assert_eq!(item["holders"], json!({ "L": [] }));
    assert_eq!(item["last"]["M"]["outcome"], json!({ "S": "crashed" }));
    wait("every process to have gone", || stage.processes().is_empty().then_some(()));
    assert!(cut.elapsed() < Duration::from_secs(20), "the release took too long");
}
