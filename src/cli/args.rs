//! The raw arguments, as clap reads them. Nothing here is interpreted: values are still text, so
//! that a flag, a variable and the file go through the same checks in [`super::resolve`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::queries::{History, State};
use crate::terraform::find::Name;

const ABOUT: &str =
    "Runs Terraform under one pipeline-level lock: queued in order, stopped cleanly, always released";

const EXAMPLES: &str = "\
Examples:
  tfguard run --auto-approve              init, plan and apply of that plan, under one lock
  tfguard apply -- -auto-approve          apply under the lock of this directory
  tfguard plan -- -out=p && tfguard apply -- p
  tfguard --lock prod --table terraform-lock apply -- -auto-approve
  tfguard exec --lock prod -- terragrunt run-all apply
  tfguard status                          who holds the lock, who waits

Everything after -- reaches the child unchanged and in order. Options stand before it, on either \
side of the command. Each may also be given as the variable in brackets, or under its long name in \
tfguard.toml in the working directory or a parent inside the repository; a flag wins over a \
variable, a variable over the file. Durations are such as 90s, 3m or \"1h 30m\"; a bare number is \
seconds.

Exit codes: the child's own when it ran to its end, 128+n when signal n ended it; 64 wrong usage, \
66 no configuration, 69 store not reachable, 75 lock not got or plan refused, 76 lock lost, 77 no credentials, 78 \
wrong set-up, 126 Terraform cannot be run, 127 cannot be found.";

const SETUP_EXAMPLES: &str = "\
Examples:
  tfguard setup --table terraform-lock > backend.tf
  tfguard setup --table terraform-lock --bucket my-states --region eu-west-1 > backend.tf
  tfguard setup --store s3 --bucket my-states      no table: the lock is kept in the bucket
  tfguard setup --print terraform --bucket my-states > lock.tf

What is there already is looked at and never changed, unless --repair says so. The table is that of \
--table or of the backend, else terraform-lock. The backend.tf goes to stdout, everything else to \
stderr. Exit code 0 also with warnings; 78 when no lock can live in what is there.";

const POLICY_EXAMPLES: &str = "\
Examples:
  tfguard policy                                   for runs in this directory
  tfguard policy --for run,doctor --account 123456789012
  tfguard policy --table terraform-lock --bucket my-states --key-prefix network/
  tfguard policy --for setup --table terraform-lock --bucket my-states

