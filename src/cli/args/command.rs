//! The command line and its commands.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::{Doctor, Drift, Exec, Options, Policy, Run, Setup, Status, Terraform, Unlock};
use crate::cli::queries::{History, State};

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
        after_help = "Examples:\n  tfguard history -n 5\n  tfguard history --since 7d --json\n  tfguard history --since 2026-11-01 --html history.html",
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
