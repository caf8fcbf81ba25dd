//! Manual pages, made of the same texts as `--help`.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use roff::{Roff, roman};

use super::args::Args;
use crate::error::Error;
use crate::escape;

/// The page of tfguard, or of the command that `path` leads to.
///
/// # Errors
/// [`Error::Usage`] where there is no such command.
pub(super) fn page(path: &[String]) -> Result<String, Error> {
    let mut command = Args::command();
    // Every command learns its full name.
    command.build();
    for name in path {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            let shown = escape::field(&path.join(" ")).into_owned();
            Error::Usage(format!("there is no command '{shown}'; `tfguard --help` lists them"))
        })?;
    }
    let name =
        std::iter::once("tfguard").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let mut text = Vec::new();
    render(command, &name, &mut text)
        .map_err(|error| Error::Bug(format!("the manual page cannot be made: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn render(command: Command, name: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let has_commands = command.has_subcommands();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let source = format!("tfguard {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.display_name(name.to_owned())).title(name).source(source);
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if has_commands {
        man.render_subcommands_section(out)?;
    }
    extra(&after).to_writer(out)
}

/// What stands below the options of `--help`: blocks of lines under a heading of their own, and
/// paragraphs.
fn extra(text: &str) -> Roff {
    let mut page = Roff::new();
    let mut notes = false;
    for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
        match block.split_once('\n') {
            Some((heading, lines)) if heading.ends_with(':') => {
                page.control("SH", [heading.trim_end_matches(':').to_uppercase().as_str()]);
                page.control("nf", []);
                page.text([roman(lines)]);
                page.control("fi", []);
            }
            _ => {
                page.control(if notes { "PP" } else { "SH" }, (!notes).then_some("NOTES"));
                page.text([roman(block)]);
                notes = true;
            }
        }
    }
    page
}
