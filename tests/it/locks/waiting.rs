//! While one lock is waited for those before it are held, kept alive, and given back when it is not
//! got.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::hall::{Hall, locks_of, over_both};
use crate::support::run::{BOUND, Started};

over_both![
    who_does_not_get_all_in_time_has_none,
    who_does_not_wait_has_all_at_once_or_none,
    a_signal_gives_back_what_was_held,
    what_is_lost_meanwhile_ends_the_run_before_its_command,
];

/// A run that holds `a` and waits for `b`, which somebody else holds.
fn halfway(hall: &Hall, options: &[&str]) -> (Started, Started) {
    let holder = hall.hold(&["b"]);
    let mut run = hall.exec(&["b", "a"], options, "touch ran").start();
    assert_eq!(run.wait_for("lock_acquired")["lock"], "a");
    assert_eq!(run.wait_for("lock_waiting")["lock"], "b");
    (holder, run)
}

fn over(hall: &Hall, mut holder: Started) {
    assert_eq!(hall.status("a")["state"], "free");
    assert_eq!(hall.status("b")["queue"], serde_json::json!([]));
    assert!(!hall.project.path("ran").exists());
    holder.close_stdin();
    holder.finish().exits(0);
    hall.assert_free(&["a", "b"]);
}

fn who_does_not_get_all_in_time_has_none(hall: &Hall) {
    let started = Instant::now();
    let (holder, run) = halfway(hall, &["--wait-timeout", "1s"]);
    let run = run.finish().exits(75).says(&["lock b is held by", "gave up after", "lock a released"]);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(locks_of(&run.events, "lock_released"), ["a"]);
    let summary = run.event("run_summary");
    assert_eq!((&summary["lock"], &summary["outcome"]), (&"a,b".into(), &"not_acquired".into()));
    assert!(summary["locks"][0]["generation"].is_u64() && summary["locks"][1]["generation"].is_null());
    over(hall, holder);
}

fn who_does_not_wait_has_all_at_once_or_none(hall: &Hall) {
    let holder = hall.hold(&["b"]);
    let run = hall.exec(&["a", "b", "c"], &["--no-wait"], "touch ran").output().exits(75);
    let run = run.says(&["lock b is held by", "--no-wait"]);
    assert_eq!(locks_of(&run.events, "lock_acquired"), ["a"]);
    assert_eq!(locks_of(&run.events, "lock_released"), ["a"]);
    over(hall, holder);
    hall.exec(&["a", "b", "c"], &["--no-wait"], "true").output().exits(0);
}

fn a_signal_gives_back_what_was_held(hall: &Hall) {
    let (holder, run) = halfway(hall, &[]);
    kill_process(run.pid(), Signal::TERM).unwrap();
    let run = run.finish().exits(143);
    assert_eq!(locks_of(&run.events, "lock_released"), ["a"]);
    over(hall, holder);
}

fn what_is_lost_meanwhile_ends_the_run_before_its_command(hall: &Hall) {
    let (holder, run) = halfway(hall, &["--lease", "10s"]);
    let unlock = ["unlock", "--lock", "a", "--reason", "test", "--yes"];
    hall.run().args(unlock).output().exits(0).says(&["asked to stop"]);
    let run = run.finish().exits(76).says(&["lock a", "lost while lock b was waited for", "nothing was run"]);
    assert_eq!(run.event("lock_lost")["lock"], "a");
    assert_eq!(run.event("run_summary")["outcome"], "lost");
    over(hall, holder);
}

/// The wait outlasts the lease of what is held, and more than what others would wait before they
/// took it for dead.
#[test]
fn what_is_held_is_kept_alive_while_the_next_is_waited_for() {
    let hall = Hall::dynamodb();
    let mut holder = hall.hold(&["b"]);
    let mut run = hall.exec(&["a", "b"], &["--lease", "10s", "-v"], "true").start();
    run.wait_for("lock_waiting");
    let rival = hall.exec(&["a"], &["--lease", "10s"], "true").start();
    // Seven beats of a sixth of the lease each.
    let renewed = run.wait_for_nth("lock_renewed", 7);
    assert_eq!(renewed["lock"], "a");
    let status = hall.status("a");
    assert_eq!(status["holders"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["queue"].as_array().unwrap().len(), 1, "{status}");
    holder.close_stdin();
    holder.finish().exits(0);
    let run = run.finish().exits(0);
    assert_eq!(locks_of(&run.events, "lock_acquired"), ["a", "b"]);
    rival.finish().exits(0);
}

/// Nobody else would free it before its lease ends, which is 3 minutes here.
#[test]
fn the_guardian_gives_back_what_a_killed_waiter_held() {
    let hall = Hall::local();
    let (holder, run) = halfway(&hall, &[]);
    run.kill();
    let start = Instant::now();
    while hall.status("a")["state"] != "free" {
        assert!(start.elapsed() < BOUND, "lock a is not released");
    }
    assert_eq!(hall.outcome("a"), "crashed");
    drop(run);
    drop(holder);
}
