//! Help texts, as they are shown.

use super::{COMMANDS, tfguard};
use crate::support::folder::Folder;

fn text(folder: &Folder, columns: usize, words: &str, more: &[&str]) -> String {
    let output = tfguard(folder, columns).args(words.split_whitespace()).args(more).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{words} {more:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The text with what commands share reduced to the names of the options: the whole of it is in the
/// texts of `tfguard` and of `plan`.
fn without_shared(text: &str) -> String {
    let (mut shown, mut shared) = (String::new(), false);
    for line in text.lines().map(str::trim_end) {
        if !line.starts_with(' ') && !line.is_empty() {
            shared = line.ends_with(" options:");
        }
        match line.trim_start().strip_prefix('-') {
            _ if !shared => shown += &format!("{line}\n"),
            // What a value means.
            Some(value) if value.starts_with(' ') => {}
            Some(option) => {
                let names = option.split("  ").next().unwrap_or_default();
                shown.truncate(shown.trim_end().len());
                shown += &format!(" -{names}\n");
            }
            None if line.starts_with(' ') || line.is_empty() => {}
            None => shown += &format!("{line}\n"),
        }
    }
    shown
}

#[test]
fn help_reads_as_it_did() {
    let folder = Folder::new();
    for command in COMMANDS {
        let mut all = String::new();
        for columns in [80, 120] {
            for flag in ["-h", "--help"] {
                let shown = text(&folder, columns, command, &[flag]);
                let widest = shown.lines().map(|line| line.chars().count()).max().unwrap_or_default();
                assert!(widest <= columns, "{command} {flag}: a line of {widest} at {columns}");
                let shown = if ["", "plan"].contains(&command) { shown } else { without_shared(&shown) };
                all += &format!("===== tfguard {command} {flag}, {columns} columns =====\n{shown}\n");
            }
        }
        let name = if command.is_empty() { "tfguard".to_owned() } else { command.replace(' ', "-") };
        insta::assert_snapshot!(name, all);
    }
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let folder = Folder::new();
    let plain = text(&folder, 80, "plan", &["-h"]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = text(&folder, 80, "plan --color always", &["-h"]);
    insta::assert_snapshot!("plan-coloured", coloured.replace('\u{1b}', "\\e"));
    for (words, more) in [
        ("plan --color=never", &["-h"][..]),
        ("plan --color always --color never", &["-h"]),
        ("help plan", &[]),
        // What stands after -- is not ours.
        ("plan -h", &["--", "--color", "always"]),
    ] {
        assert!(!text(&folder, 80, words, more).contains('\u{1b}'), "{words}");
    }
    for words in ["--color always help plan", "help --color=always plan"] {
        let output = tfguard(&folder, 80).args(words.split(' ')).output().unwrap();
        // `help` takes no options of its own.
        assert_eq!(output.status.code(), Some(if words.starts_with("--") { 0 } else { 64 }), "{words}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_colour_unless_no_color_is_set() {
    use crate::support::pty::Pty;
    for (variable, coloured) in [(None, true), (Some("1"), false)] {
        let folder = Folder::new();
        let pty = Pty::open();
        let mut child = pty.start(
            |program| {
                let mut command = std::process::Command::new(program);
                command.current_dir(folder.path()).env_clear().env("TERM", "xterm");
                if let Some(value) = variable {
                    command.env("NO_COLOR", value);
                }
                command
            },
            &[env!("CARGO_BIN_EXE_tfguard"), "plan", "-h"],
        );
        pty.wait_for("--quiet");
        child.wait().unwrap();
        assert_eq!(pty.screen().contains("\u{1b}["), coloured, "{}", pty.screen());
    }
}

/// A `tfguard.toml` that is wrong, no directory, no HOME, no network: help is help.
#[test]
fn help_needs_nothing() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("tfguard.toml"), "nonsense = [").unwrap();
    for words in [
        "--help",
        "plan -h",
        "plan -C /nonexistent --help",
        "help state restore",
        "man apply",
        "completions zsh",
    ] {
        let output = tfguard(&folder, 80)
            .args(words.split(' '))
            .env("TFGUARD_STORE", "klingon")
            .env("TFGUARD_CHDIR", "/nonexistent")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() > 200, "{words}");
    }
}
