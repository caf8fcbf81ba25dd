//! Manual pages, as the formatters read them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{COMMANDS, is_there, tfguard};
use crate::support::folder::Folder;

fn pages() -> Vec<(&'static str, String)> {
    let folder = Folder::new();
    let page = |command: &&'static str| {
        let output = tfguard(&folder, 80).arg("man").args(command.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{command}");
        (*command, String::from_utf8(output.stdout).unwrap())
    };
    COMMANDS.iter().map(page).collect()
}

/// Both streams of a formatter that reads `page`.
fn formatted(program: &str, args: &[&str], page: &str) -> (String, String) {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_page_has_the_sections_of_a_manual_page() {
    for (command, page) in pages() {
        let has = |heading: &str| page.contains(&format!("\n.SH {heading}\n"));
        let always = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"];
        assert!(always.iter().all(|heading| has(heading)), "{command}: {page}");
        assert!(page.contains(".SH \"SEE ALSO\"\n"), "{command}: {page}");
        let printing = ["help", "man", "completions"].contains(&command);
        assert_eq!(has("ENVIRONMENT") && has("FILES"), !printing, "{command}");
        let runs = ["", "init", "plan", "apply", "destroy", "run", "drift", "exec", "state restore"]
            .contains(&command);
        assert!(!runs || page.contains("\n.SH \"EXIT STATUS\"\n"), "{command}");
        if runs {
            for code in ["64", "69", "75", "76", "77", "78"] {
                assert!(page.contains(&format!("\\fB{code}\\fR\n")), "{command}: {code}");
            }
        }
    }
}

/// As `ci/package` finds them, to pack the pages of all.
#[test]
fn a_page_names_the_commands_below_in_lines_of_their_own() {
    for (command, page) in pages() {
        let prefix = ["tfguard", command].join(" ").trim_end().replace(' ', "-");
        let plain = page.replace('\\', "");
        let named = plain
            .lines()
            .filter(|line| line.starts_with(&format!("{prefix}-")) && line.ends_with("(1)"))
            .count();
        let expected = match command {
            "" => COMMANDS.iter().filter(|command| !command.is_empty() && !command.contains(' ')).count(),
            "state" => 2,
            _ => 0,
        };
        assert_eq!(named, expected, "{command}");
    }
}

#[test]
fn groff_and_mandoc_have_nothing_to_say() {
    if is_there("groff") {
        for (command, page) in pages() {
            let (shown, said) = formatted("groff", &["-man", "-ww", "-Tutf8"], &page);
            assert_eq!(said, "", "{command}");
            assert!(shown.contains("tfguard"), "{command}: {shown}");
        }
    }
    if is_there("mandoc") {
        for (command, page) in pages() {
            let (said, _) = formatted("mandoc", &["-T", "lint", "-W", "warning"], &page);
            let said: Vec<_> = said.lines().collect();
            // The same program gives the same page whenever it is asked.
            assert!(said.len() == 1 && said[0].contains("missing date"), "{command}: {said:?}");
        }
    }
}

#[test]
fn man_shows_a_page() {
    if is_there("man") {
        for (command, page) in pages() {
            let (shown, said) = formatted("man", &["--warnings", "-l", "-"], &page);
            assert_eq!(said, "", "{command}");
            let title = ["TFGUARD", &command.to_uppercase()].join(" ").trim_end().replace(' ', "-");
            assert!(shown.contains(&format!("{title}(1)")), "{command}: {shown}");
        }
    }
}