AWS is not asked. What is not known (account, region) is left open with *.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "tfguard",
    version,
    about = ABOUT,
    after_help = EXAMPLES,
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
    #[command(
        after_help = "Example:\n  tfguard init -- -upgrade",
        override_usage = "tfguard init [OPTIONS] [-- ARGS]",
        args_override_self = true
    )]
    Init(Terraform),
    /// Run `terraform plan` under the lock
    #[command(
        after_help = "Examples:\n  tfguard plan -- -out=p\n  tfguard plan --shared -- -detailed-exitcode",
        override_usage = "tfguard plan [OPTIONS] [-- ARGS]",
        args_override_self = true
    )]
    Plan(Terraform),
    /// Run `terraform apply` under the lock
    #[command(
        after_help = "Examples:\n  tfguard apply -- -auto-approve\n  tfguard apply --wait-timeout 20m -- p",
        override_usage = "tfguard apply [OPTIONS] [-- ARGS]",
        args_override_self = true
    )]
    Apply(Terraform),
    /// Run `terraform destroy` under the lock
    #[command(
        after_help = "Example:\n  tfguard destroy -- -auto-approve",
        override_usage = "tfguard destroy [OPTIONS] [-- ARGS]",
        args_override_self = true
    )]
    Destroy(Terraform),
    /// Run the pipeline under one lock: init, plan, approval, apply of that very plan
    #[command(
        long_about = "Runs the pipeline under one lock: init where it is needed, plan, approval, and the apply of \
                      that very plan. With nothing to do nothing is applied. The exit code is that of the phase that \
                      failed; 0 when all went well or there was nothing to do; 1 when the plan was declined. With \
                      -- -detailed-exitcode: 2 when changes were applied.",
        after_help = "Examples:\n  tfguard run                             asks before it applies\n  \
                      tfguard run --auto-approve -- -var-file=prod.tfvars\n  \
                      tfguard run --auto-approve -- -destroy\n  \
                      tfguard run -- -out=p                   keeps the plan, and p.tfguard.json beside it",
        override_usage = "tfguard run [--auto-approve] [OPTIONS] [-- PLAN ARGS]",
        args_override_self = true
    )]
    Run(Run),
    /// Show what has changed outside Terraform: 0 nothing, 2 drift
    #[command(
        long_about = "Makes a refresh-only plan under a shared lock, changes nothing, and says what differs from the \
                      state. Exit code 0: nothing; 2: drift; else Terraform's own. Values that Terraform knows as \
                      sensitive are never shown. Terraform's own words are shown with -v. Needs Terraform 0.15.4 or \
                      OpenTofu.",
        after_help = "Examples:\n  tfguard drift\n  tfguard drift --json -- -target=module.network",
        override_usage = "tfguard drift [--json] [OPTIONS] [-- PLAN ARGS]",
        args_override_self = true
    )]
    Drift(Drift),
    /// Run any command under the lock
    #[command(
        after_help = "Examples:\n  tfguard exec -- make deploy\n  tfguard exec --lock prod -- terragrunt run-all apply",
        override_usage = "tfguard exec [OPTIONS] -- CMD [ARGS]",
        args_override_self = true
    )]
    Exec(Exec),
    /// Show who holds the lock and who waits
    #[command(
        after_help = "Examples:\n  tfguard status\n  tfguard status --json\n  tfguard status --check || echo busy",
        args_override_self = true
    )]
    Status(Status),
    /// Show the last runs of the lock
    #[command(
        after_help = "Examples:\n  tfguard history -n 5\n  tfguard history --since 7d --json",
        override_usage = "tfguard history [OPTIONS]",
        args_override_self = true
    )]
    History(History),
    /// List earlier versions of the state, or bring one back
    #[command(
        after_help = "Examples:\n  tfguard state versions\n  tfguard state restore previous --reason 'apply went wrong'",
        override_usage = "tfguard state <COMMAND> [OPTIONS]",
        args_override_self = true,
        disable_help_subcommand = true
    )]
    State(State),
    /// Ask the holder to stop and release the lock, or take it away
    #[command(
        after_help = "Examples:\n  tfguard unlock --reason 'runner was deleted'\n  \
                      tfguard unlock --reason 'stuck in the queue' --session ID --yes\n  \
                      tfguard unlock --recovered --reason 'imported by hand' --yes\n  \
                      tfguard unlock --state-lock --reason 'the runner was killed'",
        args_override_self = true
    )]
    Unlock(Unlock),
    /// Make the lock table, and the state bucket on request; print the backend.tf that uses them
    #[command(after_help = SETUP_EXAMPLES, args_override_self = true)]
    Setup(Setup),
    /// Print the least IAM policy for this configuration
    #[command(after_help = POLICY_EXAMPLES, args_override_self = true)]
    Policy(Policy),
    /// Check everything that a run needs, and say how to mend what is wrong
    #[command(
        after_help = "Takes no lock and changes nothing. Exits with 78 when a run would fail, else with 0.\n\n\
                      Examples:\n  tfguard doctor\n  tfguard doctor -v --lock prod --table terraform-lock\n  \
                      tfguard doctor --json | jq -r '.checks[] | select(.severity == \"error\") | .cure'",
        args_override_self = true
    )]
    Doctor(Doctor),
    /// Print the manual page, of the whole or of one command
    #[command(after_help = "Examples:\n  tfguard man | man -l -\n  tfguard man apply > tfguard-apply.1")]
    Man {
        /// The command to describe, such as `apply` or `state restore`; default: tfguard itself
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print a completion script
    #[command(after_help = "Example:\n  tfguard completions bash > /etc/bash_completion.d/tfguard")]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
}

/// `init`, `plan`, `apply`, `destroy`.
#[derive(Debug, clap::Args)]
pub struct Terraform {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Arguments for Terraform, passed on unchanged
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Apply without asking; needed where there is no terminal
    #[arg(long)]
    pub auto_approve: bool,
    /// Arguments for the plan, passed on unchanged
    #[arg(last = true, value_name = "PLAN ARGS")]
    pub args: Vec<OsString>,
}

/// `drift`.
#[derive(Debug, clap::Args)]
pub struct Drift {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// Arguments for the plan, passed on unchanged
    #[arg(last = true, value_name = "PLAN ARGS")]
    pub args: Vec<OsString>,
}

/// `exec`.
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The command to run and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub argv: Vec<OsString>,
}

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

