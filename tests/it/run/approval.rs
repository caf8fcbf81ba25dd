//! The question, at a terminal, with everything that can end it.
#![cfg(target_os = "linux")]

use crate::signals::stage::{Stage, wait};
use crate::support::pty::Pty;

const QUICK: &str = "resource \"terraform_data\" \"quick\" {\n  input = 1\n}\n";
const QUESTION: &str = "Apply this plan (1 to add, 0 to change, 0 to destroy)? Only 'yes' is accepted: ";

struct Session<'a> {
    stage: &'a Stage,
    pty: Pty,
    shell: std::process::Child,
    settings: String,
}

impl<'a> Session<'a> {
    /// A run at a terminal that has asked its question.
    fn asking(stage: &'a Stage, options: &str) -> Self {
        let pty = Pty::open();
        let settings = pty.settings();
        let script = format!("\"$PROGRAM\" run {options} -- -no-color; echo code=$?");
        let shell = pty.start(|program| stage.command(program), &["sh", "-c", &script]);
        pty.wait_for(QUESTION);
        Self { stage, pty, shell, settings }
    }

    fn ends_with(mut self, code: i32) -> String {
        self.pty.wait_for(&format!("code={code}"));
        assert_eq!(self.pty.settings(), self.settings, "the terminal's settings have changed");
        self.shell.wait().unwrap();
        self.stage.assert_clean();
        self.pty.screen()
    }

    fn nothing_applied(&self) {
        assert!(!self.stage.path("terraform.tfstate").exists());
    }
}

#[test]
fn yes_applies_and_all_else_declines() {
    let stage = Stage::with(QUICK);
    for answer in ["y\n", "no\n", "\n", "\x04"] {
        let session = Session::asking(&stage, "");
        session.pty.type_in(answer);
        session.pty.wait_for("declined: nothing was applied");
        session.nothing_applied();
        session.ends_with(1);
    }
    assert_eq!(stage.log().all("run_summary").last().unwrap()["outcome"], "declined");
    let session = Session::asking(&stage, "");
    session.pty.type_in("yes\n");
    let screen = session.ends_with(0);
    assert!(screen.contains("Apply complete!"), "{screen}");
}

#[test]
fn ctrl_c_ends_the_question() {
    let stage = Stage::with(QUICK);
    let mut session = Session::asking(&stage, "");
    session.pty.type_in("\x03");
    // The shell gets the key too, and may not live to print the code.
    let summary = stage.log().wait("run_summary", 1);
    assert_eq!((&summary["exit_code"], &summary["outcome"]), (&130.into(), &"cancelled".into()));
    session.nothing_applied();
    session.shell.wait().unwrap();
    assert_eq!(session.pty.settings(), session.settings);
    stage.assert_clean();
}

#[test]
fn a_closed_terminal_ends_the_question() {
    let stage = Stage::with(QUICK);
    let mut session = Session::asking(&stage, "");
    session.pty.hang_up();
    let summary = stage.log().wait("run_summary", 1);
    assert_eq!((&summary["exit_code"], &summary["outcome"]), (&129.into(), &"cancelled".into()));
    session.nothing_applied();
    session.shell.wait().unwrap();
    stage.assert_clean();
}

#[test]
fn a_deadline_ends_the_question() {
    let stage = Stage::with(QUICK);
    let session = Session::asking(&stage, "--deadline 4s");
    session.pty.wait_for("nothing more was started");
    session.nothing_applied();
    session.ends_with(75);
}

/// The lease is renewed meanwhile, and who waits is told to the one who lets them wait.
#[test]
fn the_lock_is_kept_while_somebody_thinks() {
    let stage = Stage::with(QUICK);
    let session = Session::asking(&stage, "--lease 10s -v");
    let log = stage.log();
    let before = log.all("lock_renewed").len();
    let mut waiter = stage.tfguard(&["exec", "--reason", "hurry", "--", "true"]);
    let waiter = stage.start(&mut waiter);
    session.pty.wait_for("waits ");
    session.pty.wait_for("running `true`, because \"hurry\"");
    wait("two heartbeats", || (log.all("lock_renewed").len() >= before + 2).then_some(()));
    session.pty.type_in("yes\n");
    session.pty.wait_for("code=0");
    assert_eq!(waiter.finish().code, Some(0));
    session.ends_with(0);
}
