//! A command line, understood: what [`super::resolve()`] makes of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::since::{Form, Since};
use super::target::Wish;
use crate::ci;
use crate::credentials::Demands;
use crate::hooks;
use crate::lease::session::Wait;
use crate::lease::{Lease, Mode};
use crate::policy::Role;
use crate::report::Level;
use crate::state_lock::Policy;
use crate::supervisor::stop::OnLeaseLost;
use crate::terraform::args::Command;
use crate::terraform::find::Name;
use crate::terraform::init::InitPolicy;
use crate::versions::Wanted;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A Terraform command under the lock.
    Terraform {
        /// Which.
        command: Command,
        /// The user's arguments, as they were given.
        args: Vec<OsString>,
        /// Whether `init` comes first; [`InitPolicy::Never`] for `init` itself.
        init: InitPolicy,
    },
    /// Plan, approval and apply under one lock.
    Run {
        /// The user's arguments for the plan, as they were given.
        args: Vec<OsString>,
        /// Whether `init` comes first.
        init: InitPolicy,
        /// Apply without asking.
        auto_approve: bool,
    },
    /// A look at what has changed outside Terraform.
    Drift {
        /// The user's arguments for the plan, as they were given.
        args: Vec<OsString>,
        /// Whether `init` comes first.
        init: InitPolicy,
        /// As one JSON document.
        json: bool,
    },
    /// Any command under the lock; at least the program.
    Exec {
        /// Program and arguments.
        argv: Vec<OsString>,
    },
    /// Show the lock.
    Status(Look),
    /// Show the last runs.
    History {
        /// How many; `None`: as many as there are within `since`.
        last: Option<u64>,
        /// Only those that ended after this.
        since: Option<Since>,
        /// In which form.
        form: Form,
    },
    /// List the versions of the state.
    Versions {
        /// How many.
        last: u64,
        /// As one JSON document.
        json: bool,
    },
    /// Bring a version of the state back, under the lock.
    Restore {
        /// Which.
        version: Wanted,
        /// As it was given, for people.
        named: String,
        /// Without asking the user.
        yes: bool,
        /// Whether `init` comes first.
        init: InitPolicy,
    },
    /// Check what a run needs.
    Doctor {
        /// As one JSON document.
        json: bool,
    },
    /// Stop or remove an entry.
    Unlock {
        /// Whose; `None`: the holder's.
        session: Option<String>,
        /// No entry: clear the mark of a rescued state.
        recovered: bool,
        /// No entry: free Terraform's own lock on the state.
        state_lock: bool,
        /// At once, without asking it.
        now: bool,
        /// Without asking the user.
        yes: bool,
        /// Why.
        reason: String,
    },
    /// Make what the lock needs on AWS.
    Setup {
        /// As code, instead of making it.
        print: Option<Print>,
        /// Put right what is there and can be.
        repair: bool,
        /// Tags for what is new.
        tags: Vec<(String, String)>,
    },
    /// Print an IAM policy.
    Policy {
        /// For whom; one at least.
        roles: Vec<Role>,
        /// The account's number.
        account: Option<String>,
        /// For all states whose keys start with this.
        key_prefix: Option<String>,
    },
}

/// What `status` looks at, and how it shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// As JSON.
    pub json: bool,
    /// 75 when held.
    pub check: bool,
    /// Goes on looking.
    pub watch: bool,
    /// All locks of the store, instead of one.
    pub all: Option<All>,
}

/// Which of all locks are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct All {
    /// Only those whose names start with this.
    pub prefix: String,
    /// Also those that are free.
    pub free: bool,
    /// So many at most.
    pub limit: Option<usize>,
}

/// The values of `--print`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// Terraform's language.
    Terraform,
    /// A CloudFormation template.
    CloudFormation,
}

impl Action {
    /// Whether it looks, tells or changes by itself: no lock is taken, and no child is run.
    pub fn runs_nothing(&self) -> bool {
        match self {
            Self::Status(_)
            | Self::History { .. }
            | Self::Versions { .. }
            | Self::Doctor { .. }
            | Self::Unlock { .. }
            | Self::Setup { .. }
            | Self::Policy { .. } => true,
            Self::Terraform { .. }
            | Self::Run { .. }
            | Self::Drift { .. }
            | Self::Restore { .. }
            | Self::Exec { .. } => false,
        }
    }
}

/// The values of `--log-format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people on stderr.
    #[default]
    Text,
    /// NDJSON on stdout.
    Json,
}

/// The values of `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// None.
    Never,
}

impl Colour {
    /// Whether our lines on stderr have colour.
    pub fn on_stderr(self) -> bool {
        self.on(&std::io::stderr())
    }

    /// Whether what we print to stdout has colour.
    pub fn on_stdout(self) -> bool {
        self.on(&std::io::stdout())
    }

    fn on(self, stream: &impl anstream::stream::RawStream) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        }
    }
}

/// Where our own messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Their form.
    pub format: Format,
    /// A file that takes them too, as NDJSON.
    pub file: Option<PathBuf>,
    /// The lowest level that is shown.
    pub level: Level,
    /// Colour.
    pub colour: Colour,
}

/// A command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What to do.
    pub action: Action,
    /// The directory to run in, absolute. It may not exist.
    pub directory: PathBuf,
    /// Which lock in which store was asked for.
    pub wish: Wish,
    /// How the lock is held.
    pub mode: Mode,
    /// The length of the lease.
    pub lease: Lease,
    /// How long to wait for the lock.
    pub wait: Wait,
    /// How long a graceful stop may take; `None`: as long as the lease lasts.
    pub stop_timeout: Option<Duration>,
    /// What a lease that is lost or at risk means for the child.
    pub on_lease_lost: OnLeaseLost,
    /// When to stop the child, counted from the start.
    pub deadline: Option<Duration>,
    /// What the child's AWS credentials have to be good for.
    pub credentials: Demands,
    /// The Terraform to run: absolute, or a bare name to look for on `PATH`.
    pub terraform_bin: Option<PathBuf>,
    /// The name of Terraform's by which we were called, if we were.
    pub stands_in_for: Option<Name>,
    /// Where a rescued state goes, absolute; `None`: `.tfguard/rescue` in the directory.
    pub rescue_dir: Option<PathBuf>,
    /// Refuse while a rescued state waits to be pushed.
    pub require_clean: bool,
    /// Apply a plan that is known to be stale.
    pub allow_stale_plan: bool,
    /// Where messages go.
    pub log: Log,
    /// What is done for the CI system.
    pub ci: ci::Wish,
    /// What becomes of a state lock that a dead Terraform left.
    pub free_state_lock: Policy,
    /// What is run at events of the locks.
    pub hooks: Option<hooks::Settings>,
    /// Why the run is made.
    pub reason: Option<String>,
    /// The `tfguard.toml` that took part.
    pub file: Option<PathBuf>,
}
