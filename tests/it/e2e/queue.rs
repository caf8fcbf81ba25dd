//! Who comes when: contenders, those who do not want to wait, and those who share.

use std::time::{Duration, Instant};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::Started;

over_both_stores![
    contenders_never_overlap_and_come_in_order,
    who_does_not_wait_gives_up_at_once,
    who_waits_too_long_gives_up_and_leaves_the_queue,
    shared_plans_run_together_and_an_apply_waits_for_them,
    who_waits_is_told_how_long_it_took_others,
];

/// Each apply replaces its resource, which says when the work begins and when it ends.
const WORK: &str = r#"
variable "who" {}

resource "terraform_data" "work" {
  triggers_replace = [var.who]

  provisioner "local-exec" {
    command = "echo begin ${var.who} >> diary; sleep 0.1; echo end ${var.who} >> diary"
  }
}
"#;

pub(super) fn contenders_never_overlap_and_come_in_order(locks: &Locks) {
    const CONTENDERS: usize = 6;
    let project = Project::with(WORK);
    let mut gate = locks.hold(&project);
    let mut contenders: Vec<Started> = (0..CONTENDERS)
        .map(|number| {
            let who = format!("-var=who={number}");
            let mut run = locks.run(&project).args(["apply", "--", "-auto-approve", &who]).start();
            assert_eq!(run.wait_for("lock_waiting")["position"], number + 1);
            run
        })
        .collect();
    gate.close_stdin();
    gate.finish().exits(0);

    let mut generations = Vec::new();
    for contender in contenders.drain(..) {
        let finished = contender.finish().exits(0);
        generations.push(finished.event("lock_acquired")["generation"].as_u64().unwrap());
    }
    let expected: Vec<_> =
        (0..CONTENDERS).flat_map(|number| [format!("begin {number}"), format!("end {number}")]).collect();
    assert_eq!(project.lines("diary"), expected);
    assert!(generations.is_sorted_by(|one, next| one < next), "{generations:?}");
    assert!(!project.state_is_locked());
    assert_eq!(locks.last(), ("released".into(), Some(0)));
}

pub(super) fn who_does_not_wait_gives_up_at_once(locks: &Locks) {
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let before = locks.record().unwrap();
    let started = Instant::now();
    let refused = locks.run(&project).args(["apply", "--no-wait", "--", "-auto-approve"]).output();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let refused =
        refused.exits(75).says(&["is held by", "running `cat`", "--no-wait", "status` shows the queue"]);
    assert!(!refused.kinds().contains(&"child_started"));
    assert_eq!(refused.event("run_summary")["outcome"], "not_acquired");
    assert_eq!(locks.record().unwrap()["queue"], before["queue"]);
    holder.close_stdin();
    holder.finish().exits(0);
    assert_eq!(project.read("terraform.tfstate"), "");
}

fn who_waits_too_long_gives_up_and_leaves_the_queue(locks: &Locks) {
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let started = Instant::now();
    let run = locks.run(&project).args(["apply", "--wait-timeout", "1s", "--", "-auto-approve"]).output();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    let run = run.exits(75).says(&["is held by", "gave up after", "--wait-timeout"]);
    assert!(!run.kinds().contains(&"child_started"));
    assert_eq!(locks.record().unwrap()["queue"], serde_json::json!([]));
    holder.close_stdin();
    holder.finish().exits(0);
}

/// An apply that says that it was there.
const SIGNED: &str = r#"
resource "terraform_data" "work" {
  provisioner "local-exec" {
    command = "echo applied >> diary"
  }
}
"#;

pub(super) fn shared_plans_run_together_and_an_apply_waits_for_them(locks: &Locks) {
    let project = Project::with(SIGNED);
    // A plan comes to its end only when somebody has written the file `go`.
    let terraform = project.script(
        "bin/terraform",
        "echo \"$@\" >> commands; [ \"$1\" = plan ] && echo here >> here\n\
         [ \"$1\" = plan ] && until [ -e go ]; do sleep 0.02; done\nexec terraform \"$@\"",
    );
    let run = |args: &[&str]| {
        let run = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", &terraform);
        run.args(args).start()
    };
    let mut plans = [run(&["plan", "--shared"]), run(&["plan", "--shared"])];
    for plan in &mut plans {
        plan.wait_for("child_started");
        plan.wait_until("two plans at once", |_| (project.lines("here").len() == 2).then_some(()));
    }
    let mut apply = run(&["apply", "--", "-auto-approve"]);
    let waiting = apply.wait_for("lock_waiting");
    assert_eq!(waiting["holders"].as_array().unwrap().len(), 2);
    assert_eq!(waiting["holders"][0]["mode"], "shared");
    // Who comes behind an apply waits behind it, although it could share.
    let late = locks.run(&project).args(["plan", "--shared", "--no-wait"]).output();
    late.exits(75).says(&["is held by", "shared"]);
    assert_eq!(project.read("diary"), "");
    project.write("go", "");
    let generations = plans.map(|plan| {
        let finished = plan.finish().exits(0);
        finished.event("lock_acquired")["generation"].as_u64().unwrap()
    });
    assert_eq!(generations[0], generations[1]);
    let apply = apply.finish().exits(0);
    assert_eq!(apply.event("lock_acquired")["generation"], generations[0] + 1);
    assert_eq!(project.lines("diary"), ["applied"]);
    let plans: Vec<_> =
        project.lines("commands").into_iter().filter(|line| line.starts_with("plan")).collect();
    assert_eq!(plans, ["plan -input=false -lock=false"; 2]);
}

fn who_waits_is_told_how_long_it_took_others(locks: &Locks) {
    let project = Project::hello();
    let run = || locks.run(&project).args(["exec", "--", "true"]);
    // What a waiter says behind a holder, in JSON and in text.
    let wait = |known: bool| {
        let mut holder = locks.hold(&project);
        let mut waiter = run().start();
        let estimate = waiter.wait_until("a line with an estimate or none", |run| {
            let told = run.events().into_iter().filter(|event| event["type"] == "lock_waiting");
            let mut told = told.map(|event| event["estimate"].clone());
            told.find(|estimate| estimate.is_null() != known)
        });
        holder.close_stdin();
        holder.finish().exits(0);
        (estimate, waiter.finish().exits(0).stderr)
    };
    run().output().exits(0);
    run().output().exits(0);
    let (estimate, text) = wait(false);
    assert!(estimate.is_null() && !text.contains("past runs"), "{text}");
    // The holder and the waiter have come to the two.
    let (estimate, text) = wait(true);
    assert!(estimate["runs"] == 4 && estimate.get("p90_ms").is_some(), "{estimate}");
    assert!(text.contains("4 past runs"), "{text}");
}
