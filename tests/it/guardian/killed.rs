//! The supervisor is killed, alone or together with its guardian.

use std::time::{Duration, Instant};

use super::process::{gone, is_alive, signal};
use super::stage::{LEASE, Over, Stage, wait_for};
use crate::support::fault::Fault;
use crate::support::schema;

/// From Terraform's own end to the release.
const RELEASE: Duration = Duration::from_secs(1);

/// Kills the supervisor of a run at work. Checks all that is promised then, and says how long
/// after Terraform's end the lock was free.
fn kill_at_work(stage: &Stage, options: &[&str]) -> (super::process::Run, Duration) {
    let run = stage.working("run", options);
    let (guardian, terraform) = (run.guardian(), run.terraform());
    run.kill_supervisor();
    gone(terraform);
    let ended = Instant::now();
    wait_for("the release", || stage.is_free());
    let released = ended.elapsed();
    gone(guardian);
    assert!(released < RELEASE, "released {released:?} after Terraform's end");
    assert_eq!(stage.outcome(), "crashed");
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    assert!(!run.stdout().contains("Two interrupts received"), "{}", run.stdout());
    stage.assert_clean();
    (run, released)
}

#[test]
fn over_local_terraform_is_stopped_and_the_lock_released() {
    let stage = Stage::new(Over::Local);
    let (run, released) = kill_at_work(&stage, &[]);
    println!("measured: released {released:?} after Terraform's end, local");
    assert!(run.stderr().contains("the supervisor of lock stage was killed"), "{}", run.stderr());
    assert!(run.stderr().contains("lock stage released"), "{}", run.stderr());
}

#[test]
fn over_dynamodb_terraform_is_stopped_and_the_lock_released() {
    let (_, released) = kill_at_work(&Stage::new(Over::Dynamo), &[]);
    println!("measured: released {released:?} after Terraform's end, dynamodb");
}

#[test]
fn over_s3_terraform_is_stopped_and_the_lock_released() {
    let (_, released) = kill_at_work(&Stage::new(Over::S3), &[]);
    println!("measured: released {released:?} after Terraform's end, s3");
}

/// terraform#31911: a broken pipe in place of stdout ends Terraform with its state locked. What it
/// says while it stops is carried on instead.
#[test]
fn sigpipe_does_not_leave_the_state_locked() {
    let stage = Stage::new(Over::Local);
    let (run, _) = kill_at_work(&stage, &[]);
    let after = run.stdout();
    let after = after.split_once("Interrupt received.").unwrap().1;
    assert!(after.contains("Gracefully shutting down"), "{after}");
}

#[test]
fn in_json_the_guardian_speaks_on_stdout_and_lines_stay_lines() {
    let stage = Stage::new(Over::Local);
    let run = stage.working("run", &["--log-format", "json"]);
    let guardian = run.guardian();
    run.kill_supervisor();
    gone(guardian);
    let lines = schema::log(&run.stdout());
    let told = |text: &str| {
        lines.iter().any(|line| line["@message"].as_str().is_some_and(|said| said.contains(text)))
    };
    assert!(told("the supervisor of lock stage was killed"), "{}", run.stdout());
    assert!(told("Interrupt received"), "{}", run.stdout());
    assert!(lines.iter().any(|line| line["type"] == "lock_released"), "{}", run.stdout());
    assert_eq!(run.stderr(), "");
    stage.assert_clean();
}

/// The reader of our output died with us: nobody can be told, and Terraform must stop all the same.
#[test]
fn a_reader_that_died_too_changes_nothing() {
    let stage = Stage::new(Over::Local);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = stage.apply("run", "60", &[]);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let run = stage.start("run", command);
    run.ready();
    drop(reader);
    let guardian = run.guardian();
    run.kill_supervisor();
    gone(guardian);
    assert_eq!(stage.outcome(), "crashed");
    stage.assert_clean();
}

