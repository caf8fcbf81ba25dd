//! A holder that is dead, its guardian with it: whoever waits takes over when the lease has run out.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::locks::{Locks, over_both_stores};
use crate::support::processes::{arguments, descendants};
use crate::support::project::Project;

over_both_stores![the_next_takes_over_from_the_dead];

fn time(text: &Value) -> jiff::Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

pub(super) fn the_next_takes_over_from_the_dead(locks: &Locks) {
    if !cfg!(target_os = "linux") {
        // The guardian is found in /proc.
        return;
    }
    let project = Project::hello();
    let mut holder = locks.hold_with(&project, &["-v", "--lease", "10s"]);
    let mut waiter = locks.run(&project).args(["apply", "--", "-auto-approve"]).start();
    waiter.wait_for("lock_waiting");
    holder.wait_for("lock_renewed");

    let is_guardian = |pid: &Pid| arguments(*pid).iter().any(|argument| argument == "--tfguard-guardian");
    let guardian = descendants(holder.pid()).into_iter().find(is_guardian).unwrap();
    // Stopped first: neither is to notice that the other one dies.
    kill_process(guardian, Signal::STOP).unwrap();
    holder.kill();
    kill_process(guardian, Signal::KILL).unwrap();
    let renewed = time(&locks.record().unwrap()["holders"][0]["renewed_at"]);
    // The command is what nobody stops any more; it ends with its input.
    holder.close_stdin();

    let acquired = waiter.wait_for("lock_acquired");
    let silent = Duration::try_from(time(&acquired["@timestamp"]).duration_since(renewed)).unwrap();
    let bounds = Duration::from_secs(11)..Duration::from_secs(16);
    assert!(bounds.contains(&silent), "taken over after {silent:?}");
    let generation = holder.wait_for("lock_acquired")["generation"].as_u64().unwrap();
    assert_eq!(acquired["generation"], generation + 1);
    let waiter = waiter.finish().exits(0);
    waiter.says(&["warning: the previous run 1", "stopped giving signs of life", "running `cat`"]);
    let record = locks.free_record();
    assert_eq!((&record["runs"], &record["last"]["run"]), (&2.into(), &2.into()));
    assert!(project.read("terraform.tfstate").contains("greeting"));
}
