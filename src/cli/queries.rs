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
    /// How many runs, 1 to 10000 [default: 20, with --html 200; with --since as many as there are]
    #[arg(short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub last: Option<u64>,
    /// Only runs that ended within this time, such as 7d, or since this date, such as 2026-11-01 or
    /// 2026-11-01T08:00Z; in UTC where no offset is given
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Print one JSON document instead of a table (also with --log-format json)
    #[arg(long)]
    pub json: bool,
    /// Write one page with timeline, waits and table to this file, which needs nothing beside it; - is stdout
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
    /// List the earlier versions of the state, with the runs that wrote them
    #[command(
        after_help = "Examples:\n  tfguard state versions\n  tfguard state versions -n 5 --json",
        override_usage = "tfguard state versions [OPTIONS]",
        args_override_self = true
    )]
    Versions(Versions),
    /// Bring an earlier version of the state back, under the lock
    #[command(
        after_help = "Examples:\n  tfguard state restore previous --reason 'apply went wrong'\n  \
                      tfguard state restore serial:41 --yes\n  \
                      tfguard state restore 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY --yes",
        override_usage = "tfguard state restore [OPTIONS] VERSION",
        args_override_self = true
    )]
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
    /// Print one JSON document instead of a table (also with --log-format json)
    #[arg(long)]
    pub json: bool,
}

/// `state restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The version: its ID, `serial:N`, or `previous`
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub yes: bool,
}
