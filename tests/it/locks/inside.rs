//! A tfguard inside a tfguard that asks for several locks, of which it holds some already.

use super::hall::{Hall, US, locks_of};
use crate::support::run::Finished;

/// Runs `inner` under `outer`, all of it inside one another, the last one with a script.
fn nested(hall: &Hall, levels: &[&[&str]], last: &[&str], script: &str) -> Finished {
    let mut args: Vec<&str> = Vec::new();
    for (level, locks) in levels.iter().enumerate() {
        if level > 0 {
            args.push(US);
        }
        args.push("exec");
        args.extend(locks.iter().flat_map(|lock| ["--lock", lock]));
        if level + 1 == levels.len() {
            args.extend(last);
        }
        args.push("--");
    }
    args.extend(["sh", "-c", script]);
    hall.run().args(args).output()
}

/// Which locks were taken, and which were found held, by all levels: they share a log file, in which
/// the lines of two processes have no order.
fn acquired(run: &Finished) -> (String, String) {
    let of = |inherited: bool| {
        let acquired = run.events.iter().filter(|event| event["type"] == "lock_acquired");
        let these = acquired.filter(|event| event["inherited"] == inherited);
        let mut names: Vec<_> = these.map(|event| event["lock"].as_str().unwrap()).collect();
        names.sort_unstable();
        names.join(" ")
    };
    (of(false), of(true))
}

fn taken(own: &str, inherited: &str) -> (String, String) {
    (own.to_owned(), inherited.to_owned())
}

#[test]
fn what_is_held_around_it_is_not_taken_again() {
    let hall = Hall::local();
    let run = nested(&hall, &[&["a", "b"], &["b", "a"]], &["--no-wait"], "true").exits(0);
    assert_eq!(acquired(&run), taken("a b", "a b"));
    assert_eq!(locks_of(&run.events, "lock_released"), ["b", "a"]);
    let run = nested(&hall, &[&["a", "b"], &["b"]], &["--no-wait"], "echo $TFGUARD_LOCK_NAME").exits(0);
    assert_eq!(acquired(&run), taken("a b", "b"));
    // It runs under both.
    assert_eq!(run.stdout_text(), "a,b\n");
    hall.assert_free(&["a", "b"]);
}

#[test]
fn what_is_not_held_is_taken_under_what_is() {
    let hall = Hall::local();
    let script = "echo $TFGUARD_LOCK_NAME; echo $TFGUARD_GENERATION; echo $TFGUARD_SESSION";
    let run = nested(&hall, &[&["a"], &["a", "b"]], &[], script).exits(0);
    assert_eq!(acquired(&run), taken("a b", "a"));
    assert_eq!(locks_of(&run.events, "lock_released"), ["b", "a"]);
    let (a, b) = (hall.status("a"), hall.status("b"));
    let session = |status: &serde_json::Value| status["last"]["session"].as_str().unwrap().to_owned();
    let expected = format!("a,b\n{},{}\n{},{}\n", a["generation"], b["generation"], session(&a), session(&b));
    assert_eq!(run.stdout_text(), expected);
    // Whoever is further inside runs under both.
    let run = nested(&hall, &[&["a"], &["a", "b"], &["a", "b"]], &["--no-wait"], "true").exits(0);
    assert_eq!(acquired(&run), taken("a b", "a a b"));
    hall.assert_free(&["a", "b"]);
}

/// It would wait for its own ancestor.
#[test]
fn a_lock_of_an_ancestor_further_out_is_known_too() {
    let hall = Hall::local();
    let run = nested(&hall, &[&["a"], &["other"], &["a"]], &["--no-wait"], "true").exits(0);
    assert_eq!(acquired(&run), taken("a other", "a"));
}

#[test]
fn waiting_out_of_order_under_an_ancestors_lock_is_64() {
    let hall = Hall::local();
    let run = nested(&hall, &[&["b"], &["a", "b"]], &[], "touch ran").exits(64);
    run.says(&["holds lock b", "lock a comes before it", "--lock a", "--no-wait"]);
    let run = nested(&hall, &[&["a", "c"], &["a", "b"]], &[], "touch ran").exits(64);
    run.says(&["holds lock c", "lock b comes before it"]);
    assert!(!hall.project.path("ran").exists());
    // Who does not wait is in nobody's way.
    nested(&hall, &[&["b"], &["a", "b"]], &["--no-wait"], "touch ran").exits(0);
    assert!(hall.project.path("ran").exists());
    hall.assert_free(&["a", "b", "c"]);
}

#[test]
fn a_stale_or_weaker_hold_of_one_of_them_is_64() {
    let hall = Hall::local();
    let run = hall.exec(&["a", "b"], &[], "touch ran").env("TFGUARD_LOCK_NAME", "a");
    let run = run.env("TFGUARD_GENERATION", "1").env("TFGUARD_SESSION", "long-gone").output();
    run.exits(64).says(&["holds lock a", "does not show it"]);
    let shared =
        ["exec", "--lock", "a", "--shared", "--", US, "exec", "--lock", "a", "--lock", "b", "--", "true"];
    hall.run().args(shared).output().exits(64).says(&["lock a shared", "exclusively"]);
    assert!(!hall.project.path("ran").exists());
}
