//! What tfguard has to say: every event once, as data. [`super::text`] and [`super::json`] give
//! each its form.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::history::Estimate;
use crate::lease::{Activity, Counts, Identity, Last, LockName, Mode, Phase};
use crate::terraform::drift::Drift;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For those who look for a fault (`-v`).
    Debug,
    /// The normal course.
    Info,
    /// Something to know.
    Warn,
    /// Something that failed.
    Error,
}

/// Somebody else in the record, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The session's id.
    pub session: String,
    /// Exclusive or shared.
    pub mode: Mode,
    /// `None` for a waiter.
    pub phase: Option<Phase>,
    /// Since when it holds or waits.
    pub since: Timestamp,
    /// The phase that its run is in, where it tells. Text from the record.
    pub activity: Option<Activity>,
    /// Who it is. Text from the record: escape it before showing it.
    pub identity: Identity,
}

/// What became of one of a run's locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The lock.
    pub lock: LockName,
    /// The fencing token, when the lock was ours.
    pub generation: Option<u64>,
    /// How long it was held, when we released it.
    pub held: Option<Duration>,
}

impl Served {
    /// A lock that was not got.
    pub fn nothing(lock: &LockName) -> Self {
        Self { lock: lock.clone(), generation: None, held: None }
    }
}

/// What was done about a signal that reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SignalAction {
    /// The child got its one SIGINT from us.
    Passed,
    /// The child knows already: it showed that it was interrupted, or we sent it its one before.
    Swallowed,
    /// Nothing runs yet: we leave the queue or release, and start nothing more.
    Cancelled,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

/// A part of a run that consists of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// `init`, where it is needed.
    Init,
    /// The plan.
    Plan,
    /// The question whether it is to be applied.
    Approval,
    /// The apply of that plan.
    Apply,
    /// What a plan shows.
    Show,
}

impl RunPhase {
    /// Its name in events and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Approval => "approval",
            Self::Apply => "apply",
            Self::Show => "show",
        }
    }
}

/// What a phase came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PhaseResult {
    /// It went well.
    Succeeded,
    /// Its command failed.
    Failed,
    /// There is something to apply, or drift.
    Changes,
    /// There is nothing.
    NoChanges,
    /// The plan was approved.
    Approved,
    /// It was not.
    Declined,
    /// Something came in between.
    Cancelled,
}

impl PhaseResult {
    /// Its word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Changes => "changes",
            Self::NoChanges => "no_changes",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The command exited with 0; or with 2, by which a plan with `-detailed-exitcode` says that it has changes.
    Succeeded,
    /// There was nothing to apply, or no drift.
    NoChanges,
    /// Somebody said no to the plan.
    Declined,
    /// Something has changed outside Terraform.
    Drift,
    /// The command failed, or something in front of it.
    Failed,
    /// A signal or a deadline stopped it.
    Cancelled,
    /// The lock was lost or at risk, and the command did not succeed.
    Lost,
    /// The lock was not got. Nothing was run.
    NotAcquired,
    /// Refused for what the lock's record says: a stale plan, or a state that waits to be pushed. Nothing was run.
    Refused,
}

impl RunOutcome {
    /// Its word in events and in the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NoChanges => "no_changes",
            Self::Declined => "declined",
            Self::Drift => "drift",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::NotAcquired => "not_acquired",
            Self::Refused => "refused",
        }
    }
}

/// A kind of hook: what it is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// The run waits for a lock, or its place or a holder has changed.
    Waiting,
    /// A lock is the run's.
    Acquired,
    /// No heartbeat of a lock has reached the store for a while.
    AtRisk,
    /// A lock was lost.
    Lost,
    /// A lock is free of the run.
    Released,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Acquired, Self::AtRisk, Self::Lost, Self::Released];

    /// Its name in options, in `tfguard.toml`, in events and in `TFGUARD_HOOK`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acquired => "acquired",
            Self::AtRisk => "at-risk",
            Self::Lost => "lost",
            Self::Released => "released",
        }
    }
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookEnd {
    /// It exited with this code.
    Code(i32),
    /// A signal of this number ended it, and it was not ours.
    Signal(i32),
    /// It took too long and was killed.
    TimedOut,
    /// It was killed since the run was over.
    Stopped,
    /// It could not be started: why, in words.
    NotStarted(String),
    /// The run was over before its turn came.
    NotRun,
}

