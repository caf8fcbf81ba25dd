//! Puts on the arguments what is to be said of them.

use std::fmt::Write;

use clap::builder::{PossibleValue, PossibleValuesParser, StyledStr, Styles};
use clap::{Arg, Command, CommandFactory, ValueHint};

use super::examples::About;
use super::options::Fact;
use super::{about, facts, front, scope};
use crate::cli::args::Args;

/// The whole command line, as manual pages and completions show it. It is for showing, not for
/// reading arguments: what these accept is decided where they are used.
pub(in crate::cli) fn dressed() -> Command {
    let command = dress(Args::command(), "");
    let names: Vec<String> = names(&command).collect();
    ["help", "man"].into_iter().fold(command, |command, asks| {
        let values = PossibleValuesParser::new(names.iter().map(PossibleValue::new));
        command.mut_subcommand(asks, |below| {
            below.mut_arg("command", |arg| arg.hide_possible_values(true).value_parser(values))
        })
    })
}

/// The commands, and those below them.
fn names(command: &Command) -> impl Iterator<Item = String> {
    let one = |below: &Command| {
        std::iter::once(below.get_name().to_owned()).chain(names(below).collect::<Vec<_>>())
    };
    command.get_subcommands().flat_map(one).collect::<Vec<_>>().into_iter()
}

/// The same for `--help`, with the commands of the first page in groups.
pub(in crate::cli) fn for_help() -> Command {
    let command = dressed();
    let groups = front::commands(&command);
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{{all-args}}{{after-help}}");
    // In the groups they are, and clap's own list would be a second one.
    command.mut_subcommands(|below| below.hide(true)).help_template(template)
}

/// `path` is the command's, without `tfguard`.
fn dress(command: Command, path: &str) -> Command {
    let command = command.mut_args(|arg| dress_argument(arg, path));
    let command = command.mut_subcommands(|below| {
        let path = [path, below.get_name()].join(" ");
        dress(below, path.trim_start())
    });
    let styles = command.get_styles().clone();
    let command = match path {
        "" => command
            .after_help("'tfguard COMMAND --help' explains a command, with variables, values and examples."),
        _ => command,
    };
    match about(path) {
        Some(about) => command.after_long_help(below_options(about, scope::runs(path), &styles)),
        None => command,
    }
}

fn dress_argument(arg: Arg, path: &str) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let ours = arg.get_help_heading().is_some() || id == "chdir";
    let hidden = ours && !scope::heeds(path, &id);
    let rare = path.is_empty() && ours && !scope::is_common(&id);
    let arg = arg.hide(hidden).hide_short_help(rare);
    if arg.is_last_set() {
        return match path {
            // To clap a command line is what swallows all that follows.
            "exec" => arg.last(false).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments),
            _ => arg.value_hint(ValueHint::FilePath),
        };
    }
    match facts(&id) {
        Some(fact) if arg.get_action().takes_values() || fact.variable.is_some() => apply(arg, fact),
        _ => arg,
    }
}

fn apply(mut arg: Arg, fact: &Fact) -> Arg {
    let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map_or_else(|| short.clone(), ToString::to_string);
    let default = fact.default.map(|default| format!("[default: {default}]"));
    let variable = fact.variable.map(|variable| format!("[env: {variable}]"));
    // clap's own ways to show them read them too.
    if let Some(default) = &default {
        arg = arg.help(format!("{short} {default}"));
    }
    let origins = variable.into_iter().chain(default).collect::<Vec<_>>().join(" ");
    if !origins.is_empty() {
        arg = arg.long_help(format!("{long}\n\n{origins}"));
    }
    if !arg.get_action().takes_values() {
        return arg;
    }
    let positional = arg.is_positional();
    if fact.values.is_empty() {
        return arg.value_hint(fact.hint);
    }
    let values = fact.values.iter().map(|(name, what)| PossibleValue::new(*name).help(*what));
    // Of a positional they are but a beginning.
    arg.hide_possible_values(positional).value_parser(PossibleValuesParser::new(values))
}

/// Examples, and what the exit codes mean.
fn below_options(about: &About, runs_child: bool, styles: &Styles) -> StyledStr {
    let header = styles.get_header();
    let mut text = StyledStr::new();
    // Writing into a StyledStr cannot fail.
    let _ = writeln!(text, "{header}Examples:{header:#}");
    for (index, example) in about.examples.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        let _ = writeln!(text, "{gap}  # {}\n  {}", example.what, example.line);
    }
    if !about.codes.is_empty() {
        let width = about.codes.iter().map(|(code, _)| code.len()).max().unwrap_or_default();
        let _ = writeln!(text, "\n{header}Exit codes:{header:#}");
        for (code, what) in about.codes {
            let what = what.replace('\n', &format!("\n{:width$}", "", width = width + 4));
            let _ = writeln!(text, "  {code:<width$}  {what}");
        }
    }
    if runs_child {
        let _ = writeln!(text, "\nAll exit codes: 'tfguard --help'.");
    }
    text
}
