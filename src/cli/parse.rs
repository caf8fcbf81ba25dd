//! From the process's arguments to [`Args`], with every mistake a [`Error::Usage`].

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::args::{Args, Command};
use super::manual;
use crate::error::Error;
use crate::escape;
use crate::terraform::redact;

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed {
    /// A command to run.
    Run(Box<Args>),
    /// A text for stdout (help, version, a completion script); then exit 0.
    Print(String),
}

/// The commands that take arguments after `--`.
const PASSING: [&str; 7] = ["init", "plan", "apply", "destroy", "run", "drift", "exec"];

/// Reads the arguments, the program's name included.
///
/// # Errors
/// [`Error::Usage`]: clap's text, and where an argument seems to be meant for Terraform, how to
/// pass it on.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Parsed, Error> {
    let argv = accept_chdir(argv.into_iter().collect());
    match Args::try_parse_from(&argv) {
        Ok(Args { command: Command::Completions { shell }, .. }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "tfguard", &mut script);
            Ok(Parsed::Print(String::from_utf8_lossy(&script).into_owned()))
        }
        Ok(Args { command: Command::Man { command }, .. }) => manual::page(&command).map(Parsed::Print),
        Ok(args) => Ok(Parsed::Run(Box::new(args))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Print(error.render().to_string()))
        }
        Err(error) => Err(Error::Usage(explain(&error, &argv))),
    }
}

/// Terraform writes this option with one dash.
fn accept_chdir(mut argv: Vec<OsString>) -> Vec<OsString> {
    let ours = argv.iter().position(|arg| arg == "--").unwrap_or(argv.len());
    for arg in &mut argv[..ours] {
        if arg.as_encoded_bytes().starts_with(b"-chdir=") {
            let mut long = OsString::from("-");
            long.push(&*arg);
            *arg = long;
        }
    }
    argv
}

fn explain(error: &clap::Error, argv: &[OsString]) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let missing = [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];
    if missing.contains(&error.kind()) {
        let command = Args::command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        return format!("a command is missing: {}; `tfguard --help` shows more", names.join(", "));
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return text;
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else { return text };
    let Some((command, misplaced)) = misplaced(argv, unknown) else { return text };
    let shown = redact::terraform(std::slice::from_ref(misplaced)).concat();
    let shown = escape::field(&shown);
    if command == "run" && shown.trim_start_matches('-') == "auto-approve" {
        return format!(
            "unexpected argument '{shown}'; here it has two dashes: `tfguard run --auto-approve`"
        );
    }
    if command == "exec" {
        return format!(
            "unexpected argument '{shown}'; the command to run stands after --: `tfguard exec -- {shown}`"
        );
    }
    format!(
        "unexpected argument '{shown}'; arguments for Terraform stand after --: `tfguard {command} -- {shown}`"
    )
}

