//! At a terminal: the child has it, its keys reach the child, and it is given back as it was.

use rustix::process::Signal;

use super::processes::{self, state};
use super::puppet::Manner;
use super::stage::{Stage, wait};
use crate::support::pty::Pty;

const QUICK: &str = "resource \"terraform_data\" \"quick\" {\n  input = 1\n}\n";

const APPLY: &str = "\"$PROGRAM\" apply -- -no-color";
const APPLY_AT_ONCE: &str = "\"$PROGRAM\" apply -- -no-color -auto-approve";

/// A terminal on which a shell runs `command` in the foreground and prints its code.
struct Session<'a> {
    stage: &'a Stage,
    pty: Pty,
    shell: std::process::Child,
    settings: String,
}

impl<'a> Session<'a> {
    fn start(stage: &'a Stage, command: &str) -> Self {
        Self::start_with(stage, command, |_| {})
    }

    fn start_with(stage: &'a Stage, command: &str, prepare: impl FnOnce(&mut std::process::Command)) -> Self {
        let pty = Pty::open();
        let settings = pty.settings();
        let script = format!("{command}; echo code=$?");
        let started = |program: &std::ffi::OsStr| {
            let mut command = stage.command(program);
            prepare(&mut command);
            command
        };
        let shell = pty.start(started, &["sh", "-c", &script]);
        Self { stage, pty, shell, settings }
    }

    /// The command ended with `code`, and left the terminal as it found it.
    fn ends_with(mut self, code: i32) -> String {
        self.pty.wait_for(&format!("code={code}"));
        assert_eq!(self.pty.settings(), self.settings, "the terminal's settings have changed");
        self.shell.wait().unwrap();
        self.stage.assert_clean();
        self.pty.screen()
    }
}

fn assert_interrupted_once(screen: &str) {
    assert_eq!(screen.matches("Interrupt received.").count(), 1, "{screen}");
    assert!(!screen.contains("Two interrupts received"), "{screen}");
}

#[test]
fn a_prompt_can_be_answered() {
    let stage = Stage::with(QUICK);
    let session = Session::start(&stage, APPLY);
    session.pty.wait_for("Enter a value:");
    session.pty.type_in("yes\n");
    assert!(session.ends_with(0).contains("Apply complete!"));
}

#[test]
fn ctrl_c_reaches_terraform_once_and_leaves_no_lock() {
    let stage = Stage::new();
    let session = Session::start(&stage, APPLY_AT_ONCE);
    stage.wait_file("ready");
    session.pty.type_in("\x03");
    assert_interrupted_once(&session.ends_with(1));
    stage.assert_state_is_sound();
    assert_eq!(stage.log().signals(), [""; 0], "the key was ours to see");
}

#[test]
fn the_quit_and_suspend_keys_do_nothing() {
    let stage = Stage::new();
    let session = Session::start(&stage, APPLY_AT_ONCE);
    stage.wait_file("ready");
    let terraform = session.pty.foreground();
    session.pty.type_in("\x1c");
    session.pty.wait_for("^\\");
    session.pty.type_in("\x1a");
    session.pty.wait_for("^Z");
    assert!(matches!(state(terraform), Some('S' | 'R')), "Terraform is {:?}", state(terraform));
    session.pty.type_in("\x03");
    let screen = session.ends_with(1);
    assert_interrupted_once(&screen);
    assert!(!screen.contains("was stopped by"), "it was suspended and resumed: {screen}");
    stage.assert_state_is_sound();
}

#[test]
fn a_closed_terminal_stops_terraform_gracefully() {
    let stage = Stage::new();
    let mut session = Session::start(&stage, APPLY_AT_ONCE);
    stage.wait_file("ready");
    session.pty.hang_up();
    let summary = stage.log().wait("run_summary", 1);
    assert_eq!(summary["exit_code"], 1);
    session.shell.wait().unwrap();
    stage.assert_clean();
    stage.assert_state_is_sound();
    let state = std::fs::read_to_string(stage.path("terraform.tfstate")).unwrap();
    assert!(state.contains("tainted"), "what was begun is in the state: {state}");
}

#[test]
fn a_closed_terminal_is_one_interrupt() {
    let stage = Stage::new();
    let mut session = Session::start_with(&stage, "\"$PROGRAM\" apply", |command| {
        stage.pull_strings(command, &Manner::default());
    });
    stage.wait_file("apply.ready");
    session.pty.hang_up();
    wait("the interrupt", || stage.counted("apply").contains(&"SIGINT".to_owned()).then_some(()));
    stage.log().wait("signal", 1);
    stage.let_go();
    stage.log().wait("run_summary", 1);
    let interrupts = stage.counted("apply").into_iter().filter(|name| name != "SIGHUP");
    assert_eq!(interrupts.collect::<Vec<_>>(), ["SIGINT"]);
    session.shell.wait().unwrap();
    stage.assert_clean();
}

/// The settings are back, too, when neither the child nor we ended by ourselves.
#[test]
fn the_terminal_is_given_back_however_it_ends() {
    for victim in ["supervisor", "child"] {
        let stage = Stage::new();
        let session = Session::start_with(&stage, "\"$PROGRAM\" apply", |command| {
            stage.pull_strings(command, &Manner::default());
        });
        let child = stage.wait_pid("apply.ready");
        assert_ne!(session.pty.settings(), session.settings, "the quit key is still on");
        let code = if victim == "child" {
            processes::send(child, Signal::KILL);
            137
        } else {
            let supervisor = parent_of(child);
            stage.let_go();
            processes::send(supervisor, Signal::TERM);
            1
        };
        session.ends_with(code);
    }
}

fn parent_of(pid: rustix::process::Pid) -> rustix::process::Pid {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    rustix::process::Pid::from_raw(line.trim().parse().unwrap()).unwrap()
}

#[test]
fn a_pipe_behind_us_leaves_the_terminal_to_the_child() {
    let stage = Stage::with(QUICK);
    let session = Session::start(&stage, &format!("{APPLY} | tee copy"));
    session.pty.wait_for("Enter a value:");
    session.pty.type_in("yes\n");
    session.ends_with(0);
    assert!(std::fs::read_to_string(stage.path("copy")).unwrap().contains("Apply complete!"));
}

#[test]
fn ctrl_c_reaches_terraform_once_through_a_pipe_too() {
    let stage = Stage::new();
    let session = Session::start(&stage, &format!("{APPLY_AT_ONCE} | tee copy"));
    stage.wait_file("ready");
    session.pty.type_in("\x03");
    session.ends_with(0);
    // Tee was not interrupted: it has what Terraform said last.
    let copy = std::fs::read_to_string(stage.path("copy")).unwrap();
    assert_interrupted_once(&copy);
    assert!(copy.contains("Stopping operation..."), "{copy}");
    assert_eq!(stage.log().wait("run_summary", 1)["exit_code"], 1);
}

#[test]
fn no_input_is_terraforms_own_error() {
    let stage = Stage::with(QUICK);
    let session = Session::start(&stage, &format!("{APPLY} < /dev/null"));
    let screen = session.ends_with(1);
    assert!(screen.contains("error asking for approval: EOF"), "{screen}");
}
