//! A page of help, and whether it has colour.

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use super::for_help;
use crate::cli::advice::explain;
use crate::cli::args::Args;
use crate::cli::config::Colour;
use crate::error::Error;
use crate::escape;

/// A text for people, with colour in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    styled: String,
    colour: Colour,
}

impl Page {
    /// What clap says to `argv`, which asks for help or the version.
    pub(in crate::cli) fn answering(argv: &[OsString]) -> Option<Self> {
        let error = for_help().try_get_matches_from(argv).err()?;
        Some(Self::new(&error.render(), argv))
    }

    /// The page of the command that `path` leads to.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no such command.
    pub(in crate::cli) fn of(path: &[String], argv: &[OsString]) -> Result<Self, Error> {
        let mut command = find(for_help(), path)?;
        Ok(Self::new(&command.render_long_help(), argv))
    }

    fn new(text: &clap::builder::StyledStr, argv: &[OsString]) -> Self {
        // clap indents empty lines too.
        let styled = text.ansi().to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect();
        Self { styled, colour: requested(argv) }
    }

    /// The text, with colour or without.
    pub fn text(&self, colour: bool) -> String {
        if colour { self.styled.clone() } else { anstream::adapter::strip_str(&self.styled).to_string() }
    }

    /// When it has colour.
    pub fn colour(&self) -> Colour {
        self.colour
    }
}

/// The command below `command` that `path` leads to, knowing its full name.
///
/// # Errors
/// [`Error::Usage`] where there is none.
pub(in crate::cli) fn find(mut command: clap::Command, path: &[String]) -> Result<clap::Command, Error> {
    command.build();
    for name in path {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Error::Usage(unknown(path)))?;
    }
    Ok(command)
}

/// As if the command had been given, with what was meant.
fn unknown(path: &[String]) -> String {
    let argv: Vec<OsString> =
        std::iter::once("tfguard").chain(path.iter().map(String::as_str)).map(OsString::from).collect();
    match Args::try_parse_from(&argv) {
        Err(error) if error.kind() == ErrorKind::InvalidSubcommand => explain(&error, &argv),
        _ => {
            let shown = escape::field(&path.join(" ")).into_owned();
            format!("there is no command '{shown}'; tfguard --help lists them")
        }
    }
}

/// The colour that `argv` asks for, whatever else is right or wrong in it.
pub(in crate::cli) fn requested(argv: &[OsString]) -> Colour {
    let mut ours = argv.iter().take_while(|arg| *arg != "--").map(|arg| arg.to_string_lossy());
    let mut colour = Colour::Auto;
    while let Some(arg) = ours.next() {
        let value = match arg.strip_prefix("--color") {
            Some("") => ours.next(),
            Some(rest) => rest.strip_prefix('=').map(|value| value.to_owned().into()),
            None => None,
        };
        match value.as_deref() {
            Some("always") => colour = Colour::Always,
            Some("never") => colour = Colour::Never,
            Some("auto") => colour = Colour::Auto,
            _ => {}
        }
    }
    colour
}
