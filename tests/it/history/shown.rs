//! Which runs are shown, and how.

use serde_json::json;

use super::{history, numbers, plant, run};
use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::fault::{Fault, Proxy};
use crate::support::project::Project;
use crate::support::run::Run;

over_both_stores![
    a_lock_without_runs_says_so,
    the_last_runs_are_shown_the_newest_first,
    a_hostile_item_cannot_garble_the_table
];

fn a_lock_without_runs_says_so(locks: &Locks) {
    let project = Project::hello();
    let shown = locks.run(&project).args(["history"]).output().exits(0);
    assert_eq!(shown.stdout_text(), "");
    shown.says(&["lock e2e: there were no runs"]);
    assert_eq!(history(locks, &project, &[]), [json!(null); 0]);
    for (options, says) in [
        (&["-n", "0"][..], "0 is not in 1..=10000"),
        (&["-n", "x"], "invalid value"),
        (
            &["--since", "soon"],
            "--since \"soon\": it is not a duration such as 7d or \"1h 30m\", nor a date such as 2026-11-01",
        ),
    ] {
        locks.run(&project).args(["history"]).args(options).output().exits(64).says(&[says]);
    }
}

fn the_last_runs_are_shown_the_newest_first(locks: &Locks) {
    let project = Project::hello();
    for code in 0..4 {
        let script = format!("exit {code}");
        locks.run(&project).args(["exec", "--", "sh", "-c", &script]).output().exits(code);
    }
    let mut holder = locks.hold(&project);
    assert_eq!(numbers(&history(locks, &project, &["-n", "2"])), [5, 4]);
    assert_eq!(numbers(&history(locks, &project, &["--since", "1h"])), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&history(locks, &project, &["--since", "1h", "-n", "3"])), [5, 4, 3]);
    let runs = history(locks, &project, &["-n", "1"]);
    assert_eq!((&runs[0]["state"], &runs[0]["outcome"]), (&json!("running"), &json!(null)));

    let shown = locks.run(&project).args(["history", "-n", "3"]).env("USER", "ann").output().exits(0);
    let lines: Vec<String> = shown.stdout_text().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("RUN ") && lines[0].ends_with(" LINK"), "{lines:?}");
    let row = |line: usize, number: &str, outcome: &str| {
        let line = &lines[line];
        assert!(line.starts_with(number) && line.contains(outcome), "{line}");
    };
    row(1, "5 ", " running");
    row(2, "4 ", " failed (3)");
    row(3, "3 ", " failed (2)");
    assert_eq!(lines.len(), 4);
    holder.close_stdin();
    holder.finish().exits(0);
    // Nothing ended that long ago.
    let ended = history(locks, &project, &["--since", "0"]);
    assert_eq!(ended, [json!(null); 0]);
}

fn a_hostile_item_cannot_garble_the_table(locks: &Locks) {
    let project = Project::hello();
    let hostile = "\u{1b}[2J\n::error::x";
    let run = locks.run(&project).args(["exec", "--reason", hostile, "--", "true"]);
    run.env("USER", hostile).output().exits(0);
    let shown = locks.run(&project).args(["history"]).output().exits(0).stdout_text();
    assert_eq!(shown.lines().count(), 2, "{shown:?}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

/// What is older than asked for is not read, but for one request that shows that it is.
#[test]
fn a_store_is_read_only_as_far_back_as_it_has_to_be() {
    let locks = Locks::dynamodb();
    let Locks::Dynamodb(engine) = &locks else { unreachable!() };
    let proxy = Proxy::start(&engine.endpoint);
    // One an hour; the last of 450 began 449 hours after the first.
    let runs: Vec<_> =
        (1..=450_u32).map(|n| run(n.into(), [i64::from(n - 1) * 3600, 1, 60], &json!({}))).collect();
    plant(&locks, &runs);
    let project = Project::hello();
    for (options, shown, requests) in [
        (&["-n", "5"][..], 5, 1),
        (&["-n", "100"], 100, 1),
        // The start of run 401: all of it is on the first page, and the second shows that it ends there.
        (&["--since", "2026-12-08T00:00"], 50, 2),
        (&["--since", "2026-12-08T02:00+02:00", "-n", "70"], 50, 1),
        (&["--since", "2026-12-08", "-n", "10"], 10, 1),
        // Run 301.
        (&["--since", "2026-12-03T20:00"], 150, 3),
        (&["--since", "2026-11-21"], 450, 5),
    ] {
        let before = proxy.seen("BatchGetItem");
        let asked = locks.run(&project).env("TFGUARD_ENDPOINT_URL", proxy.endpoint());
        let found = asked.args(["history", "--json"]).args(options).output().exits(0);
        let document: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(document["runs"].as_array().unwrap().len(), shown, "{options:?}");
        assert_eq!(proxy.seen("BatchGetItem") - before, requests, "{options:?}");
    }
}

#[test]
fn several_locks_are_shown_one_after_the_other() {
    let locks = Locks::local();
    let project = Project::hello();
    let both = |args: &[&str]| locks.run(&project).without_env("TFGUARD_LOCK").args(args);
    both(&["exec", "--lock", "b", "--lock", "a", "--", "true"]).output().exits(0);
    let shown = both(&["history", "--lock", "b", "--lock", "a", "--lock", "c"]).output().exits(0);
    let text = shown.stdout_text();
    let heads: Vec<&str> =
        text.lines().filter(|line| line.starts_with("lock ")).map(|line| &line[..7]).collect();
    assert_eq!(heads, ["lock a ", "lock b ", "lock c "], "{text}");
    shown.says(&["lock c: there were no runs"]);
    let shown = both(&["history", "--lock", "b", "--lock", "a", "--json"]).output().exits(0);
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    crate::support::schema::check("history", &document);
    assert_eq!((&document["locks"][0]["lock"], &document["locks"][1]["lock"]), (&json!("a"), &json!("b")));
    assert!(document["locks"][1]["runs"][0]["session"].is_string());
    let page =
        both(&["history", "--lock", "b", "--lock", "a", "--html", "-"]).output().exits(0).stdout_text();
    assert!(page.contains("<h2 id=\"name-1\">a</h2>") && page.contains("<h2 id=\"name-2\">b</h2>"));
}

/// The history is for people: a table that takes the lock and not the history fails no run.
#[test]
fn a_history_that_cannot_be_written_changes_nothing_but_says_so() {
    let locks = Locks::dynamodb();
    let Locks::Dynamodb(engine) = &locks else { unreachable!() };
    let proxy = Proxy::start(&engine.endpoint);
    let project = Project::hello();
    let over = |proxy: &Proxy, args: &[&str]| -> Run {
        locks.run(&project).env("TFGUARD_ENDPOINT_URL", proxy.endpoint()).args(args)
    };
    let mut holder = over(&proxy, &["exec", "--", "cat"]).stdin_open().start();
    holder.wait_for("child_started");
    // The release is the next write but one; a heartbeat is half a minute away.
    proxy.set_after("PutItem", 1, Fault::Error(400, "AccessDeniedException", "not authorized"));
    holder.close_stdin();
    let holder = holder.finish().exits(0);
    holder.says(&["lock e2e released", "this run is missing in its history"]);
    proxy.set(Fault::None);
    let shown = over(&proxy, &["history"]).output().exits(0);
    shown.says(&["no run is kept in its history (1 were counted)"]);
    proxy.set_for("BatchGetItem", Fault::Error(400, "AccessDeniedException", "not authorized"));
    over(&proxy, &["history"]).output().exits(77).says(&["dynamodb:BatchGetItem"]);
}
