//! What help says is what the command line does.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};

use super::{about, dressed, examples, facts, front, options, scope};
use crate::cli::parse::{Parsed, parse};
use crate::cli::{Surroundings, resolve};
use crate::error::Error;

/// Every command with its path without `tfguard`.
fn every(command: &Command, path: &str, seen: &mut impl FnMut(&str, &Command)) {
    seen(path, command);
    for below in command.get_subcommands() {
        every(below, [path, below.get_name()].join(" ").trim_start(), seen);
    }
}

fn shown(line: &str, colour: bool) -> String {
    match parse(line.split(' ').map(OsString::from)) {
        Ok(Parsed::Show(page)) => page.text(colour),
        other => unreachable!("{line}: {other:?}"),
    }
}

fn resolved(words: &[String], env: &dyn Fn(&str) -> Option<OsString>) -> Result<(), Error> {
    match parse(words.iter().map(OsString::from))? {
        Parsed::Run(args) => {
            resolve(*args, Surroundings { env, cwd: Path::new("/nonexistent"), terminal: true }).map(drop)
        }
        Parsed::Show(_) | Parsed::Print(_) => Ok(()),
    }
}

#[test]
fn every_command_is_explained_with_examples() {
    let mut commands = BTreeSet::new();
    every(&dressed(), "", &mut |path, command| {
        commands.insert(path.to_owned());
        let count = about(path).map_or(0, |about| about.examples.len());
        assert!((2..=4).contains(&count), "'{path}' has {count} examples");
        let summary = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(path.is_empty() || summary.len() <= 65, "'{path}': {summary}");
        let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        assert!(long.contains("\n\n"), "'{path}' has no paragraph");
    });
    let told: BTreeSet<_> = examples::all().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(told, commands);
}

#[test]
fn every_example_is_a_command_line_that_is_understood() {
    for (path, about) in examples::all() {
        for example in about.examples {
            let mut words = shlex::split(example.line).unwrap_or_default();
            if let Some(end) = words.iter().position(|word| ["|", ">"].contains(&word.as_str())) {
                words.truncate(end);
            }
            assert!(
                path.split(' ').all(|name| words.contains(&name.to_owned()) || path.is_empty()),
                "{words:?}"
            );
            assert_eq!(resolved(&words, &|_| None), Ok(()), "{}", example.line);
        }
    }
}

#[test]
fn every_command_stands_in_one_group_of_the_first_page() {
    let grouped: Vec<_> = front::GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let command = dressed();
    let mut names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    let mut sorted = grouped.clone();
    names.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(sorted, names);
    let first = shown("tfguard --help", false);
    assert!(grouped.iter().all(|name| first.contains(&format!("\n  {name} "))), "{first}");
}

#[test]
fn the_variables_that_are_named_are_those_that_are_looked_at() {
    let asked = RefCell::new(BTreeSet::new());
    let env = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    resolved(&["tfguard", "plan"].map(str::to_owned), &env).unwrap();
    // TFGUARD_SESSION is what a tfguard around us tells.
    let ours = |name: &&str| name.starts_with("TFGUARD_") && *name != "TFGUARD_SESSION";
    let asked = asked.into_inner();
    let asked: BTreeSet<_> = asked.iter().map(String::as_str).filter(ours).collect();
    // One stands for several.
    let hooks: Vec<_> = ["WAITING", "ACQUIRED", "AT_RISK", "LOST", "RELEASED"]
        .iter()
        .map(|event| format!("TFGUARD_HOOK_{event}"))
        .collect();
    let told = options::all().iter().filter_map(|fact| fact.variable).filter(ours);
    let mut told: BTreeSet<_> = told.chain(hooks.iter().map(String::as_str)).collect();
    assert!(told.remove("TFGUARD_HOOK_<EVENT>"));
    assert_eq!(told, asked);
}

