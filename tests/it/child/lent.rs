//! The terminal comes back on the one way out that no run can be made to take.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use rustix::process::{Signal, getpgrp, kill_process};
use rustix::termios::{tcgetattr, tcgetpgrp};
use tfguard::child::{Terminal, spawn};

use super::script;
use crate::support::pty::Pty;

#[test]
fn a_panic_gives_the_terminal_back() {
    let pty = Pty::open();
    let settings = pty.settings();
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "child::lent::panicking", "--ignored", "--nocapture"];
    let argv: Vec<&str> = std::iter::once(program.to_str().unwrap()).chain(arguments).collect();
    let mut leader = pty.start(|program| Command::new(program), &argv);
    pty.wait_for("the terminal is back: true");
    assert_eq!(pty.settings(), settings);
    assert!(leader.wait().unwrap().success());
}

/// Runs at the head of a session on a terminal.
#[test]
#[ignore = "no test: the program of the test above"]
fn panicking() {
    let Some(mut terminal) = Terminal::open_foreground() else { return };
    let stdin = rustix::stdio::stdin();
    let mut child = spawn(&script("exec sleep 60", &[]), Some(&mut terminal)).unwrap();
    assert_eq!(tcgetpgrp(stdin).unwrap(), child.pgid());
    assert_eq!(tcgetattr(stdin).unwrap().special_codes[rustix::termios::SpecialCodeIndex::VQUIT], 0);
    let panic = catch_unwind(AssertUnwindSafe(move || {
        let _terminal = terminal;
        panic!("on purpose");
    }));
    println!("the terminal is back: {}", panic.is_err() && tcgetpgrp(stdin).unwrap() == getpgrp());
    kill_process(child.pid(), Signal::KILL).unwrap();
    while child.poll().is_none() {
        std::thread::yield_now();
    }
}
