//! The store cannot be reached for half a lease, or the lock is not ours any more.

use std::time::{Duration, Instant};

use super::process::is_alive;
use super::stage::{LEASE, Over, Stage, wait_for};
use crate::support::fault::Fault;

/// Cuts the store off from a run at work. The command takes `work` seconds.
fn cut_off(stage: &Stage, options: &[&str], work: &str) -> (super::process::Run, Instant) {
    let run = stage.start("run", stage.apply("run", work, options));
    run.ready();
    stage.proxy.set(Fault::Hang);
    (run, Instant::now())
}

/// consul#9788, dynamolock#446: under a full partition the loss must be noticed, by our own clock.
#[test]
fn cut_off_from_the_store_the_child_is_stopped_before_the_lease_ends() {
    let stage = Stage::new(Over::Dynamo);
    let (run, since) = cut_off(&stage, &[], "60");
    let terraform = run.terraform();
    wait_for("Terraform's end", || !is_alive(terraform));
    let dead = since.elapsed();
    println!("measured: child dead {dead:?} after the cut, lease {LEASE:?}");
    assert!(dead < LEASE.mul_f64(0.9), "{dead:?}");
    stage.proxy.set(Fault::None);
    assert_eq!(run.end(), Some(76), "{}", run.stderr());
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    stage.assert_clean();
}

#[test]
fn with_on_lease_lost_continue_the_child_goes_on_and_it_is_said_loudly() {
    let stage = Stage::new(Over::Dynamo);
    let (run, since) = cut_off(&stage, &["--on-lease-lost", "continue"], "12");
    let terraform = run.terraform();
    wait_for("a whole lease to pass", || since.elapsed() > LEASE + Duration::from_millis(500));
    assert!(is_alive(terraform), "{}", run.stderr());
    assert!(!run.stdout().contains("Interrupt received."), "{}", run.stdout());
    let said = run.stderr();
    assert!(said.contains("tfguard: error: ") && said.contains("--on-lease-lost continue"), "{said}");
    stage.proxy.set(Fault::None);
    // It succeeded: 0, with a warning.
    assert_eq!(run.end(), Some(0), "{}", run.stderr());
    assert!(run.stderr().contains("the command succeeded all the same"), "{}", run.stderr());
    stage.assert_clean();
}
