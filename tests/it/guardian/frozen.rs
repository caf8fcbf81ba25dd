//! The supervisor is alive and does nothing: stopped, or swapped out.

use std::time::{Duration, Instant};

use super::process::{is_alive, signal};
use super::stage::{LEASE, Over, Stage, wait_for};

/// The guardian keeps the deadlines, and the next run starts after the child's end.
#[test]
fn a_frozen_supervisor_s_child_is_stopped_before_anybody_takes_over() {
    let stage = Stage::new(Over::Local);
    let run = stage.working("run", &[]);
    let terraform = run.terraform();
    let after = stage.start("after", stage.apply("after", "0", &[]));
    wait_for("the waiter", || stage.status()["queue"].as_array().is_some_and(|queue| queue.len() == 1));
    signal(run.supervisor(), libc::SIGSTOP);
    let frozen = Instant::now();
    wait_for("the interrupt", || run.stdout().contains("Interrupt received."));
    let interrupted = frozen.elapsed();
    wait_for("Terraform's end", || !is_alive(terraform));
    let dead = frozen.elapsed();
    println!("measured: interrupted {interrupted:?}, dead {dead:?} after the freeze, lease {LEASE:?}");
    // The newest heartbeat is at most a sixth of the lease older than the freeze.
    assert!(interrupted > LEASE.mul_f64(1.0 / 2.0 - 1.0 / 6.0), "{interrupted:?}");
    assert!(interrupted < LEASE.mul_f64(0.5) + Duration::from_secs(1), "{interrupted:?}");
    assert!(dead < LEASE.mul_f64(0.9), "{dead:?}");
    assert!(run.stderr().contains("the supervisor of lock stage does not answer"), "{}", run.stderr());
    assert_eq!(after.end(), Some(0), "{}", after.stderr());
    let taken = frozen.elapsed();
    println!("measured: next run done {taken:?} after the freeze");
    assert!(taken < LEASE.mul_f64(1.1) + Duration::from_secs(4), "{taken:?}");
    signal(run.supervisor(), libc::SIGCONT);
    assert_eq!(run.end(), Some(76), "{}", run.stderr());
    assert!(run.stderr().contains("lease"), "{}", run.stderr());
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    stage.assert_clean();
}

/// A command that does not heed the interrupt is killed at 0.9 leases.
#[test]
fn a_frozen_supervisor_s_stubborn_child_is_killed_before_the_lease_ends() {
    let stage = Stage::new(Over::Local);
    let script = "trap '' INT; touch \"$STAGE/ready.run\"; while :; do sleep 1; done";
    let run = stage.start("run", stage.exec("run", &[], &["sh", "-c", script]));
    run.ready();
    let guardian = run.guardian();
    signal(run.supervisor(), libc::SIGSTOP);
    let frozen = Instant::now();
    let others = || run.processes().into_iter().any(|pid| pid != guardian && pid != run.supervisor());
    wait_for("the child's end", || !others());
    let dead = frozen.elapsed();
    println!("measured: killed {dead:?} after the freeze");
    assert!(dead > LEASE.mul_f64(0.9 - 1.0 / 6.0 - 0.05), "{dead:?}");
    assert!(dead < LEASE.mul_f64(0.9) + Duration::from_millis(300), "{dead:?}");
    signal(run.supervisor(), libc::SIGCONT);
    assert_eq!(run.end(), Some(76), "{}", run.stderr());
    assert!(run.stderr().contains("its guardian killed the command"), "{}", run.stderr());
    stage.assert_clean();
}

/// Frozen, and killed before it wakes up: the guardian's one byte is spent, the lock released.
#[test]
fn a_frozen_supervisor_that_is_killed_is_taken_over() {
    let stage = Stage::new(Over::Dynamo);
    let run = stage.working("run", &[]);
    signal(run.supervisor(), libc::SIGSTOP);
    let (terraform, guardian) = (run.terraform(), run.guardian());
    wait_for("Terraform's end", || !is_alive(terraform));
    run.kill_supervisor();
    wait_for("the guardian's end", || !is_alive(guardian));
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    stage.assert_clean();
}
