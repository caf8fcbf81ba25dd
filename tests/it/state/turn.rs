//! A restore is a run like any other: it waits its turn, and can be cancelled.

use rustix::process::{Signal, kill_process};

use super::bucket::{Bucket, Own, kept, restored};

const KEY: &str = "terraform.tfstate";

#[test]
fn a_restore_waits_for_a_running_apply_and_can_be_cancelled() {
    let bucket = Bucket::versioned();
    let project = bucket.project(Own::Table, KEY);
    bucket.apply(&project, &["one", "two"]);
    let start = |version: &str| {
        let mut restore = bucket.run(&project, &["state", "restore", version, "--yes"]).start();
        restore.wait_for("lock_waiting");
        restore
    };
    let mut apply = bucket.run(&project, &["exec", "--", "cat"]).stdin_open().start();
    apply.wait_for("child_started");
    let before = bucket.versions(&project);

    let cancelled = start("serial:1");
    kill_process(cancelled.pid(), Signal::TERM).unwrap();
    cancelled.finish().exits(143);
    assert_eq!((bucket.versions(&project), kept(&project).len()), (before.clone(), 0));

    // Named by what it is: it comes back whatever was applied meanwhile.
    let named = start("serial:1");
    // Named by what stands there now, which is another by then.
    let relative = start("previous");
    apply.close_stdin();
    apply.finish().exits(0);
    named.finish().exits(0);
    relative.finish().exits(75).says(&["was written anew while the lock was waited for"]);
    bucket.assert_state(&project, "one");
    // What was replaced is kept, and comes back by its name.
    let id = before[0]["version"].as_str().unwrap();
    restored(&bucket, &project, id);
    bucket.assert_state(&project, "two");
}
