//! Hooks are apart from the child: what it leaves behind is not theirs, nor theirs its.

use rustix::process::Pid;

use super::site::{Site, results, wait};
use crate::support::processes::{arguments, descendants};
use crate::support::pty::Pty;
use crate::support::run::Run;

#[test]
fn the_sweep_after_the_child_spares_hooks_and_accuses_nobody_of_them() {
    let site = Site::new();
    site.project.script("slow", "while [ ! -e go ]; do sleep 0.1; done; setsid sleep 306 & sleep 0.2");
    let mut run = site.exec(&["acquired=./slow"], &[], "true").start();
    run.wait_for("lock_released");
    site.project.write("go", "");
    let run = run.finish().exits(0);
    assert_eq!(results(&run.events), [("acquired", "succeeded")]);
    assert!(!run.stderr.contains("left processes behind"), "{}", run.stderr);
}

#[test]
fn what_the_child_leaves_is_found_while_a_hook_runs() {
    let site = Site::new();
    site.project.script("slow", "while [ ! -e go ]; do sleep 0.1; done");
    let mut run = site.exec(&["acquired=./slow"], &[], "setsid sleep 307 & sleep 0.5").start();
    run.wait_for("lock_released");
    site.project.write("go", "");
    let run = run.finish().exits(0).says(&["left processes behind, which were killed: sleep"]);
    assert_eq!(results(&run.events), [("acquired", "succeeded")]);
}

#[test]
fn a_hook_has_no_terminal_and_no_descriptor_but_its_three() {
    let site = Site::new();
    let text =
        "ls /proc/self/fd > fds; cut -d' ' -f7 /proc/self/stat > terminal; true </dev/tty && echo has one";
    site.project.script("look", text);
    let pty = Pty::open();
    let run = |program: &std::ffi::OsStr| {
        // The environment of every other test, for the shell that leads the terminal's session.
        site.locks.named_in(Run::program(program, &site.project)).into_command()
    };
    let tfguard = env!("CARGO_BIN_EXE_tfguard");
    let script = format!("{tfguard} exec -v --hook acquired=./look -- true 9>leak; echo code=$?");
    let mut shell = pty.start(run, &["sh", "-c", &script]);
    pty.wait_for("code=");
    assert!(shell.wait().unwrap().success(), "{}", pty.screen());
    assert!(pty.screen().contains("code=0"), "{}", pty.screen());
    // The fourth is that of `ls` itself.
    assert_eq!(site.project.lines("fds"), ["0", "1", "2", "3"], "{}", pty.screen());
    assert_eq!(site.project.read("terminal").trim(), "0");
    assert!(!pty.screen().contains("has one"), "{}", pty.screen());
}

/// Supervisor and guardian wake for the heartbeat, and a run of hours has its hooks all that time.
#[test]
fn the_keeper_sleeps_until_there_is_something_to_do() {
    let site = Site::new();
    let mut run = site.exec(&["acquired=./tell"], &[], "while [ ! -e go ]; do sleep 0.1; done").start();
    run.wait_for("hook_finished");
    let is_keeper = |pid: &Pid| arguments(*pid).iter().any(|argument| argument == "--tfguard-hooks");
    let keeper = descendants(run.pid()).into_iter().find(is_keeper).unwrap();
    // Number and arguments of the call that it is in: `ppoll` of one descriptor without a timeout.
    let file = format!("/proc/{}/syscall", keeper.as_raw_nonzero());
    wait("the keeper to sleep", || {
        let call = std::fs::read_to_string(&file).unwrap();
        let arguments: Vec<&str> = call.split_ascii_whitespace().skip(2).take(2).collect();
        (arguments == ["0x1", "0x0"]).then_some(())
    });
    site.project.write("go", "");
    run.finish().exits(0);
}