/// The argument that Terraform was meant to have, and the command before it. clap reads
/// `-auto-approve` as a cluster of short options and complains of one letter.
fn misplaced<'a>(argv: &'a [OsString], unknown: &str) -> Option<(&'static str, &'a OsString)> {
    let ours = argv.iter().position(|arg| arg == "--").unwrap_or(argv.len());
    let mut rest = argv[..ours].iter().skip(1);
    let command = rest.by_ref().find_map(|arg| PASSING.into_iter().find(|name| arg == *name))?;
    let rest: Vec<&OsString> = rest.collect();
    let looks_like_terraforms = |arg: &&&OsString| {
        let text = arg.to_string_lossy();
        let one_dash = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        one_dash.is_some_and(|rest| {
            rest.chars().count() > 1 && !rest.starts_with('C') && rest.chars().any(|c| !"vqh".contains(c))
        })
    };
    let is_unknown = |arg: &&&OsString| {
        let text = arg.to_string_lossy();
        text == unknown || text.strip_prefix(unknown).is_some_and(|rest| rest.starts_with('='))
    };
    // `unknown` first: it is exact for a word and for an option with two dashes.
    let found = rest.iter().find(is_unknown).or_else(|| rest.iter().find(looks_like_terraforms))?;
    Some((command, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, Error> {
        parse(line.split(' ').map(OsString::from))
    }

    fn args(line: &str) -> Args {
        match parsed(line) {
            Ok(Parsed::Run(args)) => *args,
            other => unreachable!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str) -> String {
        let error = parsed(line).unwrap_err();
        assert_eq!(error.exit_code(), 64, "{line}");
        error.to_string()
    }

    fn printed(line: &str) -> String {
        match parsed(line) {
            Ok(Parsed::Print(text)) => text,
            other => unreachable!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_follows_the_dashes_is_not_looked_at() {
        let Command::Apply(apply) = args("tfguard apply -- -chdir=x --lock y -- -var a=b").command else {
            unreachable!("not apply");
        };
        assert_eq!(apply.args, ["-chdir=x", "--lock", "y", "--", "-var", "a=b"]);
        assert!(apply.options.lock.is_empty());
    }

    #[test]
    fn arguments_that_are_not_text_pass() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![b'-', 0xff]);
        let argv = ["tfguard", "plan", "--"].map(OsString::from).into_iter().chain([odd.clone()]);
        let Ok(Parsed::Run(args)) = parse(argv) else { unreachable!("refused") };
        let Command::Plan(plan) = args.command else { unreachable!("not plan") };
        assert_eq!(plan.args, [odd]);
    }

    #[test]
    fn options_stand_on_either_side_of_the_command() {
        for line in [
            "tfguard -chdir=d --lease 1m plan",
            "tfguard plan -C d --lease=1m",
            "tfguard --lease 2m plan -chdir=d --lease 1m",
        ] {
            let Args { options, command: Command::Plan(plan) } = args(line) else { unreachable!("{line}") };
            let options = options.then(plan.options);
            assert_eq!(options.chdir.as_deref(), Some(std::path::Path::new("d")), "{line}");
            assert_eq!(options.lease.as_deref(), Some("1m"), "{line}");
        }
    }

    #[test]
    fn locks_add_up_wherever_they_stand() {
        let Args { options, command: Command::Plan(plan) } = args("tfguard --lock a plan --lock b --lock c")
        else {
            unreachable!("not plan")
        };
        assert_eq!(options.then(plan.options).lock, ["a", "b", "c"]);
    }

    #[test]
    fn an_option_of_terraform_is_told_where_it_belongs() {
        for (line, suggestion) in [
            ("tfguard apply -auto-approve", "tfguard apply -- -auto-approve"),
            ("tfguard apply --auto-approve", "tfguard apply -- --auto-approve"),
            ("tfguard --lease 1m apply -lock=false", "tfguard apply -- -lock=false"),
            ("tfguard plan -var x=secret", "tfguard plan -- -var"),
            ("tfguard plan -var=x=secret", "tfguard plan -- -var=x=…"),
            ("tfguard plan -out=p", "tfguard plan -- -out=p"),
            ("tfguard apply p.tfplan", "tfguard apply -- p.tfplan"),
            ("tfguard destroy --target=x", "tfguard destroy -- --target=x"),
            ("tfguard exec make", "tfguard exec -- make"),
            ("tfguard run -auto-approve", "tfguard run --auto-approve"),
            ("tfguard run --auto-approve -var x=secret", "tfguard run -- -var"),
            ("tfguard drift -target=x", "tfguard drift -- -target=x"),
        ] {
            let text = refused(line);
            assert!(text.ends_with(&format!("`{suggestion}`")), "{line}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn every_other_mistake_is_64_too() {
        for line in [
            "tfguard",
            "tfguard frobnicate",
            "tfguard apply --lease",
            "tfguard status -auto-approve",
            "tfguard plan --no-wait --wait-timeout 1m",
            "tfguard plan -v -q",
            "tfguard completions klingon",
        ] {
            assert!(!refused(line).starts_with("error:"), "{line}");
        }
    }

    #[test]
    fn a_missing_command_is_told_which_there_are() {
        for line in ["tfguard", "tfguard --lock x"] {
            assert!(
                refused(line).starts_with("a command is missing: init, plan, apply"),
                "{}",
                refused(line)
            );
        }
        let missing = refused("tfguard");
        assert!(missing.contains("apply, destroy, run, drift, exec, status"), "{missing}");
    }

    #[test]
    fn help_version_and_completions_are_printed() {
        assert!(printed("tfguard --help").contains("tfguard apply -- -auto-approve"));
        assert!(printed("tfguard apply --help").contains("--wait-timeout"));
        assert!(printed("tfguard --version").starts_with("tfguard "));
        assert!(printed("tfguard completions bash").contains("_tfguard"));
        let pages = [("man", "tfguard"), ("man apply", "tfguard-apply"), ("man exec", "tfguard-exec")];
        for (line, name) in pages {
            let page = printed(&format!("tfguard {line}"));
            assert!(page.contains(&format!(".TH {name} 1")) && page.contains("EXAMPLES"), "{page}");
        }
        assert!(refused("tfguard man bake").contains("'bake'"));
        let widest = printed("tfguard --help").lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(110), "{widest:?}");
    }
}
