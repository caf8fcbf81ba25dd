//! The options that every command takes. The first paragraph is what `-h` shows, all of it what
//! `--help` does; variables, defaults and values are added from [`crate::cli::help`].

use std::path::PathBuf;

use crate::terraform::find::Name;

/// The options that every command takes, before or after its name.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Run in this directory
    ///
    /// As Terraform's own -chdir=DIR, which is understood too.
    #[arg(short = 'C', long, value_name = "DIR")]
    pub chdir: Option<PathBuf>,
    /// Name of the lock; may be repeated
    ///
    /// Given several times, a run takes all of them or none, in the same order as every other run. Default:
    /// from the backend, <bucket>/<key> with workspace for s3, the directory for local state. The
    /// variable holds one name.
    #[arg(long, value_name = "NAME", help_heading = "Lock options")]
    pub lock: Vec<String>,
    /// Hold the lock together with other shared runs
    ///
    /// For plan and exec; drift always does. A plan gets -lock=false with it, since plans that run
    /// side by side would collide on Terraform's own lock.
    #[arg(long, help_heading = "Lock options")]
    pub shared: bool,
    /// Why, for those who meet the lock
    ///
    /// Stands in status, in the waiting lines of others and in the history. unlock needs one.
    #[arg(long, value_name = "TEXT", help_heading = "Lock options")]
    pub reason: Option<String>,
    /// Length of the lease, 10s to 1h
    ///
    /// A run that died blocks others for 1.1 times as long; a store that cannot be reached for half of it
    /// stops the run.
    #[arg(long, value_name = "TIME", help_heading = "Lock options")]
    pub lease: Option<String>,
    /// Give up with 75 after waiting this long
    ///
    /// For all the locks of a run together; 0 is --no-wait. Default: wait without limit, saying so
    /// every 30 s.
    #[arg(long, value_name = "TIME", help_heading = "Lock options", conflicts_with = "no_wait")]
    pub wait_timeout: Option<String>,
    /// Give up with 75 at once when the lock is held
    #[arg(long, help_heading = "Lock options")]
    pub no_wait: bool,
    /// Where locks live
    #[arg(long, value_name = "STORE", help_heading = "Store options")]
    pub store: Option<String>,
    /// DynamoDB table; implies --store dynamodb
    ///
    /// Default: dynamodb_table of an s3 backend. It may be the table that Terraform locks with.
    #[arg(long, value_name = "NAME", help_heading = "Store options")]
    pub table: Option<String>,
    /// S3 bucket of the store s3
    ///
    /// Default: the bucket that the state is in.
    #[arg(long, value_name = "NAME", help_heading = "Store options")]
    pub bucket: Option<String>,
    /// AWS region
    ///
    /// Default: from an s3 backend, else as the AWS CLI.
    #[arg(long, value_name = "REGION", help_heading = "Store options")]
    pub region: Option<String>,
    /// Another endpoint for DynamoDB or S3
    #[arg(long, value_name = "URL", help_heading = "Store options")]
    pub endpoint_url: Option<String>,
    /// AWS profile
    #[arg(long, value_name = "PROFILE", help_heading = "Store options")]
    pub profile: Option<String>,
    /// Role to work as at the lock's table or bucket
    ///
    /// In a GitHub job with an identity token of its own, minted anew for as long as the job runs.
    #[arg(long, value_name = "ARN", help_heading = "Store options")]
    pub role_arn: Option<String>,
    /// Folder of the local store
    ///
    /// Default: .tfguard beside local state, else the user's state directory.
    #[arg(long, value_name = "DIR", help_heading = "Store options")]
    pub local_dir: Option<PathBuf>,
    /// Kill a command that does not stop in this time
    ///
    /// Counted from its interrupt. Default: as long as the lease lasts.
    #[arg(long, value_name = "TIME", help_heading = "Command options")]
    pub stop_timeout: Option<String>,
    /// What a lost lease means for the command
    #[arg(long, value_name = "WHAT", help_heading = "Command options")]
    pub on_lease_lost: Option<String>,
    /// Stop gracefully this long after the start
    ///
    /// The wait counts too: when the lock is not ours by then the run gives up with 75. Default: never.
    #[arg(long, value_name = "TIME", help_heading = "Command options")]
    pub deadline: Option<String>,
    /// Where a rescued state goes
    ///
    /// When Terraform cannot write the state it leaves an errored.tfstate, which is moved here.
    /// Default: .tfguard/rescue in the working directory.
    #[arg(long, value_name = "DIR", help_heading = "State options")]
    pub rescue_dir: Option<PathBuf>,
    /// Refuse while a rescued state waits to be pushed
    ///
    /// With 75, and before anything runs; init and state push are not refused.
    #[arg(long, help_heading = "State options")]
    pub require_clean: bool,
    /// Apply a saved plan that another run may have overtaken
    ///
    /// Such a plan is refused with 75. A plan made with `tfguard plan -- -out=FILE` carries
    /// a note beside it, FILE.tfguard.json: keep the two together.
    #[arg(long, help_heading = "State options")]
    pub allow_stale_plan: bool,
    /// Start only with credentials that last this long
    ///
    /// Where the command's AWS credentials are known to expire sooner nothing is started: 77. Default: not
    /// checked.
    #[arg(long, value_name = "TIME", help_heading = "Command options")]
    pub min_session: Option<String>,
    /// Stop gracefully this long before credentials expire
    ///
    /// The command's AWS credentials, where it is known when they do. Default: only warn.
    #[arg(long, value_name = "TIME", help_heading = "Command options")]
    pub stop_before_expiry: Option<String>,
    /// Terraform to run
    ///
    /// Default: terraform, then tofu, from PATH.
    #[arg(long, value_name = "PATH", help_heading = "Command options")]
    pub terraform_bin: Option<PathBuf>,
    /// Whether init runs first
    #[arg(long, value_name = "WHEN", help_heading = "Command options")]
    pub init: Option<String>,
    /// What becomes of a dead Terraform's own state lock
    ///
    /// A Terraform that was killed leaves its lock on a remote state, and every run after it fails.
    #[arg(long, value_name = "WHICH", help_heading = "Command options")]
    pub free_state_lock: Option<String>,
    /// Form of our own messages
    #[arg(long, value_name = "FORMAT", help_heading = "Output options")]
    pub log_format: Option<String>,
    /// Append our own messages to this file as NDJSON
    #[arg(long, value_name = "FILE", help_heading = "Output options")]
    pub log_file: Option<PathBuf>,
    /// Which CI system to speak to
    #[arg(long, value_name = "SYSTEM", help_heading = "Output options")]
    pub ci: Option<String>,
    /// Write what Terraform changes to this file
    ///
    /// In the form of GitLab's artifacts:reports:terraform, for the merge request.
    #[arg(long, value_name = "FILE", help_heading = "Output options")]
    pub ci_report: Option<PathBuf>,
    /// Run a command when something happens to the lock
    ///
    /// EVENT is waiting, acquired, at-risk, lost or released; may be repeated. The command gets the event as
    /// JSON on its stdin. No shell runs it, and an empty one takes away what a variable or tfguard.toml names.
    #[arg(long, value_name = "EVENT=CMD", help_heading = "Hook options")]
    pub hook: Vec<String>,
    /// Kill a hook that takes longer
    ///
    /// 5m at most: the end of a run waits for its last hooks.
    #[arg(long, value_name = "TIME", help_heading = "Hook options")]
    pub hook_timeout: Option<String>,
    /// Run no hooks, whoever asks for them
    #[arg(long, help_heading = "Hook options")]
    pub no_hooks: bool,
    /// Say more
    #[arg(short, long, help_heading = "Output options", conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say warnings and errors only
    #[arg(short, long, help_heading = "Output options")]
    pub quiet: bool,
    /// When to use colour
    ///
    /// NO_COLOR in the environment is never, where nothing is given here.
    #[arg(long, value_name = "WHEN", help_heading = "Output options")]
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
            hook: [self.hook, after.hook].concat(),
            hook_timeout: after.hook_timeout.or(self.hook_timeout),
            no_hooks: after.no_hooks || self.no_hooks,
            verbose: if talks { after.verbose } else { self.verbose },
            quiet: if talks { after.quiet } else { self.quiet },
            color: after.color.or(self.color),
            stands_in_for: after.stands_in_for.or(self.stands_in_for),
        }
    }
}
