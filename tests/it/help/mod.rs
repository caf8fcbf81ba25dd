//! What the program says of itself: help texts, manual pages, completions.

mod examples;
mod manual;
#[cfg(target_os = "linux")]
mod shells;
mod texts;

use std::process::Command;

use crate::support::folder::Folder;

/// Every command, as `tfguard help` takes it.
const COMMANDS: [&str; 20] = [
    "",
    "apply",
    "completions",
    "destroy",
    "doctor",
    "drift",
    "exec",
    "help",
    "history",
    "init",
    "man",
    "plan",
    "policy",
    "run",
    "setup",
    "state",
    "state restore",
    "state versions",
    "status",
    "unlock",
];

/// The program in an empty folder, with nothing in its environment but a width.
fn tfguard(folder: &Folder, columns: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfguard"));
    command.current_dir(folder.path()).env_clear().env("COLUMNS", columns.to_string());
    command
}

/// Whether a program that only this test needs is there; says so where it is not.
fn is_there(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        println!("skipped: there is no {program} on PATH (ci/test installs it)");
    }
    found
}
