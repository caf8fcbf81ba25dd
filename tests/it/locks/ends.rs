//! How a run under several locks ends when it does not end by itself.

use std::time::Instant;

use super::hall::{Hall, locks_of, over_both, released_by_guardian};
use crate::support::run::{BOUND, Started};

over_both![
    losing_one_stops_the_command_and_frees_the_others,
    the_guardian_of_a_killed_supervisor_releases_all_in_reverse,
];

fn working(hall: &Hall) -> Started {
    let mut run = hall.exec(&["a", "b", "c"], &["--lease", "10s"], "touch begun; exec sleep 60").start();
    run.wait_until("work", |_| hall.project.path("begun").exists().then_some(()));
    run
}

fn losing_one_stops_the_command_and_frees_the_others(hall: &Hall) {
    let run = working(hall);
    let started = Instant::now();
    let unlock = ["unlock", "--lock", "b", "--now", "--reason", "test", "--yes"];
    hall.run().args(unlock).output().exits(0).says(&["removed"]);
    let run = run.finish().exits(76).says(&["lock b is lost", "stopping the command"]);
    assert!(started.elapsed() < BOUND / 4, "{:?}", started.elapsed());
    assert_eq!(locks_of(&run.events, "lock_lost"), ["b"]);
    assert_eq!(run.event("run_summary")["outcome"], "lost");
    hall.assert_free(&["a", "b", "c"]);
    assert_eq!((hall.outcome("a").as_str(), hall.outcome("b").as_str()), ("crashed", "forced"));
}

fn the_guardian_of_a_killed_supervisor_releases_all_in_reverse(hall: &Hall) {
    let run = working(hall);
    run.kill();
    assert_eq!(released_by_guardian(&run, 3), ["c", "b", "a"]);
    hall.assert_free(&["a", "b", "c"]);
    for lock in ["a", "b", "c"] {
        assert_eq!(hall.outcome(lock), "crashed");
    }
}