/// A hook that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookReport {
    /// Which.
    pub hook: Hook,
    /// The lock that it was about.
    pub lock: LockName,
    /// Its program. Its arguments may hold secrets.
    pub program: String,
    /// How it ended.
    pub end: HookEnd,
    /// How long it took.
    pub took: Duration,
    /// The last lines that it printed, escaped.
    pub output: Vec<String>,
    /// Bytes that it printed before these.
    pub omitted: u64,
}

/// Everything that tfguard says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// All that can be refused without the lock has been looked at; nothing is written to a store
    /// before this is said.
    RunStarted {
        /// Our session, as the records name it.
        session: String,
        /// Our own process id.
        pid: u32,
        /// The locks, in the order in which they are taken.
        locks: Vec<LockName>,
        /// The command line as it may be shown: redacted.
        command: String,
    },
    /// The lock is held; we stand in the queue.
    LockWaiting {
        /// The lock.
        lock: LockName,
        /// Our session, as the record names it.
        session: String,
        /// Our place; 1 is the head. 0 while we only observe without queueing.
        position: usize,
        /// Who holds it.
        holders: Vec<Party>,
        /// How long we have waited so far.
        waited: Duration,
        /// How long it may still take, by the lock's history.
        estimate: Option<Estimate>,
        /// It is more than what a holder is doing.
        news: bool,
    },
    /// The lock is ours.
    LockAcquired {
        /// The lock.
        lock: LockName,
        /// Our session, as the record names it.
        session: String,
        /// Where it lives, in words.
        store: String,
        /// The fencing token.
        generation: u64,
        /// How long it took to get.
        waited: Duration,
        /// Exclusive or shared.
        mode: Mode,
        /// The lock is our ancestor's; we run under it.
        inherited: bool,
    },
    /// The run before ours did not end well.
    PreviousRun {
        /// The lock.
        lock: LockName,
        /// How it ended.
        last: Last,
    },
    /// A heartbeat took effect (debug).
    LockRenewed {
        /// The lock.
        lock: LockName,
        /// The heartbeat's number.
        beat: u64,
    },
    /// The heartbeat has not taken effect for a while.
    LockAtRisk {
        /// The lock.
        lock: LockName,
        /// Since the newest heartbeat that did.
        silent: Duration,
        /// Until the child is stopped, or zero when that has begun.
        stop_in: Duration,
        /// The newest failure.
        cause: Option<String>,
    },
    /// The lock is not ours any more.
    LockLost {
        /// The lock.
        lock: LockName,
        /// How we know, a clause.
        cause: String,
    },
    /// The lock is free of us.
    LockReleased {
        /// The lock.
        lock: LockName,
        /// How long we held it.
        held: Duration,
    },
    /// A child runs.
    ChildStarted {
        /// What runs, redacted.
        argv: Vec<String>,
        /// Its process id.
        pid: u32,
    },
    /// A child has ended and been reaped.
    ChildExited {
        /// How.
        ended: Ended,
        /// What ran, redacted.
        argv: Vec<String>,
    },
    /// The credentials that the child works with are about to expire, or have.
    CredentialsExpiring {
        /// Which, in words.
        credentials: String,
        /// When.
        expires: Timestamp,
        /// When the child is stopped for it; `None`: it is not.
        stop: Option<Timestamp>,
    },
    /// A signal reached us.
    Signal {
        /// `SIGINT` and the like.
        name: &'static str,
        /// What we did.
        action: SignalAction,
    },
    /// Terraform could not write the state, and what it left instead is safe.
    StateRescued {
        /// The locks of the run, one at least.
        locks: Vec<LockName>,
        /// Number of the run under the first of them.
        run: Option<u64>,
        /// Where the state is now.
        path: String,
        /// Why it is still where Terraform left it.
        trouble: Option<String>,
        /// The command that pushes it.
        command: String,
        /// The machine's files may go away with the job.
        fleeting: bool,
    },
    /// Terraform's own state lock, which a dead Terraform had left, is free again.
    StateLockFreed {
        /// The lock's id.
        id: String,
        /// The state.
        path: String,
        /// `user@host` of the dead Terraform.
        who: String,
        /// When it had taken the lock.
        created: Timestamp,
    },
    /// What the command is for, where stdout is the log: a file's text.
    Document {
        /// The name that the file might have.
        name: &'static str,
        /// Its text.
        content: String,
    },
    /// A part of the run begins.
    PhaseBegan {
        /// Which.
        phase: RunPhase,
    },
    /// A part of the run is over.
    PhaseEnded {
        /// Which.
        phase: RunPhase,
        /// What it came to.
        result: PhaseResult,
        /// How its child ended where it failed, as our exit code would have it.
        code: Option<u8>,
        /// How long it took.
        took: Duration,
    },
    /// What has changed outside Terraform; `None`: nothing.
    Drift {
        /// All of it.
        drift: Option<Drift>,
    },
    /// A hook is over.
    HookFinished(HookReport),
    /// Anything else, as one sentence.
    Diagnostic {
        /// How much it matters.
        level: Level,
        /// What happened; the first words say it, without a final full stop.
        summary: String,
        /// More, and what to do next.
        detail: Option<String>,
    },
    /// The end: what the run came to.
    RunSummary {
        /// Our session; `None`: refused before the run began.
        session: Option<String>,
        /// The locks that were resolved, in the order in which they are taken.
        locks: Vec<Served>,
        /// What it came to.
        outcome: RunOutcome,
        /// Our own exit code.
        exit_code: u8,
        /// How long we waited for the locks.
        waited: Duration,
        /// How long we held all of them.
        held: Option<Duration>,
        /// What Terraform said that it changes, where it did.
        changes: Option<Counts>,
    },
}

