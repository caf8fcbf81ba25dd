//! The guardian's own life: posted, replaced, dismissed.

use std::fs;
use std::time::{Duration, Instant};

use super::process::{Run, environment, gone, is_alive, signal, state};
use super::stage::{LEASE, Over, Stage, wait_for};

/// The variables by which CI runners find what a job left.
const HUNTED_BY: [(&str, &str); 3] =
    [("RUNNER_TRACKING_ID", "github_1"), ("JENKINS_NODE_COOKIE", "cookie"), ("BUILD_ID", "7")];

#[test]
fn it_hides_from_the_runners_sweep_and_terraform_does_not() {
    let stage = Stage::new(Over::Local);
    let mut command = stage.apply("run", "60", &[]);
    command.envs(HUNTED_BY);
    let run = stage.start("run", command);
    run.ready();
    let shown = |pid| {
        let environment = environment(pid).unwrap();
        HUNTED_BY.iter().filter(|(name, value)| environment.contains(&format!("{name}={value}"))).count()
    };
    assert_eq!(shown(run.guardian()), 0);
    assert_eq!(shown(run.terraform()), HUNTED_BY.len());
    signal(run.supervisor(), libc::SIGTERM);
    assert_eq!(run.end(), Some(1));
    stage.assert_clean();
}

/// It is in a session of its own, and deaf to what ends others, from the first moment on.
#[test]
fn signals_for_everybody_do_not_end_it() {
    let stage = Stage::new(Over::Local);
    let run = stage.working("run", &[]);
    let guardian = run.guardian();
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        signal(guardian, number);
    }
    let stat = fs::read_to_string(format!("/proc/{guardian}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[2], fields[3]), (guardian.to_string().as_str(), guardian.to_string().as_str()));
    // As a runner that signals every process does, in the order of Docker: Terraform first.
    for pid in [run.terraform(), guardian, run.supervisor()] {
        signal(pid, libc::SIGTERM);
    }
    assert_eq!(run.end(), Some(1), "{}", run.stderr());
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    assert!(!run.stdout().contains("Two interrupts received"), "{}", run.stdout());
    assert!(!run.stderr().contains("the guardian has died"), "{}", run.stderr());
    stage.assert_clean();
}

/// Terraform was interrupted by somebody else and has said so when the supervisor is killed.
#[test]
fn it_does_not_signal_a_child_that_has_shown_an_interrupt() {
    let stage = Stage::new(Over::Local);
    // It takes its time with stopping, and counts.
    let script = "trap 'echo \"Interrupt received.\"; echo x >>\"$STAGE/interrupts\"' INT; \
                  touch \"$STAGE/ready.run\"; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; done";
    let run = stage.start("run", stage.exec("run", &[], &["sh", "-c", script]));
    run.ready();
    let guardian = run.guardian();
    let shell = run.processes().into_iter().find(|pid| is_script(*pid)).unwrap();
    signal(shell, libc::SIGINT);
    wait_for("the word", || run.stdout().contains("Interrupt received."));
    // It has passed the word on before it tells its guardian, and that is nowhere to be seen.
    std::thread::sleep(Duration::from_millis(500));
    run.kill_supervisor();
    gone(guardian);
    assert_eq!(stage.lines("interrupts"), ["x"]);
    stage.assert_clean();
}

fn is_script(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(6).any(|part| part == b"sh\0-c\0"))
        && !fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.ends_with("tfguard"))
}

#[test]
fn it_makes_no_connection_while_the_supervisor_lives() {
    let stage = Stage::new(Over::Dynamo);
    let run = stage.working("run", &[]);
    let guardian = run.guardian();
    let before = stage.proxy.connections();
    let beats = || stage.proxy.seen("PutItem") + stage.proxy.seen("UpdateItem");
    let first = beats();
    wait_for("three heartbeats", || beats() >= first + 3);
    assert_eq!(stage.proxy.connections(), before, "somebody else has connected");
    assert_eq!(fs::read_dir(format!("/proc/{guardian}/task")).unwrap().count(), 1, "it has threads");
    let kilobytes = resident(guardian);
    println!("measured: guardian's resident size {kilobytes} kB, debug build");
    assert!(kilobytes < 25_000, "{kilobytes} kB");
    run.kill_supervisor();
    gone(guardian);
    assert!(stage.proxy.connections() > before, "nobody has connected to release");
    stage.assert_clean();
}

fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn it_does_not_outlive_its_run() {
    let stage = Stage::new(Over::Local);
    let ends: [(&[&str], Option<i32>); 4] = [
        (&["true"], Some(0)),
        (&["sh", "-c", "exit 3"], Some(3)),
        (&["sh", "-c", "kill -9 $$"], Some(137)),
        (&["/nonexistent"], Some(127)),
    ];
    for (argv, code) in ends {
        let run = stage.start("run", stage.exec("run", &[], argv));
        assert_eq!(run.end(), code, "{argv:?} {}", run.stderr());
        assert_eq!(run.processes(), [0; 0], "{argv:?}");
    }
    let run = stage.start("apply", stage.apply("apply", "0", &[]));
    assert_eq!(run.end(), Some(0), "{}", run.stderr());
    assert_eq!(run.processes(), [0; 0]);
    stage.assert_clean();
}

/// Kills the guardian and waits for its successor.
fn succeeded(run: &Run) -> i32 {
    let old = run.guardian();
    signal(old, libc::SIGKILL);
    let mut new = old;
    wait_for("another guardian", || {
        new = run.find_guardian().unwrap_or(old);
        new != old
    });
    new
}

#[test]
fn a_guardian_that_was_killed_is_replaced_and_the_next_one_takes_over() {
    let stage = Stage::new(Over::Local);
    let run = stage.working("run", &[]);
    let second = succeeded(&run);
    let third = succeeded(&run);
    assert_ne!(second, third);
    assert!(run.stderr().contains("another one took its post"), "{}", run.stderr());
    let terraform = run.terraform();
    run.kill_supervisor();
    gone(terraform);
    gone(third);
    assert_eq!(run.stdout().matches("Interrupt received.").count(), 1, "{}", run.stdout());
    assert_eq!(stage.outcome(), "crashed");
    stage.assert_clean();
}

/// The interrupt was sent, the guardian dies, then the supervisor: the successor sends no second.
#[test]
fn a_successor_never_signals_a_second_time() {
    let stage = Stage::new(Over::Local);
    let script = "trap 'echo x >>\"$STAGE/interrupts\"' INT; touch \"$STAGE/ready.run\"; \
                  i=0; while [ $i -lt 30 ]; do sleep 0.1; i=$((i+1)); done";
    let run = stage.start("run", stage.exec("run", &[], &["sh", "-c", script]));
    run.ready();
    signal(run.supervisor(), libc::SIGTERM);
    wait_for("the interrupt", || stage.lines("interrupts").len() == 1);
    let guardian = succeeded(&run);
    run.kill_supervisor();
    gone(guardian);
    assert_eq!(stage.lines("interrupts"), ["x"]);
    stage.assert_clean();
}

/// A guardian that slept for longer than the lease must not take the old heartbeats, which it finds
/// first, for the newest.
#[test]
fn a_guardian_that_was_frozen_does_not_stop_a_healthy_run() {
    let stage = Stage::new(Over::Local);
    let run = stage.working("run", &[]);
    let guardian = run.guardian();
    signal(guardian, libc::SIGSTOP);
    wait_for("the guardian to be stopped", || state(guardian) == Some('T'));
    let frozen = Instant::now();
    wait_for("more than the lease to pass", || frozen.elapsed() > LEASE + Duration::from_secs(2));
    signal(guardian, libc::SIGCONT);
    std::thread::sleep(Duration::from_secs(1));
    assert!(is_alive(run.terraform()) && run.try_end().is_none(), "{}", run.stderr());
    assert!(!run.stdout().contains("Interrupt received."), "{}", run.stdout());
    signal(run.supervisor(), libc::SIGTERM);
    run.end();
    stage.assert_clean();
}