/// The options that every command takes, before or after its name.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Run in this directory; also -chdir=DIR [TFGUARD_CHDIR] [default: .]
    #[arg(short = 'C', long, value_name = "DIR")]
    pub chdir: Option<PathBuf>,
    /// Name of the lock; given several times, a run takes all of them, in the same order as every
    /// other run, or none [TFGUARD_LOCK, one name] [default: from the backend: <bucket>/<key>
    /// with workspace for s3, the directory for local state]
    #[arg(long, value_name = "NAME", help_heading = "Lock")]
    pub lock: Vec<String>,
    /// Hold the lock together with other shared runs; for plan, drift (which always does) and exec [TFGUARD_SHARED]
    #[arg(long, help_heading = "Lock")]
    pub shared: bool,
    /// Why, for those who meet the lock; `unlock` needs it [TFGUARD_REASON]
    #[arg(long, value_name = "TEXT", help_heading = "Lock")]
    pub reason: Option<String>,
    /// Length of the lease, 10s to 1h: a run that died blocks others this long [TFGUARD_LEASE]
    /// [default: 3m]
    #[arg(long, value_name = "D", help_heading = "Lock")]
    pub lease: Option<String>,
    /// Give up with 75 after waiting this long; 0 is --no-wait [TFGUARD_WAIT_TIMEOUT] [default:
    /// wait without limit]
    #[arg(long, value_name = "D", help_heading = "Lock", conflicts_with = "no_wait")]
    pub wait_timeout: Option<String>,
    /// Give up with 75 at once when the lock is held
    #[arg(long, help_heading = "Lock")]
    pub no_wait: bool,
    /// Where locks live: auto, dynamodb, s3 or local [TFGUARD_STORE] [default: auto]
    #[arg(long, value_name = "STORE", help_heading = "Store")]
    pub store: Option<String>,
    /// DynamoDB table; implies --store dynamodb [TFGUARD_TABLE] [default: dynamodb_table of an s3
    /// backend]
    #[arg(long, value_name = "NAME", help_heading = "Store")]
    pub table: Option<String>,
    /// S3 bucket of the store s3 [TFGUARD_BUCKET] [default: the state's own]
    #[arg(long, value_name = "NAME", help_heading = "Store")]
    pub bucket: Option<String>,
    /// AWS region [TFGUARD_REGION] [default: from an s3 backend, else as the AWS CLI]
    #[arg(long, value_name = "R", help_heading = "Store")]
    pub region: Option<String>,
    /// Another endpoint for DynamoDB or S3 [TFGUARD_ENDPOINT_URL]
    #[arg(long, value_name = "URL", help_heading = "Store")]
    pub endpoint_url: Option<String>,
    /// AWS profile [TFGUARD_PROFILE]
    #[arg(long, value_name = "P", help_heading = "Store")]
    pub profile: Option<String>,
    /// Role to work as at the lock's table or bucket; in a GitHub job with an identity token of its own
    /// [TFGUARD_ROLE_ARN]
    #[arg(long, value_name = "ARN", help_heading = "Store")]
    pub role_arn: Option<String>,
    /// Folder of the local store [TFGUARD_LOCAL_DIR] [default: .tfguard beside local state, else
    /// the user's state directory]
    #[arg(long, value_name = "DIR", help_heading = "Store")]
    pub local_dir: Option<PathBuf>,
    /// Kill a child that has not stopped this long after its interrupt [TFGUARD_STOP_TIMEOUT]
    /// [default: as long as the lease lasts]
    #[arg(long, value_name = "D", help_heading = "Child")]
    pub stop_timeout: Option<String>,
    /// What to do with the child when the lease is lost or at risk: stop, or continue beside
    /// whoever takes the lock next [TFGUARD_ON_LEASE_LOST] [default: stop]
    #[arg(long, value_name = "WHAT", help_heading = "Child")]
    pub on_lease_lost: Option<String>,
    /// Stop the child gracefully this long after the start [TFGUARD_DEADLINE] [default: never]
    #[arg(long, value_name = "D", help_heading = "Child")]
    pub deadline: Option<String>,
    /// Where an errored.tfstate is moved that Terraform leaves when it cannot write the state
    /// [TFGUARD_RESCUE_DIR] [default: .tfguard/rescue in the working directory]
    #[arg(long, value_name = "DIR", help_heading = "State")]
    pub rescue_dir: Option<PathBuf>,
    /// Refuse with 75 while an earlier run's rescued state has not been pushed; init and state push
    /// are not refused [TFGUARD_REQUIRE_CLEAN]
    #[arg(long, help_heading = "State")]
    pub require_clean: bool,
    /// Apply a saved plan also when another run may have changed things since it was made; for
    /// apply. Such a plan is refused with 75. A plan made with `tfguard plan -- -out=FILE` carries
    /// a note beside it, FILE.tfguard.json: keep the two together
    #[arg(long, help_heading = "State")]
    pub allow_stale_plan: bool,
    /// Start nothing when the child's AWS credentials are known to expire sooner; 77
    /// [TFGUARD_MIN_SESSION] [default: not checked]
    #[arg(long, value_name = "D", help_heading = "Child")]
    pub min_session: Option<String>,
    /// Stop the child gracefully this long before its AWS credentials are known to expire
    /// [TFGUARD_STOP_BEFORE_EXPIRY] [default: only warn]
    #[arg(long, value_name = "D", help_heading = "Child")]
    pub stop_before_expiry: Option<String>,
    /// Terraform to run [TFGUARD_TERRAFORM_BIN] [default: terraform, then tofu, from PATH]
    #[arg(long, value_name = "PATH", help_heading = "Child")]
    pub terraform_bin: Option<PathBuf>,
    /// Run init first: auto, always or never; for plan, apply, destroy, run and drift [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = "Child")]
    pub init: Option<String>,
    /// Terraform's own state lock, when a Terraform died without releasing it: free that of our own
    /// child (own), none (never), or also that of a dead run before (takeover)
    /// [TFGUARD_FREE_STATE_LOCK] [default: own]
    #[arg(long, value_name = "WHICH", help_heading = "Child")]
    pub free_state_lock: Option<String>,
    /// Form of our own messages: text on stderr, or json on stdout together with the child's
    /// output [TFGUARD_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    pub log_format: Option<String>,
    /// Append our own messages to this file as NDJSON [TFGUARD_LOG_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub log_file: Option<PathBuf>,
    /// Speak to the CI system: github (sections, annotations, a step summary), gitlab (sections), none, or auto, which
    /// goes by its variables [TFGUARD_CI] [default: auto]
    #[arg(long, value_name = "SYSTEM", help_heading = "Output")]
    pub ci: Option<String>,
    /// Write what Terraform changes to this file, as GitLab's artifacts:reports:terraform wants it
    /// [TFGUARD_CI_REPORT]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub ci_report: Option<PathBuf>,
    /// Say more
    #[arg(short, long, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say warnings and errors only
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Colour: auto, always or never [NO_COLOR] [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = "Output")]
    pub color: Option<String>,
    /// Set when we were called by Terraform's name; no option.
    #[arg(skip)]
    pub stands_in_for: Option<Name>,
}

