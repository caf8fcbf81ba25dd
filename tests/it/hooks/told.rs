//! What hooks are told, and when.

use super::site::{Site, results, wait};
use crate::e2e::locks::{LOCK, Locks, TABLE};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};
use crate::support::run::Run;

const ALL: [&str; 5] =
    ["waiting=./tell", "acquired=./tell", "at-risk=./tell", "lost=./tell", "released=./tell"];

#[test]
fn each_event_of_a_lock_is_told_once_and_in_order() {
    let site = Site::new();
    let mut holder = site.locks.hold(&site.project);
    let mut waiter = site.exec(&ALL, &[], "true").start();
    waiter.wait_for("hook_finished");
    holder.close_stdin();
    holder.finish().exits(0);
    let finished = waiter.finish().exits(0);

    let told = site.told();
    let hooks: Vec<&str> = told.iter().map(|told| told.hook.as_str()).collect();
    assert_eq!(hooks, ["waiting", "acquired", "released"]);
    let record = site.locks.free_record();
    for (told, kind) in told.iter().zip(["lock_waiting", "lock_acquired", "lock_released"]) {
        // The very line of the log.
        assert!(finished.events.contains(&told.event), "{told:?}\n{:?}", finished.events);
        assert_eq!(told.event["type"], kind);
        assert_eq!(told.lock, LOCK);
        assert_eq!(told.session, record["last"]["session"].as_str().unwrap());
    }
    let generation = record["generation"].to_string();
    let generations = told.iter().map(|told| told.generation.as_str());
    assert_eq!(generations.collect::<Vec<_>>(), ["none", &generation, &generation]);

    let mut ends = results(&finished.events);
    ends.sort_unstable();
    assert_eq!(ends, [("acquired", "succeeded"), ("released", "succeeded"), ("waiting", "succeeded")]);
    assert_eq!(finished.kinds().last(), Some(&"run_summary"));
    // What is in order is for those who ask.
    assert!(!finished.stderr.contains("hook"), "{}", finished.stderr);
}

#[test]
fn hooks_of_the_file_and_of_variables_are_run_too() {
    let site = Site::new();
    site.project.write("tfguard.toml", "[hooks]\nacquired = [\"./tell\"]\nreleased = [\"false\"]\n");
    let run = site.exec(&[], &[], "true").env("TFGUARD_HOOK_RELEASED", "./tell \"with an argument\"");
    run.output().exits(0);
    assert_eq!(site.hooks(), ["acquired", "released"]);
    site.exec(&["released="], &[], "true").output().exits(0);
    assert_eq!(site.hooks(), ["acquired", "released", "acquired"]);
    site.exec(&["released=./tell"], &["--no-hooks"], "true").output().exits(0);
    assert_eq!(site.hooks().len(), 3);
}

#[test]
fn a_revoked_lock_is_lost_and_then_released() {
    let site = Site::new();
    let mut run = site.exec(&ALL[3..], &[], "sleep 300").start();
    run.wait_for("child_started");
    let unlock = ["unlock", "--reason", "maintenance", "--yes"];
    site.locks.run(&site.project).args(unlock).output().exits(0);
    run.finish().exits(76);
    let told = site.told();
    assert_eq!(told.iter().map(|told| told.hook.as_str()).collect::<Vec<_>>(), ["lost", "released"]);
    assert!(told[0].event["cause"].as_str().unwrap().contains("maintenance"), "{:?}", told[0]);
}

#[test]
fn a_heartbeat_that_is_late_is_told() {
    let engine = Engine::start();
    engine.create_table(TABLE, Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    let site = Site::over(Locks::Dynamodb(engine));
    let run = site.exec(&ALL, &["--lease", "10s"], "while [ ! -e go ]; do sleep 0.1; done");
    let mut run = run.env("TFGUARD_ENDPOINT_URL", proxy.endpoint()).start();
    run.wait_for("child_started");
    proxy.set(Fault::Hang);
    wait("the hook", || (site.hooks() == ["acquired", "at-risk"]).then_some(()));
    proxy.set(Fault::None);
    site.project.write("go", "");
    run.finish();
    let told = site.told();
    assert_eq!(told[1].event["type"], "lock_at_risk");
    assert_ne!(told[1].generation, "none");
}

#[test]
fn under_an_ancestors_lock_and_in_a_hook_there_are_none() {
    let site = Site::new();
    let tfguard = env!("CARGO_BIN_EXE_tfguard");
    // The inner run has the hook too, by its environment, and none of its own to tell of.
    let inner = format!("{tfguard} exec -- true");
    site.exec(&[], &[], &inner).env("TFGUARD_HOOK_ACQUIRED", "./tell").output().exits(0);
    assert_eq!(site.hooks(), ["acquired"]);

    // A hook is not under the lock: beside the command nothing may run as if it were.
    site.project.script("intrude", &format!("{tfguard} exec --no-wait -- touch intruded; echo code=$?"));
    let run: Run = site.exec(&[], &[], "while [ ! -e asked ]; do sleep 0.1; done");
    let mut run = run.env("TFGUARD_HOOK_ACQUIRED", "./intrude").start();
    let ended = run.wait_for("hook_finished");
    site.project.write("asked", "");
    run.finish().exits(0);
    let output = ended["output"].as_array().unwrap();
    assert!(output.contains(&"code=75".into()), "{ended}");
    assert!(!site.project.path("intruded").exists());
}
