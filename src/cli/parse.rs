//! From the process's arguments to [`Args`], with every mistake a [`Error::Usage`].

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use super::advice::explain;
use super::args::{Args, Command};
use super::completions;
use super::help::Page;
use super::manual;
use crate::error::Error;

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed {
    /// A command to run.
    Run(Box<Args>),
    /// A text for programs on stdout (a completion script, a manual page); then exit 0.
    Print(String),
    /// A text for people on stdout (help, version); then exit 0.
    Show(Page),
}

/// Reads the arguments, the program's name included.
///
/// # Errors
/// [`Error::Usage`]: clap's text, and where an argument seems to be meant for Terraform, how to
/// pass it on.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Parsed, Error> {
    let argv = accept_chdir(argv.into_iter().collect());
    match Args::try_parse_from(&argv) {
        Ok(Args { command: Command::Completions { shell }, .. }) => {
            Ok(Parsed::Print(completions::script(shell)))
        }
        Ok(Args { command: Command::Help { command }, .. }) => Page::of(&command, &argv).map(Parsed::Show),
        Ok(Args { command: Command::Man { command }, .. }) => manual::page(&command).map(Parsed::Print),
        Ok(args) => Ok(Parsed::Run(Box::new(args))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let page = Page::answering(&argv);
            page.map(Parsed::Show).ok_or_else(|| Error::Bug("what is shown is not what is read".into()))
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

    fn printed(line: &str) -> String {
        match parsed(line) {
            Ok(Parsed::Print(text)) => text,
            Ok(Parsed::Show(page)) => page.text(false),
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
    fn help_version_and_completions_are_printed() {
        assert!(printed("tfguard --help").contains("tfguard apply -- -auto-approve"));
        assert!(printed("tfguard apply --help").contains("--wait-timeout"));
        assert!(printed("tfguard --version").starts_with("tfguard "));
        assert!(printed("tfguard completions bash").contains("_tfguard"));
        let pages = [("man", "TFGUARD"), ("man apply", "TFGUARD-APPLY"), ("man exec", "TFGUARD-EXEC")];
        for (line, name) in pages {
            let page = printed(&format!("tfguard {line}"));
            assert!(page.contains(&format!(".TH {name} 1")) && page.contains("EXAMPLES"), "{page}");
        }
        assert!(parsed("tfguard man bake").unwrap_err().to_string().contains("'bake'"));
        let widest = printed("tfguard --help").lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}");
    }
}