impl Event {
    /// A sentence at a level, with nothing to add.
    pub fn say(level: Level, summary: impl Into<String>) -> Self {
        Self::Diagnostic { level, summary: summary.into(), detail: None }
    }

    /// An error that ends the run.
    pub fn failure(error: &Error) -> Self {
        match error {
            // The user's own wish.
            Error::Cancelled { .. } => Self::say(Level::Info, error.to_string()),
            _ => Self::say(Level::Error, error.to_string()),
        }
    }

    /// How much the event matters.
    pub fn level(&self) -> Level {
        match self {
            Self::LockRenewed { .. } => Level::Debug,
            Self::LockAtRisk { .. }
            | Self::PreviousRun { .. }
            | Self::CredentialsExpiring { .. }
            | Self::StateLockFreed { .. } => Level::Warn,
            Self::HookFinished(report) if report.end != HookEnd::Code(0) => Level::Warn,
            Self::LockLost { .. } | Self::StateRescued { .. } => Level::Error,
            Self::Diagnostic { level, .. } => *level,
            _ => Level::Info,
        }
    }

    /// Whether the event says nothing that a person beside the child's own output would miss. As
    /// data it is kept; as text it is for `-v`.
    pub fn is_plain_course(&self) -> bool {
        let ended_by_itself = matches!(self, Self::ChildExited { ended: Ended::Code(_), .. });
        ended_by_itself
            || matches!(
                self,
                Self::RunStarted { .. }
                    | Self::LockWaiting { news: false, .. }
                    | Self::ChildStarted { .. }
                    | Self::HookFinished(HookReport { end: HookEnd::Code(0), .. })
                    | Self::PhaseBegan { .. }
                    | Self::PhaseEnded { .. }
                    | Self::Drift { .. }
                    | Self::RunSummary { .. }
            )
    }

    /// The event's `type` in NDJSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::LockWaiting { .. } => "lock_waiting",
            Self::LockAcquired { .. } => "lock_acquired",
            Self::PreviousRun { .. } | Self::Diagnostic { .. } => "diagnostic",
            Self::LockRenewed { .. } => "lock_renewed",
            Self::LockAtRisk { .. } => "lock_at_risk",
            Self::LockLost { .. } => "lock_lost",
            Self::LockReleased { .. } => "lock_released",
            Self::ChildStarted { .. } => "child_started",
            Self::ChildExited { .. } => "child_exited",
            Self::CredentialsExpiring { .. } => "credentials_expiring",
            Self::Signal { .. } => "signal",
            Self::StateRescued { .. } => "state_rescued",
            Self::StateLockFreed { .. } => "state_lock_freed",
            Self::Document { .. } => "document",
            Self::PhaseBegan { .. } | Self::PhaseEnded { .. } => "phase",
            Self::Drift { .. } => "drift",
            Self::HookFinished(_) => "hook_finished",
            Self::RunSummary { .. } => "run_summary",
        }
    }
}
