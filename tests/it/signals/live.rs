//! A wait at a terminal is one line at its lower end that is written anew, and leaves nothing behind.

use std::num::NonZeroU16;

use rustix::process::Signal;

use super::stage::{Run, Stage, wait};
use crate::support::pty::{COLUMNS, Pty, ROWS};

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Somebody who waits at a terminal.
struct Waiter {
    pty: Pty,
    shell: std::process::Child,
    settings: String,
}

impl Waiter {
    fn start(stage: &Stage, vars: &[(&str, &str)], options: &str) -> Self {
        let pty = Pty::open();
        let settings = pty.settings();
        // The key reaches the shell too.
        let script = format!("trap : INT; \"$PROGRAM\" exec {options} -- echo it is ours; echo code=$?");
        let command = |program: &std::ffi::OsStr| {
            let mut command = stage.command(program);
            command.envs(vars.iter().copied());
            command
        };
        let shell = pty.start(command, &["sh", "-c", &script]);
        Self { pty, shell, settings }
    }

    /// The rows of the screen.
    fn rows(&self) -> Vec<String> {
        let size = |length| NonZeroU16::new(length).unwrap();
        let mut terminal = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
        terminal.process(self.pty.screen().as_bytes());
        let contents = terminal.screen().contents();
        // The leader of the session has said that it runs.
        contents.lines().filter(|row| !["", "running 1 test"].contains(row)).map(str::to_owned).collect()
    }

    /// The line that moves, once it satisfies.
    fn live(&self, satisfies: impl Fn(&str) -> bool) -> String {
        wait("the line that moves", || {
            let mut rows = self.rows();
            let last = rows.pop().filter(|row| row.contains(SPINNER))?;
            assert!(!rows.iter().any(|row| row.contains(SPINNER)), "more than one: {rows:?}");
            satisfies(&last).then_some(last)
        })
    }

    /// What is on the screen when it has ended with `code`.
    fn ends_with(mut self, code: i32) -> Vec<String> {
        self.pty.wait_for(&format!("code={code}"));
        self.shell.wait().unwrap();
        assert_eq!(self.pty.settings(), self.settings, "the terminal's settings have changed");
        let rows = self.rows();
        assert!(!rows.iter().any(|row| row.contains(SPINNER)), "{rows:?}");
        rows
    }
}

fn hold<'a>(stage: &'a Stage, ready: &str) -> Run<'a> {
    stage.start(&mut stage.tfguard(&["exec", "--", "sh", "-c", &format!("echo $$ > {ready}; exec sleep 60")]))
}

fn end(run: Run<'_>) {
    run.send(Signal::TERM);
    run.finish();
}

#[test]
fn it_moves_follows_the_queue_and_goes_away() {
    let stage = Stage::new();
    let first = hold(&stage, "first");
    stage.wait_file("first");
    let second = hold(&stage, "second");
    stage.log().wait("lock_waiting", 1);
    let third = hold(&stage, "third");
    wait("three", || {
        stage.log().all("lock_waiting").iter().any(|event| event["position"] == 2).then_some(())
    });
    let waiter = Waiter::start(&stage, &[], "");
    let line = waiter.live(|line| line.contains("position 3"));
    assert!(line.starts_with("tfguard: ") && line.contains("; held "), "{line}");
    let frame = |line: &str| line.chars().find(|c| SPINNER.contains(c));
    waiter.live(|now| frame(now) != frame(&line));
    waiter.live(|line| !line.contains("waiting 0 s") && !line.contains("waiting 1 s"));
    // It follows who leaves the queue, and who holds.
    end(third);
    waiter.live(|line| line.contains("position 2"));
    end(first);
    stage.wait_file("second");
    waiter.live(|line| line.contains("position 1"));
    end(second);
    let rows = waiter.ends_with(0);
    // What stays is one line for each holder, the end of the wait, and the command's own.
    let held: Vec<&String> = rows.iter().filter(|row| row.contains("held by")).collect();
    assert_eq!(held.len(), 2, "{rows:?}");
    let at = rows.iter().position(|row| row.starts_with("tfguard: lock it acquired after")).unwrap();
    assert_eq!(rows[at + 1], "it is ours");
    stage.assert_clean();
}

#[test]
fn ctrl_c_leaves_a_clean_screen() {
    let stage = Stage::new();
    let holder = hold(&stage, "ready");
    stage.wait_file("ready");
    let waiter = Waiter::start(&stage, &[], "");
    waiter.live(|_| true);
    waiter.pty.type_in("\x03");
    let rows = waiter.ends_with(130);
    assert!(rows[0].starts_with("tfguard: waiting for lock it, position 1; held by"), "{rows:?}");
    let after: Vec<&str> = rows.iter().map(String::as_str).filter(|row| !row.contains("held by")).collect();
    assert_eq!(after, ["tfguard: SIGINT received: cancelled, nothing more is started", "code=130"]);
    end(holder);
    stage.assert_clean();
}

#[test]
fn a_narrower_terminal_gets_a_shorter_line() {
    let stage = Stage::new();
    let holder = hold(&stage, "ready");
    stage.wait_file("ready");
    let waiter = Waiter::start(&stage, &[], "");
    assert!(waiter.live(|_| true).chars().count() > 40);
    waiter.pty.resize(40);
    let line = waiter.live(|line| line.chars().count() < 40);
    assert!(line.ends_with('…'), "{line}");
    waiter.pty.resize(COLUMNS);
    waiter.live(|line| line.chars().count() > 40);
    end(holder);
    waiter.ends_with(0);
    stage.assert_clean();
}

#[test]
fn where_it_cannot_be_drawn_there_are_lines() {
    let stage = Stage::new();
    let holder = hold(&stage, "ready");
    stage.wait_file("ready");
    let waiters = [
        Waiter::start(&stage, &[("TERM", "dumb")], ""),
        Waiter::start(&stage, &[("CI", "true"), ("NO_COLOR", "1")], ""),
    ];
    let quiet = Waiter::start(&stage, &[], "--quiet");
    for waiter in &waiters {
        waiter.pty.wait_for("waiting for lock it, position");
    }
    wait("three in the queue", || {
        stage.log().all("lock_waiting").iter().any(|event| event["position"] == 3).then_some(())
    });
    end(holder);
    for waiter in waiters {
        let shown = waiter.pty.wait_for("code=0");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(!shown.replace("\r\n", "\n").contains('\r'), "{shown:?}");
        waiter.ends_with(0);
    }
    let rows = quiet.ends_with(0);
    assert!(!rows.iter().any(|row| row.contains("waiting")), "{rows:?}");
    stage.assert_clean();
}

#[test]
fn without_colour_it_still_moves() {
    let stage = Stage::new();
    let holder = hold(&stage, "ready");
    stage.wait_file("ready");
    let plain = Waiter::start(&stage, &[("NO_COLOR", "1")], "");
    let coloured = Waiter::start(&stage, &[], "");
    for waiter in [&plain, &coloured] {
        waiter.live(|_| true);
    }
    end(holder);
    assert!(!plain.pty.wait_for("code=0").contains("\u{1b}[3"));
    assert!(coloured.pty.wait_for("code=0").contains("\u{1b}[3"));
    plain.ends_with(0);
    coloured.ends_with(0);
    stage.assert_clean();
}
