//! Hooks that fail, hang, flood or leave something behind cost the run nothing but their time, which is
//! bounded.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::site::{Site, gone, results};

#[test]
fn the_lock_is_free_while_the_hook_of_its_release_hangs() {
    let site = Site::new();
    let run = site.exec(&["released=./hang hanging"], &["--hook-timeout", "6s"], "true").start();
    let hanging = site.pid("hanging");
    // Another run takes it, and is through, while the first still waits for its hook.
    site.locks.free_record();
    let second = site.exec(&["acquired=./tell"], &["--no-wait"], "true").output().exits(0);
    assert_eq!(results(&second.events), [("acquired", "succeeded")]);
    assert!(crate::support::processes::is_alive(hanging));
    let first = run.finish().exits(0);
    let place = |kind: &str| first.kinds().iter().position(|known| *known == kind).unwrap();
    assert!(place("lock_released") < place("hook_finished"));
    assert!(place("hook_finished") < place("run_summary"));
    assert_eq!(results(&first.events), [("released", "timed_out")]);
    assert!(first.event("hook_finished")["took_ms"].as_u64().unwrap() >= 6000);
    assert!(first.stderr.contains("warning: hook released"), "{}", first.stderr);
    gone(hanging);
}

/// The time from the child's end to the release, in one run without hooks and in one in which every hook
/// hangs, and the signals that a runner sends.
#[test]
fn hooks_that_hang_delay_neither_a_cancel_nor_the_release_and_a_signal_ends_them() {
    let site = Site::new();
    let hooks = ["acquired=./hang acquired", "released=./hang released"];
    let mut run = site.exec(&hooks, &["--hook-timeout", "5m"], "exec sleep 300").start();
    run.wait_for("child_started");
    let acquired = site.pid("acquired");
    kill_process(run.pid(), Signal::TERM).unwrap();
    run.wait_for("lock_released");
    site.locks.free_record();
    let released = site.pid("released");
    let start = Instant::now();
    kill_process(run.pid(), Signal::TERM).unwrap();
    let ended = run.finish().exits(130);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let between = |from: &str, to: &str| {
        let at = |kind: &str| -> jiff::Timestamp {
            ended.event(kind)["@timestamp"].as_str().unwrap().parse().unwrap()
        };
        at(to).duration_since(at(from)).as_secs_f64()
    };
    assert!(between("child_exited", "lock_released") < 5.0, "{:?}", ended.events);
    let mut ends = results(&ended.events);
    ends.sort_unstable();
    assert_eq!(ends, [("acquired", "stopped"), ("released", "stopped")]);
    assert_eq!(ended.event("run_summary")["outcome"], "cancelled");
    [acquired, released].into_iter().for_each(gone);
}

#[test]
fn a_cancel_in_the_queue_does_not_wait_for_the_hook() {
    let site = Site::new();
    let mut holder = site.locks.hold(&site.project);
    let mut waiter = site.exec(&["waiting=./hang waiting"], &["--hook-timeout", "5m"], "true").start();
    let waiting = site.pid("waiting");
    kill_process(waiter.pid(), Signal::TERM).unwrap();
    waiter.wait_for("signal");
    kill_process(waiter.pid(), Signal::TERM).unwrap();
    let ended = waiter.finish().exits(143);
    assert_eq!(results(&ended.events), [("waiting", "stopped")]);
    gone(waiting);
    assert_eq!(site.locks.record().unwrap()["queue"], serde_json::json!([]));
    holder.close_stdin();
    holder.finish().exits(0);
}

#[test]
fn a_hook_that_goes_wrong_is_a_warning_and_changes_nothing() {
    let site = Site::new();
    site.project.script("fail", "cat >/dev/null; echo to stdout; printf 'to stderr \\033[2J' >&2; exit 3");
    for (hook, result, part) in [
        ("acquired=./fail", "failed", "(exit code 3)"),
        ("acquired=./nowhere", "not_started", "cannot be found"),
        ("acquired=no-such-program-of-ours", "not_started", "no-such-program-of-ours cannot be found"),
        ("acquired=sh -c 'kill -9 $$'", "failed", "was ended by SIGKILL"),
        // It never reads what it is told.
        ("acquired=true", "succeeded", ""),
    ] {
        let run = site.exec(&[hook], &["--log-format", "text"], "true").output().exits(0);
        assert_eq!(results(&run.events), [("acquired", result)], "{hook}");
        assert!(run.stderr.contains(part), "{hook}: {}", run.stderr);
        assert_eq!(run.event("run_summary")["outcome"], "succeeded");
        if hook == "acquired=./fail" {
            let event = run.event("hook_finished");
            assert_eq!(event["output"], serde_json::json!(["to stdout", "to stderr \\u{1b}[2J"]));
            assert_eq!((&event["code"], &event["@level"]), (&3.into(), &"warn".into()));
            assert!(run.stderr.contains("tfguard: hook acquired: to stdout\n"), "{}", run.stderr);
        }
    }
}

#[test]
fn a_hook_that_floods_is_killed_in_time_and_its_end_is_shown() {
    let site = Site::new();
    let run = site.exec(&["acquired=yes flooding"], &["--hook-timeout", "1s"], "true").output().exits(0);
    let event = run.event("hook_finished");
    assert_eq!(event["result"], "timed_out");
    assert_eq!(event["output"].as_array().unwrap().len(), 20);
    assert!(event["omitted_bytes"].as_u64().unwrap() > 10_000, "{event}");
}

#[test]
fn what_a_hook_leaves_behind_ends_with_it() {
    let site = Site::new();
    let text = "setsid sleep 304 & echo $! > daemon; sleep 305 & echo $! > background";
    site.project.script("leave", text);
    let run = site.exec(&["acquired=./leave"], &[], "true").output().exits(0);
    assert_eq!(results(&run.events), [("acquired", "succeeded")]);
    gone(site.pid("background"));
    if cfg!(target_os = "linux") {
        gone(site.pid("daemon"));
    }
}