/// A command that ignores the interrupt, and a process that went into a session of its own.
#[test]
fn what_does_not_stop_is_killed_before_the_release() {
    let stage = Stage::new(Over::Local);
    let script = "trap '' INT; setsid sleep 300 & echo $! >\"$STAGE/daemon\"; \
                  touch \"$STAGE/ready.run\"; while :; do sleep 1; done";
    let run = stage.start("run", stage.exec("run", &["--stop-timeout", "1s"], &["sh", "-c", script]));
    run.ready();
    let daemon = stage.lines("daemon")[0].parse().unwrap();
    assert!(is_alive(daemon));
    run.kill_supervisor();
    wait_for("the release", || stage.is_free());
    assert!(!is_alive(daemon), "released with something left");
    assert!(run.stderr().contains("did not stop within --stop-timeout"), "{}", run.stderr());
    stage.assert_clean();
}

/// A command that ends well at the interrupt and leaves a daemon in a session of its own.
#[test]
fn what_a_stopped_command_leaves_is_killed_and_named_before_the_release() {
    let stage = Stage::new(Over::Local);
    let script = "trap 'exit 0' INT; setsid sleep 300 & echo $! >\"$STAGE/daemon\"; \
                  touch \"$STAGE/ready.run\"; while :; do sleep 0.1; done";
    let run = stage.start("run", stage.exec("run", &[], &["sh", "-c", script]));
    run.ready();
    let daemon: i32 = stage.lines("daemon")[0].parse().unwrap();
    assert!(is_alive(daemon));
    run.kill_supervisor();
    wait_for("the release", || stage.is_free());
    assert!(!is_alive(daemon), "released with something left");
    let said = run.stderr();
    assert!(said.contains("left processes behind") && said.contains(&format!("(pid {daemon})")), "{said}");
    stage.assert_clean();
}

/// The command has ended and the release is under way: there is nothing to stop and nobody to wait
/// for, and the record still says that we hold the lock.
#[test]
fn killed_while_no_child_runs_the_lock_is_released() {
    let stage = Stage::new(Over::Dynamo);
    let run =
        stage.start("run", stage.exec("run", &[], &["sh", "-c", "touch \"$STAGE/ready.run\"; sleep 1"]));
    run.ready();
    stage.proxy.set(Fault::Hang);
    let guardian = run.guardian();
    wait_for("the command's end", || run.processes().len() <= 2);
    let before = stage.proxy.requests();
    wait_for("the tries to release", || stage.proxy.requests() >= before + 2);
    run.kill_supervisor();
    stage.proxy.set(Fault::None);
    gone(guardian);
    assert!(stage.is_free(), "{}", run.stderr());
    assert_eq!(stage.outcome(), "crashed");
    stage.assert_clean();
}

/// Between any two steps of the start: the lock is asked for, granted, the guardian posted, the
/// command started, the guardian told. Whatever was reached, what runs is stopped, and the lock is
/// not released before that.
#[test]
fn killed_at_any_moment_of_its_start_nothing_runs_under_a_free_lock() {
    let stage = Stage::new(Over::Local);
    let (mut early, mut late, mut left) = (0, 0, 0);
    for moment in 0..300 {
        let name = format!("moment{moment}");
        let mut command = stage.tfguard_under(&name);
        command.args(["exec", "--", "sh", "-c", "touch \"$STAGE/ready.$STAGE_RUN\"; exec sleep 97"]);
        stage.named(&mut command, &name, "0");
        let run = stage.start(&name, command);
        std::thread::sleep(Duration::from_micros(1500 * moment));
        run.kill_supervisor();
        let works = || run.processes().into_iter().any(|pid| !is_tfguard(pid));
        wait_for("the processes to be gone", || {
            let last = stage.status_of(&name)["last"].clone();
            assert!(last.is_null() || !works(), "{moment}: released with the command alive: {last}");
            run.processes().is_empty()
        });
        // Killed before there was a guardian: that one runs out.
        let holders = stage.status_of(&name)["holders"].clone();
        left += u32::from(holders.as_array().is_some_and(|holders| !holders.is_empty()));
        *if stage.path(&format!("ready.{name}")).exists() { &mut late } else { &mut early } += 1;
        if late == 10 {
            break;
        }
    }
    println!("measured: killed before its command {early}, after {late}, left to run out {left}");
    assert!(early > 0 && late == 10, "the moments were all on one side: {early}, {late}");
}

