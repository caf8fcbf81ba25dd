//! The raw arguments of the commands that look at what was: `history` and `state`.

use std::path::PathBuf;

use clap::Subcommand;

use super::args::Options;

/// `history`.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// How many runs, 1 to 10000
    ///
    /// Default: 20, with --html 200, or with --since as many as there are.
    #[arg(short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub last: Option<u64>,
    /// Only runs that ended within this time, such as 7d, or since a date
    ///
    /// A date is 2026-11-01 or 2026-11-01T08:00+01:00, in UTC where no offset is given.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Print one JSON document instead of a table
    ///
    /// Also with --log-format json.
    #[arg(long)]
    pub json: bool,
    /// Write a page with timeline, waits and a table that sorts; - is stdout
    ///
    /// It needs nothing beside it, is whole without JavaScript, and is readable by its owner only.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub html: Option<PathBuf>,
}

/// `state`.
#[derive(Debug, clap::Args)]
pub struct State {
    /// Options between `state` and its command.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: StateCommand,
}

/// The commands below `state`.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List earlier versions of the state and who wrote them
    ///
    /// The versions of the state object of the selected workspace, the newest first, with the runs that held
    /// the lock at the time. Nothing of a state's content is shown.
    #[command(override_usage = "tfguard state versions [OPTIONS]", args_override_self = true)]
    Versions(Versions),
    /// Bring an earlier version of the state back, under the lock
    ///
    /// Shows what would be replaced by what, and asks. The present state is kept in --rescue-dir
    /// first; the wanted one is written by terraform state push with a serial above all that were
    /// seen, also over a state that Terraform cannot read. A state of another lineage is refused.
    #[command(override_usage = "tfguard state restore [OPTIONS] VERSION", args_override_self = true)]
    Restore(Restore),
}

/// `state versions`.
#[derive(Debug, clap::Args)]
pub struct Versions {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// How many versions, 1 to 1000
    #[arg(short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub last: u64,
    /// Print one JSON document instead of a table
    ///
    /// Also with --log-format json.
    #[arg(long)]
    pub json: bool,
}

/// `state restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The version: its ID, serial:N, or previous
    ///
    /// serial:N is the newest version with that serial, previous the newest one before the present
    /// one that is a state.
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub yes: bool,
}
