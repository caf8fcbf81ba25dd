//! What the child is given, what others get to see, and a tfguard inside a tfguard.

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

over_both_stores![
    secrets_stay_with_terraform,
    a_tfguard_inside_runs_under_the_outer_lock,
    a_tfguard_inside_needs_an_outer_lock_that_holds_and_is_strong_enough,
];

const US: &str = env!("CARGO_BIN_EXE_tfguard");

#[test]
fn the_child_gets_our_variables_and_keeps_all_others() {
    let locks = Locks::local();
    let project = Project::empty();
    let run = || locks.run(&project).env("ODD", "a b=c\"").env("TF_LOG", "");
    let guarded = run().args(["exec", "--", "env"]).output().exits(0);
    let mut guarded: Vec<_> = guarded.stdout_text().lines().map(str::to_owned).collect();
    let record = locks.free_record();
    for ours in [
        "TFGUARD=1".to_owned(),
        "TFGUARD_LOCK_NAME=e2e".to_owned(),
        format!("TFGUARD_GENERATION={}", record["generation"]),
        format!("TFGUARD_SESSION={}", record["last"]["session"].as_str().unwrap()),
        "TF_IN_AUTOMATION=1".to_owned(),
    ] {
        let place = guarded.iter().position(|line| *line == ours);
        guarded.remove(place.unwrap_or_else(|| panic!("{ours} is not in {guarded:?}")));
    }
    let names: Vec<_> = guarded.iter().filter_map(|line| line.split('=').next()).collect();
    assert!(names.contains(&"HOME") && guarded.contains(&"ODD=a b=c\"".to_owned()), "{names:?}");
    assert!(guarded.contains(&"TF_LOG=".to_owned()));
    // What is left is what we were given ourselves, and that alone.
    let given = ["PATH", "HOME", "TMPDIR", "CHECKPOINT_DISABLE", "ODD", "TF_LOG"];
    for name in names {
        let known = given.contains(&name) || name.starts_with("AWS_") || name.starts_with("TFGUARD_");
        assert!(known, "{name} came from nowhere");
    }
}

fn secrets_stay_with_terraform(locks: &Locks) {
    let project = Project::with(
        r#"
        variable "password" { sensitive = true }

        resource "terraform_data" "work" {
          provisioner "local-exec" {
            command = "[ ${nonsensitive(length(var.password))} = 7 ] && touch begun && until [ -e go ]; do sleep 0.02; done"
          }
        }
        "#,
    );
    let args = ["apply", "-v", "--lease", "10s", "--", "-auto-approve", "-var", "password=hunter2"];
    let mut apply = locks.run(&project).args(args).start();
    apply.wait_until("work", |_| project.path("begun").exists().then_some(()));
    let waiter = locks.run(&project).args(["plan", "-v", "--", "-var=password=hunter2"]);
    let mut waiter = waiter.start();
    waiter.wait_for("lock_waiting");
    let status = locks.run(&project).args(["status", "--json"]).output().exits(0).stdout_text();
    let held = locks.everything();
    project.write("go", "");
    let finished = [apply.finish().exits(0), waiter.finish().exits(0)];
    let api = locks.run(&project).args(["exec", "--", "env", "TOKEN=hunter2", "true"]).output().exits(0);
    // The name of what was hidden is there, so that this looks at the right place.
    assert!(held.contains("password=…") && status.contains("password=…"), "{held}");
    let everywhere = |finished: &Finished| {
        let events: String = finished.events.iter().map(ToString::to_string).collect();
        assert!(events.contains("child_started"));
        finished.stderr.clone() + &events
    };
    let seen: String = finished.iter().chain([&api]).map(everywhere).collect();
    for text in [held, status, seen, locks.everything()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

fn a_tfguard_inside_runs_under_the_outer_lock(locks: &Locks) {
    let project = Project::hello();
    let inner = [US, "apply", "--no-wait", "--", "-auto-approve"];
    let run = locks.run(&project).args(["exec", "--"]).args(inner).output().exits(0);
    assert!(run.stdout_text().contains("Apply complete!"), "{}", run.stdout_text());
    let run = run.says(&["running under lock \"e2e\" of the tfguard that started this one"]);
    // Both write to one log file. One lock was taken and one released.
    let acquired: Vec<_> = run.events.iter().filter(|event| event["type"] == "lock_acquired").collect();
    assert_eq!(acquired.len(), 2);
    assert_eq!((&acquired[0]["inherited"], &acquired[1]["inherited"]), (&false.into(), &true.into()));
    assert_eq!(acquired[0]["generation"], acquired[1]["generation"]);
    assert_eq!(run.kinds().iter().filter(|kind| **kind == "lock_released").count(), 1);
    assert_eq!(locks.free_record()["runs"], 1);
    // A code comes out through both.
    let inner = [US, "plan", "--", "-destroy", "-detailed-exitcode"];
    locks.run(&project).args(["exec", "--"]).args(inner).output().exits(2);
    // Another lock is a lock of its own.
    let other = [US, "exec", "--lock", "other", "--", "sh", "-c", "echo $TFGUARD_LOCK_NAME"];
    let run = locks.run(&project).args(["exec", "--"]).args(other).output().exits(0);
    assert_eq!(run.stdout_text(), "other\n");
    assert_eq!(run.kinds().iter().filter(|kind| **kind == "lock_released").count(), 2);
}

fn a_tfguard_inside_needs_an_outer_lock_that_holds_and_is_strong_enough(locks: &Locks) {
    let project = Project::hello();
    let stale = |run: Run| run.env("TFGUARD_LOCK_NAME", "e2e").env("TFGUARD_SESSION", "long-gone");
    let run = stale(locks.run(&project)).args(["exec", "--", "true"]).output().exits(64);
    run.says(&["TFGUARD_SESSION", "does not show it", "unset"]);
    let mut holder = locks.hold(&project);
    let run = stale(locks.run(&project)).args(["exec", "--", "true"]).output().exits(64);
    run.says(&["does not show it"]);
    holder.close_stdin();
    holder.finish().exits(0);

    let inner = |args: &[&str]| {
        let run = locks.run(&project).args(["exec", "--shared", "--", US]).args(args);
        run.output()
    };
    inner(&["apply", "--", "-auto-approve"]).exits(64).says(&["shared", "exclusively"]);
    inner(&["plan", "--shared"]).exits(0).says(&["running under lock"]);
    assert_eq!(project.read("terraform.tfstate"), "");
}
