//! Manual pages, made of the same texts as `--help`, in the sections of man-pages(7).

use clap::{Arg, ArgAction, Command};
use roff::{Inline, Roff, bold, italic, roman};

use super::help;
use crate::error::Error;

/// The page of tfguard, or of the command that `path` leads to.
///
/// # Errors
/// [`Error::Usage`] where there is no such command.
pub(super) fn page(path: &[String]) -> Result<String, Error> {
    let command = help::find(help::dressed(), path)?;
    let path = path.join(" ");
    let name = page_name(&path);
    let mut page = Roff::new();
    let version = format!("tfguard {}", env!("CARGO_PKG_VERSION"));
    // No date: the same program gives the same page whenever it is asked.
    page.control("TH", [name.to_uppercase().as_str(), "1", "\"\"", &version, "tfguard manual"]);
    let summary = command.get_about().map(ToString::to_string).unwrap_or_default();
    section(&mut page, "NAME");
    page.text([roman(format!("{name} - {summary}"))]);
    synopsis(&mut page, &command);
    section(&mut page, "DESCRIPTION");
    let description = command.get_long_about().map_or_else(|| summary.clone(), ToString::to_string);
    // The summary has been said.
    let description = description.strip_prefix(&summary).unwrap_or(&description).trim_start();
    paragraphs(&mut page, if description.is_empty() { &summary } else { description }, "PP");
    options(&mut page, &command);
    commands(&mut page, &command, &path);
    exit_status(&mut page, &path);
    environment(&mut page, &command);
    if command.get_arguments().any(|arg| arg.get_id() == "chdir") {
        files(&mut page);
    }
    examples(&mut page, &path);
    see_also(&mut page, &path);
    Ok(page.render())
}

fn page_name(path: &str) -> String {
    ["tfguard", path].join(" ").trim_end().replace(' ', "-")
}

fn section(page: &mut Roff, heading: &str) {
    page.control("SH", [heading]);
}

/// Paragraphs of `text`, all but the first behind the macro `between`.
fn paragraphs(page: &mut Roff, text: &str, between: &str) {
    for (index, paragraph) in text.split("\n\n").enumerate() {
        if index > 0 {
            page.control(between, []);
        }
        page.text([roman(paragraph)]);
    }
}

/// A term and what it means, in paragraphs.
fn entry(page: &mut Roff, term: impl Into<Vec<Inline>>, what: &str) {
    page.control("TP", []);
    page.text(term);
    paragraphs(page, what, "IP");
}