impl Options {
    /// These options, given before the command, with those given after it, which win. Locks add
    /// up: two names for one lock are a mistake, wherever they stand.
    #[must_use]
    pub fn then(self, after: Self) -> Self {
        let waits = after.no_wait || after.wait_timeout.is_some();
        let talks = after.verbose || after.quiet;
        Self {
            chdir: after.chdir.or(self.chdir),
            lock: [self.lock, after.lock].concat(),
            shared: after.shared || self.shared,
            reason: after.reason.or(self.reason),
            lease: after.lease.or(self.lease),
            wait_timeout: if waits { after.wait_timeout } else { self.wait_timeout },
            no_wait: if waits { after.no_wait } else { self.no_wait },
            store: after.store.or(self.store),
            table: after.table.or(self.table),
            bucket: after.bucket.or(self.bucket),
            region: after.region.or(self.region),
            endpoint_url: after.endpoint_url.or(self.endpoint_url),
            profile: after.profile.or(self.profile),
            role_arn: after.role_arn.or(self.role_arn),
            local_dir: after.local_dir.or(self.local_dir),
            stop_timeout: after.stop_timeout.or(self.stop_timeout),
            on_lease_lost: after.on_lease_lost.or(self.on_lease_lost),
            deadline: after.deadline.or(self.deadline),
            rescue_dir: after.rescue_dir.or(self.rescue_dir),
            require_clean: after.require_clean || self.require_clean,
            allow_stale_plan: after.allow_stale_plan || self.allow_stale_plan,
            min_session: after.min_session.or(self.min_session),
            stop_before_expiry: after.stop_before_expiry.or(self.stop_before_expiry),
            terraform_bin: after.terraform_bin.or(self.terraform_bin),
            init: after.init.or(self.init),
            free_state_lock: after.free_state_lock.or(self.free_state_lock),
            log_format: after.log_format.or(self.log_format),
            log_file: after.log_file.or(self.log_file),
            ci: after.ci.or(self.ci),
            ci_report: after.ci_report.or(self.ci_report),
            verbose: if talks { after.verbose } else { self.verbose },
            quiet: if talks { after.quiet } else { self.quiet },
            color: after.color.or(self.color),
            stands_in_for: after.stands_in_for.or(self.stands_in_for),
        }
    }
}
