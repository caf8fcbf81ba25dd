//! What bounds a run: its deadline, the time that a stop may take, and that nothing outlives it.

use rustix::process::Pid;

use super::locks::{Locks, over_both_stores};
use crate::support::processes::is_alive;
use crate::support::project::Project;

over_both_stores![
    a_deadline_stops_terraform_gracefully,
    a_command_that_does_not_stop_is_killed,
    what_a_command_leaves_is_killed_before_the_release,
];

fn a_deadline_stops_terraform_gracefully(locks: &Locks) {
    let project = Project::with(
        r#"
        resource "terraform_data" "work" {
          provisioner "local-exec" {
            command = "exec sleep 600"
          }
        }
        "#,
    );
    let apply = locks.run(&project).args(["apply", "--deadline", "2s", "--", "-auto-approve"]).output();
    // The child's own code: it ran to its end.
    let apply = apply.exits(1).says(&["stopping the command: the run's --deadline has come"]);
    assert_eq!(apply.stdout_text().matches("Interrupt received").count(), 1, "{}", apply.stdout_text());
    assert_eq!(apply.event("run_summary")["outcome"], "cancelled");
    assert_eq!(locks.last(), ("released".into(), Some(1)));
    assert!(!project.state_is_locked());
}

fn a_command_that_does_not_stop_is_killed(locks: &Locks) {
    let project = Project::empty();
    let script = "trap '' INT; echo $$ > pid; sleep 600";
    let limits = ["--deadline", "1s", "--stop-timeout", "500ms"];
    let run = locks.run(&project).args(["exec"]).args(limits).args(["--", "sh", "-c", script]).output();
    let run = run.exits(137).says(&["killing the command: it did not stop within --stop-timeout"]);
    assert_eq!(run.event("child_exited")["signal"], 9);
    assert_eq!(locks.last(), ("crashed".into(), None));
    assert!(!is_alive(pid_in(&project)));
}

fn what_a_command_leaves_is_killed_before_the_release(locks: &Locks) {
    if !cfg!(target_os = "linux") {
        // Elsewhere only the child's group can be found.
        return;
    }
    let project = Project::empty();
    let script = "setsid sleep 1000 & echo $! > pid; until grep -q sleep /proc/$!/comm; do :; done; exit 3";
    let run = locks.run(&project).args(["exec", "--", "bash", "-c", script]).output().exits(3);
    let pid = pid_in(&project);
    let named =
        format!("bash left processes behind, which were killed: sleep (pid {})", pid.as_raw_nonzero());
    let told = run.events.iter().position(|event| event["@message"] == named);
    let released = run.events.iter().position(|event| event["type"] == "lock_released");
    assert!(told.is_some() && told < released, "{}", run.stderr);
    assert!(!is_alive(pid));
    assert_eq!(locks.last(), ("released".into(), Some(3)));
}

#[test]
fn a_deadline_in_the_queue_ends_the_wait() {
    let locks = Locks::local();
    let project = Project::empty();
    let mut holder = locks.hold(&project);
    let waiter = locks.run(&project).args(["exec", "--deadline", "500ms", "--", "true"]).output().exits(75);
    let waiter = waiter.says(&["--deadline came before the lock was ours"]);
    assert!(!waiter.kinds().contains(&"child_started"));
    assert_eq!(locks.record().unwrap()["queue"], serde_json::json!([]));
    holder.close_stdin();
    holder.finish().exits(0);
}

fn pid_in(project: &Project) -> Pid {
    Pid::from_raw(project.read("pid").trim().parse().unwrap()).unwrap()
}