fn synopsis(page: &mut Roff, command: &Command) {
    section(page, "SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let name = command.get_bin_name().unwrap_or("tfguard");
    let rest = usage.strip_prefix(name).unwrap_or_default();
    page.text([bold(name), roman(rest)]);
}

/// Arguments and options, those of a heading together.
fn options(page: &mut Roff, command: &Command) {
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for heading in shown.iter().map(|arg| arg.get_help_heading()) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    section(page, "OPTIONS");
    for heading in headings {
        if let Some(heading) = heading {
            page.control("SS", [heading]);
        }
        for arg in shown.iter().filter(|arg| arg.get_help_heading() == heading) {
            let what = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
            entry(page, term(arg), &what);
            values(page, arg);
        }
    }
}

fn term(arg: &Arg) -> Vec<Inline> {
    let name = || {
        let names = arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    if arg.is_positional() {
        let many = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
        return vec![italic(name()), roman(many)];
    }
    let mut term = Vec::new();
    if let Some(short) = arg.get_short() {
        term.extend([bold(format!("-{short}")), roman(", ")]);
    }
    match arg.get_long() {
        Some(long) => term.push(bold(format!("--{long}"))),
        None => drop(term.pop()),
    }
    if arg.get_action().takes_values() {
        term.extend([roman(" "), italic(name())]);
    }
    term
}

/// The values that there are, with what they mean.
fn values(page: &mut Roff, arg: &Arg) {
    if arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        return;
    }
    let values = arg.get_possible_values();
    if values.is_empty() {
        return;
    }
    page.control("RS", []);
    for value in values {
        let what = value.get_help().map(ToString::to_string).unwrap_or_default();
        page.control("TP", []);
        page.text([bold(value.get_name())]);
        if !what.is_empty() {
            page.text([roman(what)]);
        }
    }
    page.control("RE", []);
}

fn commands(page: &mut Roff, command: &Command, path: &str) {
    if !command.has_subcommands() {
        return;
    }
    section(page, "COMMANDS");
    for below in command.get_subcommands() {
        let name = page_name([path, below.get_name()].join(" ").trim_start());
        let what = below.get_about().map(ToString::to_string).unwrap_or_default();
        // In one piece, as ci/package looks for it.
        entry(page, [roman(format!("{name}(1)"))], &what);
    }
}

fn exit_status(page: &mut Roff, path: &str) {
    let own = help::about(path).map(|about| about.codes).unwrap_or_default();
    let common = match (path.is_empty(), help::runs(path), help::about("")) {
        (false, true, Some(about)) => about.codes,
        _ => &[],
    };
    if own.is_empty() && common.is_empty() {
        return;
    }
    section(page, "EXIT STATUS");
    for (code, what) in own.iter().chain(common) {
        entry(page, [bold(*code)], &what.replace('\n', " "));
    }
}

/// The variables that stand for the options of this command, and those for its child.
fn environment(page: &mut Roff, command: &Command) {
    let variables = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| {
        let variable = help::facts(arg.get_id().as_str())?.variable?;
        Some((variable, arg.get_long()?.to_owned()))
    });
    let mut headed = false;
    for (variable, option) in variables {
        if !std::mem::replace(&mut headed, true) {
            section(page, "ENVIRONMENT");
        }
        let what = match variable {
            "NO_COLOR" => "No colour, where --color is not given.".to_owned(),
            _ => format!("As --{option}, which wins."),
        };
        entry(page, [bold(variable)], &what);
    }
    if command.get_arguments().any(|arg| arg.get_id() == "version") && command.has_subcommands() {
        let what = "1 shows on stderr where the time of a start goes, and of every call of the store.";
        entry(page, [bold(crate::trace::VARIABLE)], what);
    }
    if command.get_arguments().any(Arg::is_trailing_var_arg_set)
        || command.get_positionals().any(Arg::is_last_set)
    {
        for (variable, what) in [
            ("TFGUARD", "1, for the command."),
            ("TFGUARD_LOCK_NAME", "For the command: the lock; of several a list, separated by commas."),
            ("TFGUARD_GENERATION", "For the command: the lock's fencing token, likewise."),
            ("TFGUARD_SESSION", "For the command: this run, after those of the tfguards around it."),
        ] {
            entry(page, [bold(variable)], what);
        }
    }
}

fn files(page: &mut Roff) {
    section(page, "FILES");
    entry(
        page,
        [italic("tfguard.toml")],
        "Options under their long names, in the working directory or a parent inside the repository.",
    );
    entry(page, [italic(".tfguard/")], "Locks of local state, and states that were rescued.");
}

fn examples(page: &mut Roff, path: &str) {
    let Some(about) = help::about(path) else { return };
    section(page, "EXAMPLES");
    for (index, example) in about.examples.iter().enumerate() {
        if index > 0 {
            page.control("PP", []);
        }
        page.text([roman(format!("{}:", example.what))]);
        page.control("PP", []);
        page.control("RS", ["4"]);
        page.control("nf", []);
        page.text([roman(example.line)]);
        page.control("fi", []);
        page.control("RE", []);
    }
}

fn see_also(page: &mut Roff, path: &str) {
    let mut pages = Vec::new();
    if !path.is_empty() {
        let parent = path.rsplit_once(' ').map_or("", |(parent, _)| parent);
        pages.push(page_name(parent));
    }
    if help::runs(path) {
        pages.push("tfguard-status".to_owned());
    }
    pages.push("terraform".to_owned());
    section(page, "SEE ALSO");
    let names = pages.iter().enumerate().flat_map(|(index, name)| {
        [roman(if index == 0 { "" } else { ", " }), bold(name.as_str()), roman("(1)")]
    });
    page.text(names.collect::<Vec<_>>());
}
