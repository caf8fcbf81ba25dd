//! The raw arguments of the commands that look, tell or change by themselves.

use super::Options;

/// `status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Show all locks of the store
    ///
    /// Held ones come first, by how many wait; those that are free and in order are only counted.
    #[arg(short, long)]
    pub all: bool,
    /// Go on looking
    ///
    /// A live view on a terminal; with --json a line for every change.
    #[arg(short, long, conflicts_with = "check")]
    pub watch: bool,
    /// Only locks whose names start with this; with --all
    #[arg(long, value_name = "TEXT", requires = "all")]
    pub prefix: Option<String>,
    /// Show those that are free too; with --all
    ///
    /// --json and --watch always do.
    #[arg(long, requires = "all")]
    pub free: bool,
    /// So many locks at most; with --all
    #[arg(long, value_name = "N", requires = "all", conflicts_with = "watch",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Print JSON instead of text
    ///
    /// One document; with --all or --watch one of a lock on each line. Also with --log-format json.
    #[arg(long)]
    pub json: bool,
    /// Exit with 75 when the lock is held, with --all when any is
    #[arg(long)]
    pub check: bool,
}

/// `doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print one JSON document instead of text
    ///
    /// Also with --log-format json.
    #[arg(long)]
    pub json: bool,
}

/// `unlock`.
#[derive(Debug, clap::Args)]
pub struct Unlock {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The entry that is meant, as status names it
    ///
    /// A holder, which is asked to stop, or a waiter, which is taken out of the queue. Default: every
    /// holder.
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Take the entry out at once instead of asking it
    ///
    /// Whether its command still runs or not: two runs may then overlap. For a holder that is known to be
    /// dead.
    #[arg(long)]
    pub now: bool,
    /// Say that no rescued state waits to be pushed
    ///
    /// Touches no entry. The lock then no longer needs recovery, and --require-clean lets runs pass.
    #[arg(long, conflicts_with_all = ["session", "now"])]
    pub recovered: bool,
    /// Free Terraform's own lock on the state
    ///
    /// Touches no entry. For what a Terraform left that died, and only while no run of tfguard
    /// holds the lock (else 75). Exactly the lock that is shown is freed.
    #[arg(long, conflicts_with_all = ["session", "now", "recovered"])]
    pub state_lock: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub yes: bool,
}

/// `setup`.
#[derive(Debug, clap::Args)]
pub struct Setup {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print what would be made as code
    ///
    /// Makes nothing, asks nobody and needs no credentials.
    #[arg(long, value_name = "LANGUAGE", conflicts_with = "repair")]
    pub print: Option<String>,
    /// Switch on what is off in what is there already
    ///
    /// Of a table TTL, point-in-time recovery and deletion protection; of a bucket public access block,
    /// encryption and versioning.
    #[arg(long)]
    pub repair: bool,
    /// Tag of what is new; may be repeated
    ///
    /// Beside managed-by=tfguard.
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
}

/// `policy`.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// For whom; several with commas
    #[arg(long = "for", value_name = "WHO", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Number of the AWS account
    ///
    /// Default: any.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// All states whose keys start with this
    ///
    /// In every workspace, with their locks. Default: the state of this directory and workspace.
    #[arg(long, value_name = "PREFIX")]
    pub key_prefix: Option<String>,
}