fn is_tfguard(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.ends_with("tfguard"))
}

/// Nobody guards a place in the queue: it is passed over.
#[test]
fn a_waiter_that_was_killed_is_passed_over() {
    let stage = Stage::new(Over::Local);
    let holder = stage.working("holder", &[]);
    let dead = stage.start("dead", stage.apply("dead", "0", &[]));
    wait_for("the first waiter", || stage.status()["queue"].as_array().is_some_and(|queue| queue.len() == 1));
    let last = stage.start("last", stage.apply("last", "0", &[]));
    wait_for("the second waiter", || {
        stage.status()["queue"].as_array().is_some_and(|queue| queue.len() == 2)
    });
    dead.kill_supervisor();
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    let freed = Instant::now();
    assert_eq!(last.end(), Some(0), "{}", last.stderr());
    let waited = freed.elapsed();
    println!("measured: {waited:?} behind a dead waiter, with the apply itself");
    assert!(waited > Duration::from_secs(9), "the dead waiter was no obstacle: {waited:?}");
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    stage.assert_clean();
}

/// The machine dies, with everything on it.
#[test]
fn the_machine_dies_and_whoever_waits_takes_over_in_time() {
    let stage = Stage::new(Over::Dynamo);
    let run = stage.working("run", &[]);
    let after = stage.start("after", stage.exec("after", &[], &["true"]));
    wait_for("the waiter", || stage.status()["queue"].as_array().is_some_and(|queue| queue.len() == 1));
    signal(run.supervisor(), libc::SIGSTOP);
    run.processes().into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
    let killed = Instant::now();
    assert_eq!(after.end(), Some(0), "{}", after.stderr());
    let took = killed.elapsed();
    println!("measured: takeover {took:?} after the machine died, lease {LEASE:?}");
    assert!(took < LEASE.mul_f64(1.1) + Duration::from_secs(2), "{took:?}");
    assert!(took > LEASE.mul_f64(0.9), "taken over too early: {took:?}");
    assert!(after.stderr().contains("stopped giving signs of life"), "{}", after.stderr());
    // Terraform was killed and could not free its state: a person is told, and has to.
    assert!(stage.state.lock().is_some());
    stage.state.force_unlock();
    stage.assert_clean();
}

/// Both are killed and Terraform is spared: nobody stops it. The lease runs out and the next run
/// takes over; Terraform's own lock on the state is what guards then. It has no reader any more:
/// the next line that it prints ends it, with its lock left behind.
#[test]
fn both_killed_the_lease_runs_out_and_terraforms_own_lock_guards() {
    let stage = Stage::new(Over::Dynamo);
    let run = stage.working("run", &[]);
    let (guardian, terraform) = (run.guardian(), run.terraform());
    // So that no successor is posted in between.
    signal(run.supervisor(), libc::SIGSTOP);
    signal(guardian, libc::SIGKILL);
    run.kill_supervisor();
    let killed = Instant::now();
    let next = stage.start("after", stage.apply("after", "0", &[]));
    let code = next.end();
    let took = killed.elapsed();
    println!("measured: takeover {took:?} after both were killed, with the apply that failed");
    assert!(took < LEASE.mul_f64(1.1) + Duration::from_secs(2), "{took:?}");
    assert!(took > LEASE.mul_f64(0.8), "taken over too early: {took:?}");
    assert_eq!(stage.lines("overlaps"), ["after run"], "nothing of the run was spared");
    assert_eq!(code, Some(1), "{}", next.stdout());
    let said = next.stderr() + &next.stdout();
    assert!(said.contains("Error acquiring the state lock"), "{said}");
    gone(terraform);
    assert!(stage.state.lock().is_some(), "it released its lock");
    for pid in stage.processes() {
        signal(pid, libc::SIGKILL);
    }
    wait_for("the provisioner's end", || stage.processes().is_empty());
    stage.state.force_unlock();
    std::fs::remove_file(stage.path("overlaps")).unwrap();
    stage.assert_clean();
}
