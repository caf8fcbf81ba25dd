//! Shared runs are inside together, never beside an apply, and never starve one.

use std::path::PathBuf;

use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::Started;

over_both_stores![
    a_plan_and_a_look_for_drift_are_inside_at_once,
    a_stream_of_shared_runs_does_not_starve_an_apply,
];

/// Each child says that it is inside, and goes on once `go` is there.
fn gated(project: &Project) -> PathBuf {
    project.script(
        "bin/terraform",
        "[ \"$1\" = version ] || { echo \"$1\" >> inside; until [ -e \"go.$1\" ]; do sleep 0.02; done; \
         echo \"$1\" >> outside; }\nexec terraform \"$@\"",
    )
}

fn start(locks: &Locks, project: &Project, terraform: &PathBuf, args: &[&str]) -> Started {
    locks.run(project).env("TFGUARD_TERRAFORM_BIN", terraform).args(args).start()
}

fn a_plan_and_a_look_for_drift_are_inside_at_once(locks: &Locks) {
    let project = Project::hello();
    let terraform = gated(&project);
    let mut looks = start(locks, &project, &terraform, &["drift"]);
    let mut plans = start(locks, &project, &terraform, &["plan", "--shared"]);
    for run in [&mut looks, &mut plans] {
        // Neither comes out before both are in.
        run.wait_until("both inside", |_| (project.lines("inside").len() == 2).then_some(()));
    }
    assert_eq!(project.read("outside"), "");
    let mut apply = start(locks, &project, &terraform, &["run", "--auto-approve"]);
    assert_eq!(apply.wait_for("lock_waiting")["holders"].as_array().unwrap().len(), 2);
    assert_eq!(project.lines("inside").len(), 2, "a pipeline ran beside them");
    for phase in ["go.plan", "go.apply"] {
        project.write(phase, "");
    }
    let shared = [looks.finish().exits(0), plans.finish().exits(0)]
        .map(|run| run.event("lock_acquired")["generation"].as_u64().unwrap());
    assert_eq!(shared[0], shared[1]);
    let apply = apply.finish().exits(0);
    assert_eq!(apply.event("lock_acquired")["generation"], shared[0] + 1);
}

fn a_stream_of_shared_runs_does_not_starve_an_apply(locks: &Locks) {
    let project = Project::hello();
    let terraform = gated(&project);
    let mut first = start(locks, &project, &terraform, &["plan", "--shared"]);
    first.wait_until("the first inside", |_| (project.lines("inside").len() == 1).then_some(()));
    let mut apply = start(locks, &project, &terraform, &["apply", "--", "-auto-approve"]);
    assert_eq!(apply.wait_for("lock_waiting")["position"], 1);
    // They could share with the first, and stand behind the apply.
    let later: Vec<Started> = (2..5)
        .map(|position| {
            let mut run = start(locks, &project, &terraform, &["drift"]);
            assert_eq!(run.wait_for("lock_waiting")["position"], position);
            run
        })
        .collect();
    project.write("go.plan", "");
    first.finish().exits(0);
    apply.wait_until("the apply inside", |_| (project.lines("inside") == ["plan", "apply"]).then_some(()));
    project.write("go.apply", "");
    let apply = apply.finish().exits(0);
    let generation = apply.event("lock_acquired")["generation"].as_u64().unwrap();
    for run in later {
        // All of them together, one grant after the apply.
        assert_eq!(run.finish().exits(0).event("lock_acquired")["generation"], generation + 1);
    }
    assert_eq!(project.lines("inside")[..2], ["plan", "apply"]);
}
