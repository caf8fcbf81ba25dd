//! What to say to a command line that cannot be understood: what is wrong, and what was meant.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Args;
use crate::escape;
use crate::terraform::redact;

/// The commands that take arguments after `--`.
const PASSING: [&str; 7] = ["init", "plan", "apply", "destroy", "run", "drift", "exec"];

/// Commands of Terraform's that have no name here.
const TERRAFORMS: [&str; 19] = [
    "console",
    "fmt",
    "get",
    "graph",
    "import",
    "login",
    "logout",
    "metadata",
    "modules",
    "output",
    "providers",
    "refresh",
    "show",
    "taint",
    "test",
    "untaint",
    "validate",
    "workspace",
    "state",
];

/// The text for `error`, which clap found in `argv`.
pub(super) fn explain(error: &clap::Error, argv: &[OsString]) -> String {
    let told = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Some(missing_command(argv))
        }
        ErrorKind::InvalidSubcommand => unknown_command(error, argv),
        ErrorKind::UnknownArgument => unknown_argument(error, argv),
        _ => None,
    };
    told.unwrap_or_else(|| {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let says = |line: &&str| !line.trim().is_empty() && !line.starts_with("For more information");
        text.lines().filter(says).collect::<Vec<_>>().join("\n")
    })
}

fn missing_command(argv: &[OsString]) -> String {
    let all = Args::command();
    let named = ours(argv).find_map(|arg| all.find_subcommand(arg).filter(|found| found.has_subcommands()));
    let (command, path) = match named {
        Some(found) => (found, format!("tfguard {}", found.get_name())),
        None => (&all, "tfguard".to_owned()),
    };
    let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
    format!("a command is missing: {}; {path} --help shows more", names.join(", "))
}

/// What stands before `--`, without our own name.
fn ours(argv: &[OsString]) -> impl Iterator<Item = &OsString> {
    argv.iter().skip(1).take_while(|arg| *arg != "--")
}

fn unknown_command(error: &clap::Error, argv: &[OsString]) -> Option<String> {
    let unknown = text(error, ContextKind::InvalidSubcommand)?;
    let shown = escape::field(unknown);
    let below_state = ours(argv).any(|arg| arg == "state");
    if below_state || TERRAFORMS.contains(&unknown) {
        let state = if below_state { "state " } else { "" };
        // What Terraform has below `state` is known to nobody better than Terraform.
        if !below_state || ["list", "mv", "pull", "push", "replace-provider", "rm", "show"].contains(&unknown)
        {
            return Some(format!(
                "'{state}{shown}' is Terraform's; under the lock: tfguard exec -- terraform {state}{shown}"
            ));
        }
    }
    let (what, instead) = match unknown {
        "version" => return Some("there is no command 'version': tfguard --version".into()),
        "force-unlock" => {
            return Some("there is no command 'force-unlock': tfguard unlock --state-lock".into());
        }
        _ => (shown, similar(error, ContextKind::SuggestedSubcommand)),
    };
    let meant = instead.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    let parent = if below_state { "tfguard state" } else { "tfguard" };
    Some(match meant.as_str() {
        "" => format!("there is no command '{what}'; {parent} --help lists them"),
        meant => format!("there is no command '{what}'{meant} {parent} --help lists them"),
    })
}

/// The likeliest of what clap found similar: the last one.
fn similar(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(one) => Some(one),
        ContextValue::Strings(several) => several.last().map(String::as_str),
        _ => None,
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

fn unknown_argument(error: &clap::Error, argv: &[OsString]) -> Option<String> {
    let unknown = text(error, ContextKind::InvalidArg)?;
    let mut words = ours(argv);
    // Its name may be an option's value too; then nothing worse happens than advice that does not fit.
    let command = words.by_ref().find_map(|arg| PASSING.into_iter().find(|name| arg == *name));
    let Some(command) = command else { return Some(not_known(error, unknown, argv)) };
    let misplaced = as_given(&words.collect::<Vec<_>>(), unknown)?;
    let shown = redact::terraform(std::slice::from_ref(misplaced)).concat();
    let shown = escape::field(&shown);
    if command == "run" && shown.trim_start_matches('-') == "auto-approve" {
        return Some(format!(
            "unexpected argument '{shown}'; here it has two dashes: tfguard run --auto-approve"
        ));
    }
    let meant = similar(error, ContextKind::SuggestedArg)
        .map(|option| format!("did you mean {option}? Otherwise "))
        .unwrap_or_default();
    let whose = if command == "exec" { "the command to run stands" } else { "arguments for Terraform stand" };
    Some(format!("unexpected argument '{shown}'; {meant}{whose} after --: tfguard {command} -- {shown}"))
}

/// The same for a command that passes nothing on.
fn not_known(error: &clap::Error, unknown: &str, argv: &[OsString]) -> String {
    let words: Vec<&OsString> = ours(argv).collect();
    let shown = as_given(&words, unknown).map_or_else(|| unknown.into(), |word| word.to_string_lossy());
    let shown = escape::field(&shown);
    match similar(error, ContextKind::SuggestedArg) {
        Some(option) => format!("unexpected argument '{shown}'; did you mean {option}?"),
        None => format!("unexpected argument '{shown}'; the command's --help lists what it takes"),
    }
}

/// The word that clap stumbled over. It reads `-auto-approve` as a cluster of short options and
/// complains of one letter.
fn as_given<'a>(words: &[&'a OsString], unknown: &str) -> Option<&'a OsString> {
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
    words.iter().find(is_unknown).or_else(|| words.iter().find(looks_like_terraforms)).copied()
}

#[cfg(test)]
mod tests {
    use crate::cli::parse::parse;

    fn refused(line: &str) -> String {
        let error = parse(line.split(' ').map(Into::into)).unwrap_err();
        assert_eq!(error.exit_code(), 64, "{line}");
        error.to_string()
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
            assert!(text.ends_with(suggestion), "{line}: {text}");
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
            "tfguard help frobnicate",
            "tfguard man frobnicate",
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
        assert!(
            refused("tfguard state").starts_with("a command is missing: versions, restore; tfguard state")
        );
    }

    #[test]
    fn what_was_meant_is_named() {
        for (line, says) in [
            ("tfguard aply", "there is no command 'aply'; did you mean 'apply'? tfguard --help lists them"),
            (
                "tfguard help aply",
                "there is no command 'aply'; did you mean 'apply'? tfguard --help lists them",
            ),
            ("tfguard man state restroe", "did you mean 'restore'? tfguard state --help lists them"),
            ("tfguard xyzzy", "there is no command 'xyzzy'; tfguard --help lists them"),
            ("tfguard import a b", "under the lock: tfguard exec -- terraform import"),
            ("tfguard state mv a b", "under the lock: tfguard exec -- terraform state mv"),
            ("tfguard version", "tfguard --version"),
            ("tfguard force-unlock 1", "tfguard unlock --state-lock"),
            ("tfguard status --chek", "unexpected argument '--chek'; did you mean --check?"),
            (
                "tfguard status -auto-approve",
                "unexpected argument '-auto-approve'; the command's --help lists what it takes",
            ),
            (
                "tfguard plan --wat-timeout=3m",
                "did you mean --wait-timeout? Otherwise arguments for Terraform stand after --: tfguard plan -- --wat-timeout=…",
            ),
        ] {
            let text = refused(line);
            assert!(text.ends_with(says), "{line}: {text}");
        }
    }
}
