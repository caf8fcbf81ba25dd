//! Every run is written down, however it ended.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{history, numbers};
use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::processes::{arguments, descendants, is_alive};
use crate::support::project::Project;
use crate::support::run::Started;

over_both_stores![
    runs_follow_each_other_and_say_what_came_of_them,
    a_killed_supervisor_is_written_down_by_its_guardian,
    whoever_finds_the_dead_writes_them_down,
    whoever_is_removed_is_written_down_and_tells_the_rest_itself,
    a_run_under_another_one_is_part_of_it,
];

fn runs_follow_each_other_and_say_what_came_of_them(locks: &Locks) {
    let project = Project::hello();
    let secret = ["apply", "--reason", "first", "--", "-auto-approve", "-var", "token=geheim"];
    project.write("variables.tf", "variable \"token\" { default = \"\" }\n");
    locks.run(&project).args(secret).env("USER", "ann").output().exits(0);
    locks.run(&project).args(["exec", "--", "sh", "-c", "exit 7"]).output().exits(7);
    locks.run(&project).args(["plan", "--shared"]).output().exits(0);
    let holder = locks.hold(&project);
    kill_process(holder.pid(), Signal::TERM).unwrap();
    holder.finish();

    let runs = history(locks, &project, &[]);
    assert_eq!(numbers(&runs), [4, 3, 2, 1]);
    let first = &runs[3];
    assert_eq!(first["state"], "over");
    assert_eq!(first["told_by"], "run");
    assert_eq!(first["identity"]["actor"], "ann");
    assert_eq!(first["identity"]["reason"], "first");
    assert!(first["identity"]["command"].as_str().unwrap().starts_with("terraform apply"), "{first}");
    assert_eq!((&first["outcome"], &first["result"]), (&json!("released"), &json!("succeeded")));
    assert_eq!((&first["exit_code"], &first["changed"]), (&json!(0), &json!(true)));
    assert!(first["held_ms"].as_u64().unwrap() > 0, "{first}");
    assert!(first["asked_at"].as_str() <= first["granted_at"].as_str(), "{first}");
    assert!(first["granted_at"].as_str() <= first["ended_at"].as_str(), "{first}");
    assert_eq!((&runs[2]["result"], &runs[2]["exit_code"]), (&json!("failed"), &json!(7)));
    assert_eq!((&runs[1]["mode"], &runs[1]["changed"]), (&json!("shared"), &json!(false)));
    assert_eq!((&runs[0]["result"], &runs[0]["outcome"]), (&json!("cancelled"), &json!("crashed")));
    let generations: Vec<_> = runs.iter().map(|run| run["generation"].as_u64().unwrap()).collect();
    assert!(generations.is_sorted_by(|newer, older| newer > older), "{generations:?}");
    assert!(!locks.everything().contains("geheim"));
}

fn a_killed_supervisor_is_written_down_by_its_guardian(locks: &Locks) {
    let project = Project::hello();
    let holder = locks.hold(&project);
    let guardian = guardian(&holder);
    holder.kill();
    gone(guardian);
    let runs = history(locks, &project, &[]);
    assert_eq!(numbers(&runs), [1]);
    assert_eq!((&runs[0]["told_by"], &runs[0]["outcome"]), (&json!("guardian"), &json!("crashed")));
    assert!(runs[0]["identity"]["command"].as_str().unwrap().contains("cat"), "{}", runs[0]);
}

fn whoever_finds_the_dead_writes_them_down(locks: &Locks) {
    let project = Project::hello();
    let mut holder = locks.hold_with(&project, &["-v", "--lease", "10s"]);
    let guardian = guardian(&holder);
    // Stopped first: neither is to notice that the other one dies.
    kill_process(guardian, Signal::STOP).unwrap();
    holder.kill();
    kill_process(guardian, Signal::KILL).unwrap();
    holder.close_stdin();
    locks.run(&project).args(["exec", "--", "true"]).output().exits(0);
    let runs = history(locks, &project, &[]);
    assert_eq!(numbers(&runs), [2, 1]);
    assert_eq!((&runs[1]["told_by"], &runs[1]["outcome"]), (&json!("other"), &json!("expired")));
    assert_eq!((&runs[1]["exit_code"], &runs[1]["changed"]), (&json!(null), &json!(true)));
    assert_eq!((&runs[0]["told_by"], &runs[0]["result"]), (&json!("run"), &json!("succeeded")));
}

fn whoever_is_removed_is_written_down_and_tells_the_rest_itself(locks: &Locks) {
    let project = Project::hello();
    let holder = locks.hold_with(&project, &["--lease", "10s"]);
    // It is not to learn of that yet.
    kill_process(holder.pid(), Signal::STOP).unwrap();
    let unlock = ["unlock", "--now", "--yes", "--reason", "runner is gone"];
    locks.run(&project).args(unlock).env("USER", "olga").output().exits(0);
    let told = |runs: &[serde_json::Value]| {
        assert_eq!(numbers(runs), [1]);
        assert_eq!(runs[0]["outcome"], "forced");
        assert_eq!(runs[0]["by"]["reason"], "runner is gone");
        assert!(runs[0]["by"]["by"].as_str().unwrap().contains("olga"), "{}", runs[0]);
        (runs[0]["told_by"].clone(), runs[0]["result"].clone())
    };
    assert_eq!(told(&history(locks, &project, &[])), (json!("other"), json!(null)));
    // It learns of that now, stops, and knows more.
    kill_process(holder.pid(), Signal::CONT).unwrap();
    holder.finish().exits(76);
    assert_eq!(told(&history(locks, &project, &[])), (json!("run"), json!("lost")));
}

fn a_run_under_another_one_is_part_of_it(locks: &Locks) {
    let project = Project::hello();
    let program = env!("CARGO_BIN_EXE_tfguard");
    locks.run(&project).args(["exec", "--", program, "exec", "--", "true"]).output().exits(0);
    let runs = history(locks, &project, &[]);
    assert_eq!(numbers(&runs), [1]);
    assert_eq!(runs[0]["result"], "succeeded");
}

fn guardian(holder: &Started) -> Pid {
    let is_guardian = |pid: &Pid| arguments(*pid).iter().any(|argument| argument == "--tfguard-guardian");
    descendants(holder.pid()).into_iter().find(is_guardian).unwrap()
}

fn gone(pid: Pid) {
    let start = std::time::Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < crate::support::run::BOUND, "the guardian does not end");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
