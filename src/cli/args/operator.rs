//! The raw arguments of the commands that look, tell or change by themselves.

use super::Options;

/// `status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print one JSON document instead of text (also with --log-format json)
    #[arg(long)]
    pub json: bool,
    /// Exit with 75 when the lock is held
    #[arg(long)]
    pub check: bool,
}

/// `doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print one JSON document instead of text (also with --log-format json)
    #[arg(long)]
    pub json: bool,
}

/// `unlock`.
#[derive(Debug, clap::Args)]
pub struct Unlock {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The entry to take out: a holder or a waiter, as `status` names it. Default: the holder
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Take the entry out at once instead of asking it to stop. Two runs may then overlap
    #[arg(long)]
    pub now: bool,
    /// Touch no entry: say that a rescued state needs no push any more, so that the lock no longer
    /// needs recovery
    #[arg(long, conflicts_with_all = ["session", "now"])]
    pub recovered: bool,
    /// Touch no entry: free Terraform's own lock on the state, which a Terraform left that died. Only
    /// while no run of tfguard holds the lock
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
    /// Make nothing and ask nobody: write what would be made as code, terraform or cloudformation
    #[arg(long, value_name = "LANGUAGE", conflicts_with = "repair")]
    pub print: Option<String>,
    /// Switch on what is off in a table or bucket that is there already: TTL, point-in-time
    /// recovery, deletion protection; public access block, encryption, versioning
    #[arg(long)]
    pub repair: bool,
    /// Tag of what is new, beside managed-by=tfguard; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
}

/// `policy`.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// For whom: run (a pipeline, Terraform's own requests included), operator (status, history,
    /// unlock), state (state versions, state restore), doctor (with run: it tries what a run needs),
    /// setup; several with commas [default: run]
    #[arg(long = "for", value_name = "WHO", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Number of the AWS account [default: any]
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// All states whose keys start with this, in every workspace, and their locks [default: the
    /// state of this directory and workspace]
    #[arg(long, value_name = "PREFIX")]
    pub key_prefix: Option<String>,
}
