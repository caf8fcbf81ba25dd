//! Whatever ends it, the terminal is as it was.

use std::time::Instant;

use rustix::process::Signal;

use super::{hold, release, terminal};
use crate::e2e::locks::Locks;
use crate::support::processes::is_alive;
use crate::support::project::Project;
use crate::support::run::BOUND;
use crate::support::tmux::{Tmux, signal};

#[test]
fn after_keys_and_signals() {
    let locks = Locks::local();
    let project = Project::hello();
    let holder = hold(&locks, &project, "alice", "e2e");
    let screen = terminal(&locks, &project);
    for (key, code) in [("q", 0), ("Escape", 0), ("C-c", 130)] {
        screen.watch("");
        screen.wait_for("HOLDER ");
        screen.is_taken();
        screen.press(&[key]);
        screen.is_given_back(code);
        screen.line("clear");
    }
    for (sent, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let pid = screen.watch("--all");
        screen.wait_for("1 held ");
        screen.is_taken();
        signal(pid, sent);
        screen.wait_for("cancelled by SIG");
        screen.is_given_back(code);
        screen.line("clear");
    }
    release(holder);
}

#[test]
fn while_it_is_suspended_and_it_comes_back() {
    let locks = Locks::local();
    let project = Project::hello();
    let holder = hold(&locks, &project, "alice", "e2e");
    let screen = terminal(&locks, &project);
    let pid = screen.watch("");
    screen.wait_for("HOLDER ");
    let suspensions: [(&str, &dyn Fn()); 2] =
        [("the key", &|| screen.press(&["C-z"])), ("SIGTSTP", &|| signal(pid, Signal::TSTP))];
    for (how, suspend) in suspensions {
        screen.is_taken();
        suspend();
        screen.wait_until(how, |screen| screen.contains("Stopped"));
        screen.line("stty -a > after; clear");
        screen.settings_are_those_of_before();
        screen.line("fg");
        screen.wait_for("HOLDER ");
    }
    // Stopped without being asked: the shell takes the terminal, and it is taken anew.
    screen.is_taken();
    signal(pid, Signal::STOP);
    screen.wait_for("Stopped");
    screen.line("fg");
    screen.wait_until("the whole screen", |screen| screen.starts_with(" e2e ") && screen.contains("HOLDER "));
    screen.is_taken();
    screen.press(&["?"]);
    screen.wait_for("suspend; fg comes back");
    screen.press(&["q"]);
    screen.is_given_back(0);
    release(holder);
}

#[test]
fn it_ends_with_its_terminal() {
    let locks = Locks::local();
    let project = Project::hello();
    let screen = terminal(&locks, &project);
    let pid = screen.watch("");
    screen.wait_for("free, never held");
    screen.close();
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < BOUND, "it outlives its terminal");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_panic_is_read_on_the_screen_of_before() {
    let project = Project::hello();
    let program = std::env::current_exe().unwrap();
    let screen = Tmux::start(&project, |run| run.env("PROGRAM", program));
    screen.line("\"$PROGRAM\" --exact watch::restored::panics --ignored --nocapture --quiet");
    let shown = screen.wait_for("a bug for the test");
    assert!(!shown.contains("THE OTHER SCREEN"), "{shown}");
    screen.is_given_back(101);
}

/// Takes the terminal and dies.
#[test]
#[ignore = "no test: what panics on a terminal"]
fn panics() {
    let mut screen = tfguard::watch::Screen::take().unwrap();
    screen
        .draw(|_, buffer| {
            buffer.set_string(0, 0, "THE OTHER SCREEN", ratatui::style::Style::new());
        })
        .unwrap();
    panic!("a bug for the test");
}
