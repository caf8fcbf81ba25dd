//! The command line and its commands. What stands here as documentation is what `--help` and the
//! manual pages say; [`crate::cli::help`] adds examples, values and variables.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::{Doctor, Drift, Exec, Options, Policy, Run, Setup, Status, Terraform, Unlock};
use crate::cli::queries::{History, State};

/// Runs Terraform under one pipeline-level lock: queued in order, stopped cleanly, always released
///
/// tfguard waits in a first-come-first-served queue that everybody can see, runs Terraform (or
/// OpenTofu) as its child while it keeps the lock alive, turns whatever signals arrive into exactly
/// one interrupt, and releases the lock on every way out, also when it is killed itself. The lock
/// lives in a DynamoDB table, in an S3 bucket beside the state, or in files on this machine; lock
/// and store follow from Terraform's own backend where nothing else is said.
///
/// Everything after -- reaches the child unchanged and in order. Options stand before it, on either
/// side of the command. Most may also be given as a variable, or under their long names in
/// tfguard.toml in the working directory or a parent inside the repository: a flag wins over a
/// variable, a variable over the file. Durations are such as 90s, 3m or "1h 30m"; a bare number is
/// seconds.
#[derive(Debug, Parser)]
#[command(
    name = "tfguard",
    version,
    override_usage = "tfguard [OPTIONS] <COMMAND> [-- ARGS]",
    max_term_width = 100,
    args_override_self = true,
    disable_help_subcommand = true,
    subcommand_required = true
)]
pub struct Args {
    /// Options before the command.
    #[command(flatten)]
    pub options: Options,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run `terraform init` under the lock
    ///
    /// Other commands run init by themselves where it is needed (see --init); this one is for an
    /// init with arguments of its own. With -migrate-state, and where a state moves to a new
    /// backend, it holds the locks of both the old and the new place.
    #[command(override_usage = "tfguard init [OPTIONS] [-- ARGS]", args_override_self = true)]
    Init(Terraform),
    /// Run `terraform plan` under the lock
    ///
    /// A plan under the lock sees a state that nobody is changing. With --shared, plans run beside
    /// one another and only changes exclude them. A plan that is saved with -out=FILE gets a note
    /// beside it, FILE.tfguard.json, by which an apply notices that another run has overtaken it.
    #[command(override_usage = "tfguard plan [OPTIONS] [-- ARGS]", args_override_self = true)]
    Plan(Terraform),
    /// Run `terraform apply` under the lock
    ///
    /// Waits in the queue, applies, releases. At a terminal Terraform has the terminal and asks as
    /// ever; without one give -auto-approve or a saved plan after --. A saved plan that another
    /// run may have overtaken since is refused with 75 (see --allow-stale-plan).
    #[command(override_usage = "tfguard apply [OPTIONS] [-- ARGS]", args_override_self = true)]
    Apply(Terraform),
    /// Run `terraform destroy` under the lock
    ///
    /// As apply, for all that the state has. At a terminal Terraform asks as ever; without one give
    /// -auto-approve after --.
    #[command(override_usage = "tfguard destroy [OPTIONS] [-- ARGS]", args_override_self = true)]
    Destroy(Terraform),
    /// Init, plan, approval and apply of that very plan, under one lock
    ///
    /// What is applied is what was shown: the lock is held from the plan to the end of the apply,
    /// also while the question is open. init runs where it is needed; with nothing to do nothing is
    /// applied. The plan lies in a private folder that goes away on every way out; -out=FILE after
    /// -- keeps it. Everything after -- is the plan's.
    #[command(
        override_usage = "tfguard run [--auto-approve] [OPTIONS] [-- PLAN ARGS]",
        args_override_self = true
    )]
    Run(Run),
    /// Show what has changed outside Terraform: 0 nothing, 2 drift
    ///
    /// Makes a refresh-only plan under a shared lock, changes nothing, and says what differs from
    /// the state. Values that Terraform knows as sensitive are never shown; Terraform's own words
    /// are shown with -v. Needs Terraform 0.15.4 or newer, or OpenTofu.
    #[command(override_usage = "tfguard drift [--json] [OPTIONS] [-- PLAN ARGS]", args_override_self = true)]
    Drift(Drift),
    /// Run any command under the lock
    ///
    /// For what is not a command of its own here: terraform import, terragrunt, make, a script.
    /// The command has TFGUARD_LOCK_NAME, TFGUARD_GENERATION and TFGUARD_SESSION in its
    /// environment; a tfguard inside it runs under the same lock. What it leaves running is ended
    /// before the lock is released.
    #[command(override_usage = "tfguard exec [OPTIONS] -- CMD [ARGS]", args_override_self = true)]
    Exec(Exec),
    /// Show who holds the lock and who waits
    ///
    /// Since when, on which machine and in which job, what they run and how the last run ended.
    /// Looking takes no lock and changes nothing; nothing is made where there is no store yet. With
    /// --all it shows every lock of the store, with --watch it goes on looking.
    #[command(override_usage = "tfguard status [OPTIONS]", args_override_self = true)]
    Status(Status),
    /// Show the last runs of the lock
    ///
    /// Who ran what and when, how long it waited and held, how it ended and what it changed, as a
    /// table, as JSON, or as a page for a browser. Every run is written down after its release, a
    /// killed one by its guardian or by whoever finds it dead; 90 days are kept.
    #[command(override_usage = "tfguard history [OPTIONS]", args_override_self = true)]
    History(History),
    /// List earlier versions of the state, or bring one back
    ///
    /// For a state in a bucket with versioning, by the directory's s3 backend.
    #[command(
        override_usage = "tfguard state <COMMAND> [OPTIONS]",
        args_override_self = true,
        disable_help_subcommand = true
    )]
    State(State),
    /// Ask the holder to stop and release, or take the lock away
    ///
    /// The holder sees the wish with its next heartbeat, stops its command gracefully and
    /// releases; whoever waits in the queue is taken out of it. Who asked and why is told to them
    /// and stands in the history. One that is dead needs none of this: others pass over it by
    /// themselves when its lease is over.
    #[command(override_usage = "tfguard unlock --reason TEXT [OPTIONS]", args_override_self = true)]
    Unlock(Unlock),
    /// Make the lock table or the state bucket, and print a backend.tf
    ///
    /// Makes what is missing and looks at what is there, which is never changed unless --repair
    /// says so. The table is that of --table or of the backend, else terraform-lock; a bucket is
    /// made where --bucket or the store s3 asks for one. The backend.tf that uses them goes to
    /// stdout, everything else to stderr.
    #[command(override_usage = "tfguard setup [OPTIONS]", args_override_self = true)]
    Setup(Setup),
    /// Print the least IAM policy for this configuration
    ///
    /// What tfguard and Terraform ask of AWS for this lock and this state, and nothing else. AWS is
    /// not asked: what is not known (account, region) is left open with *. What the configuration
    /// itself makes, by its providers, is not in it.
    #[command(override_usage = "tfguard policy [OPTIONS]", args_override_self = true)]
    Policy(Policy),
    /// Check everything that a run needs, and say how to mend it
    ///
    /// Terraform, backend, credentials, clock, table, bucket, permissions by trying them, the
    /// lock's record, Terraform's own lock. Takes no lock and changes nothing. -v shows also what
    /// is fine.
    #[command(override_usage = "tfguard doctor [OPTIONS]", args_override_self = true)]
    Doctor(Doctor),
    /// Show the help of a command
    ///
    /// The same as the command's own --help.
    #[command(override_usage = "tfguard help [COMMAND]...")]
    Help {
        /// The command, such as `apply` or `state restore`
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print the manual page of tfguard or of one command
    ///
    /// The page as roff, for man -l or a manual folder.
    #[command(override_usage = "tfguard man [COMMAND]...")]
    Man {
        /// The command, such as `apply` or `state restore`; without one it is tfguard itself
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print a completion script for a shell
    ///
    /// Completes commands, options and their values; after -- files, and for exec commands.
    #[command(override_usage = "tfguard completions <SHELL>")]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
}
