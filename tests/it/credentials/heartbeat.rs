//! An expired token at a heartbeat: whether the lock is still ours is unknown then, and not lost.

use super::program::{eventually, exec, until};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};
use crate::support::folder::Folder;

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "secret")];
const EXPIRED: Fault =
    Fault::Error(400, "ExpiredTokenException", "The security token included in the request is expired");

#[test]
fn an_expired_token_at_a_heartbeat_is_unknown_and_not_lost() {
    let home = Folder::new();
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    let go = home.path().join("go");
    let options = ["--table", "locks", "--endpoint-url", &proxy.endpoint(), "--lease", "20s"];
    let run = exec(&home, &options, &KEYS, &until(&go));
    run.wait_for("child_started");
    let beat = || engine.get("locks", "tfguard:prod").map(|record| record["holders"].to_string());
    let before = beat();

    proxy.set(EXPIRED);
    let seen = proxy.seen("PutItem") + proxy.seen("GetItem");
    eventually("three refused requests", || proxy.seen("PutItem") + proxy.seen("GetItem") >= seen + 3);
    assert_eq!(beat(), before);
    proxy.set(Fault::None);
    run.wait_for("lock_renewed");
    assert_ne!(beat(), before);
    std::fs::write(&go, "").unwrap();

    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.events("lock_lost").is_empty(), "{}", ended.text);
    assert!(ended.text.contains("a heartbeat failed: The security token"), "{}", ended.text);
    assert_eq!(ended.events("lock_released").len(), 1);
    assert_eq!(ended.events("run_summary")[0]["outcome"], "succeeded");
}

#[test]
fn a_token_that_stays_expired_stops_the_command_by_the_clock() {
    let home = Folder::new();
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    let options = ["--table", "locks", "--endpoint-url", &proxy.endpoint(), "--lease", "10s"];
    let run = exec(&home, &options, &KEYS, "trap 'exit 3' INT; while :; do sleep 0.05; done");
    run.wait_for("child_started");
    proxy.set(EXPIRED);
    run.wait_for("child_exited");
    // So that it does not try for half a minute to release.
    proxy.set(Fault::None);
    let ended = run.end();
    assert_eq!(ended.code, Some(76), "{}", ended.text);
    let risk = ended.events("lock_at_risk");
    assert!(risk[0]["cause"].as_str().unwrap().contains("expired"), "{risk:?}");
    assert!(ended.events("lock_lost").is_empty(), "{}", ended.text);
}
