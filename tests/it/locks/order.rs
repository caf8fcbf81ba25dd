//! Locks are taken in one order, whatever order they are given in, and released in reverse.

use serde_json::json;

use super::hall::{Hall, locks_of, over_both};
use crate::support::run::Started;

over_both![
    runs_in_opposite_order_neither_block_each_other_nor_overlap,
    each_lock_is_taken_in_order_and_released_in_reverse,
];

/// Every two of these have a lock in common, and in the order given they would wait in circles.
const PAIRS: [[&str; 2]; 6] = [["a", "b"], ["b", "a"], ["b", "c"], ["c", "a"], ["a", "c"], ["c", "b"]];

fn runs_in_opposite_order_neither_block_each_other_nor_overlap(hall: &Hall) {
    let mut gate = hall.hold(&["a", "b", "c"]);
    let runs: Vec<Started> = PAIRS
        .iter()
        .map(|pair| {
            let mut run = hall.exec(pair, &[], "echo begin >> diary; sleep 0.05; echo end >> diary").start();
            run.wait_for("lock_waiting");
            run
        })
        .collect();
    gate.close_stdin();
    gate.finish().exits(0);
    for (run, pair) in runs.into_iter().zip(PAIRS) {
        let run = run.finish().exits(0);
        let mut sorted = pair;
        sorted.sort_unstable();
        assert_eq!(locks_of(&run.events, "lock_acquired"), sorted);
    }
    let turns: Vec<&str> = (0..PAIRS.len()).flat_map(|_| ["begin", "end"]).collect();
    assert_eq!(hall.project.lines("diary"), turns);
    hall.assert_free(&["a", "b", "c"]);
}

fn each_lock_is_taken_in_order_and_released_in_reverse(hall: &Hall) {
    hall.exec(&["z"], &[], "true").output().exits(0);
    let script = "echo $TFGUARD_LOCK_NAME; echo $TFGUARD_GENERATION; echo $TFGUARD_SESSION";
    let run = hall.exec(&["z", "m", "a", "m"], &[], script).output().exits(0);
    assert_eq!(locks_of(&run.events, "lock_acquired"), ["a", "m", "z"]);
    assert_eq!(locks_of(&run.events, "lock_released"), ["z", "m", "a"]);
    let generations: Vec<u64> =
        ["a", "m", "z"].iter().map(|lock| hall.status(lock)["generation"].as_u64().unwrap()).collect();
    let acquired = run.events.iter().filter(|event| event["type"] == "lock_acquired");
    assert_eq!(acquired.map(|event| event["generation"].as_u64().unwrap()).collect::<Vec<_>>(), generations);
    let listed: Vec<String> = generations.iter().map(ToString::to_string).collect();
    let session = hall.status("a")["last"]["session"].as_str().unwrap().to_owned();
    assert_eq!(run.stdout_text(), format!("a,m,z\n{}\n{session}\n", listed.join(",")));
    let summary = run.event("run_summary");
    assert_eq!((&summary["lock"], &summary["generation"]), (&json!("a,m,z"), &json!(null)));
    for (entry, (lock, generation)) in
        summary["locks"].as_array().unwrap().iter().zip(["a", "m", "z"].iter().zip(generations))
    {
        assert_eq!((&entry["lock"], &entry["generation"]), (&json!(lock), &json!(generation)));
        assert!(entry["held_ms"].is_u64(), "{summary}");
    }
    for lock in ["a", "m", "z"] {
        assert_eq!(hall.outcome(lock), "released");
    }
}

#[test]
fn the_file_of_a_repository_may_list_them() {
    let hall = Hall::local();
    hall.project.write("tfguard.toml", "lock = [\"net\", \"app\"]\n");
    let run = hall.run().args(["exec", "--", "true"]).output().exits(0);
    assert_eq!(locks_of(&run.events, "lock_acquired"), ["app", "net"]);
    // One lock that is given is not added to those of the file.
    let run = hall.exec(&["other"], &[], "true").output().exits(0);
    assert_eq!(run.event("run_summary")["lock"], "other");
}
