//! The options that every command takes.

use std::path::PathBuf;

use crate::terraform::find::Name;

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