#[test]
fn the_values_that_are_named_are_those_that_are_taken() {
    let mut tried = 0;
    every(&dressed(), "", &mut |path, command| {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()) {
            let Some(fact) = facts(arg.get_id().as_str()).filter(|fact| !fact.values.is_empty()) else {
                continue;
            };
            let base = match path {
                "" => "plan",
                "exec" | "unlock" | "state" | "state restore" => continue,
                path => path,
            };
            let of = |value: &str| {
                let option = format!("--{}", arg.get_long().unwrap_or_default());
                let words = ["tfguard", base, &option, value, "--json"];
                let takes = if base == "plan" || !has_json(command) { &words[..4] } else { &words[..] };
                // An apply that asks needs somebody to answer.
                let approves: &[&str] =
                    if ["apply", "destroy"].contains(&base) { &["--", "-auto-approve"] } else { &[] };
                let run: &[&str] = if base == "run" { &["--auto-approve"] } else { &[] };
                let line = base.split(' ').fold(vec!["tfguard".to_owned()], |mut line, word| {
                    line.push(word.to_owned());
                    line
                });
                let rest = [&takes[2..], run, approves].concat();
                resolved(&[line, rest.into_iter().map(str::to_owned).collect()].concat(), &|_| None)
            };
            for (value, _) in fact.values {
                assert_eq!(of(value), Ok(()), "{path} {value}");
            }
            let refusal = of("klingon").unwrap_err().to_string();
            let names: Vec<_> = fact.values.iter().map(|(name, _)| *name).collect();
            let listed: BTreeSet<_> =
                refusal.rsplit("it can be ").next().unwrap_or_default().split(", ").collect();
            assert_eq!(listed, names.iter().copied().collect(), "{path}: {refusal}");
            assert!(fact.default.is_none_or(|default| names.contains(&default)), "{path}");
            tried += 1;
        }
    });
    assert!(tried > 30, "{tried}");
}

fn has_json(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "json")
}

#[test]
fn a_command_shows_the_options_that_it_takes_notice_of() {
    for (command, seen, unseen) in [
        ("plan", "--shared", "--allow-stale-plan"),
        ("apply", "--allow-stale-plan", "--shared"),
        ("status", "--table", "--lease"),
        ("state restore", "--rescue-dir", "--init"),
        ("exec", "--deadline", "--init"),
        ("setup", "--repair", "--lock"),
        ("unlock", "--reason", "--stop-timeout"),
    ] {
        for flag in ["-h", "--help"] {
            let text = shown(&format!("tfguard {command} {flag}"), false);
            assert!(text.contains(seen), "{command}: {text}");
            assert!(
                !text.contains(&format!("{unseen} ")) && !text.contains(&format!("{unseen}\n")),
                "{text}"
            );
        }
    }
    // Every option that all accept is somebody's.
    let command = dressed();
    for arg in command.get_arguments().filter(|arg| arg.get_help_heading().is_some()) {
        let id = arg.get_id().as_str();
        let heeded = examples::all().any(|(path, _)| !path.is_empty() && scope::heeds(path, id));
        assert!(heeded, "{id}");
    }
}

#[test]
fn short_help_is_short_and_long_help_explains() {
    every(&dressed(), "", &mut |path, command| {
        let line = ["tfguard", path].join(" ");
        let line = line.trim_end();
        let (short, long) = (shown(&format!("{line} -h"), false), shown(&format!("{line} --help"), false));
        assert!(short.lines().count() < 75, "{short}");
        assert!(!short.contains("Examples:") && !short.contains("[env:"), "{short}");
        assert!(long.contains("Examples:\n  # "), "{long}");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(variable) = facts(arg.get_id().as_str()).and_then(|fact| fact.variable) {
                assert!(long.contains(&format!("[env: {variable}]")), "{line}: {variable}");
            }
        }
        // The same, however it is asked for.
        if !path.is_empty() {
            assert_eq!(shown(&format!("tfguard help {path}"), false), long);
        }
    });
    assert_eq!(shown("tfguard help", false), shown("tfguard --help", false));
    assert!(shown("tfguard --help", false).contains("Exit codes:\n  the command's own"));
}

#[test]
fn colour_is_all_that_colour_adds() {
    every(&dressed(), "", &mut |path, _| {
        for flag in ["-h", "--help"] {
            let line = ["tfguard", path, flag].join(" ").replace("  ", " ");
            let (plain, coloured) = (shown(&line, false), shown(&line, true));
            assert!(!plain.contains('\u{1b}'), "{plain}");
            assert!(coloured.contains("\u{1b}["), "{coloured}");
            assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
        }
    });
}

#[test]
fn what_follows_the_dashes_is_a_file_or_a_command_line() {
    every(&dressed(), "", &mut |path, command| {
        let hint = command.get_positionals().find(|arg| arg.is_last_set() || arg.is_trailing_var_arg_set());
        let expected = match path {
            "exec" => Some(clap::ValueHint::CommandWithArguments),
            "init" | "plan" | "apply" | "destroy" | "run" | "drift" => Some(clap::ValueHint::FilePath),
            _ => None,
        };
        assert_eq!(hint.map(Arg::get_value_hint), expected, "{path}");
    });
}
