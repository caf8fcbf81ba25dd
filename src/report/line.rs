//! The lines of the JSON log, as types: what they serialise to is what programs read, and
//! `docs/schema/events.json` and `docs/events.md` are made from them and their comments. Whoever
//! changes something here changes a contract; see `docs/design/cli.md`.

use std::borrow::Cow;

use serde::Serialize;

use super::drift;
use super::event::{Hook, Level, PhaseResult, RunOutcome, RunPhase, SignalAction};
use super::output::Stream;
use super::parts::{Stamp, Wait};
use crate::lease::{Counts, LockName, Mode};

/// One line of the log of `tfguard --log-format json`, or of the file of `--log-file`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Line<'a> {
    /// How much it matters.
    #[serde(rename = "@level")]
    pub level: Level,
    /// What happened, in words for people, which may change. Several sentences are separated by `; `.
    #[serde(rename = "@message")]
    pub message: Cow<'a, str>,
    /// Whose line it is. Lines with another module are Terraform's own, which pass unchanged.
    #[serde(rename = "@module")]
    pub module: Module,
    /// When it was said.
    #[serde(rename = "@timestamp")]
    pub timestamp: Stamp,
    /// What happened.
    #[serde(flatten)]
    pub body: Body<'a>,
}

/// Whose line it is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Module {
    /// tfguard's own.
    #[serde(rename = "tfguard")]
    Tfguard,
}

/// What happened, by its `type`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body<'a> {
    /// A run begins. All that can be refused without the lock has been looked at, and a run that is refused for it has
    /// no such line. Nothing is written to a store before this stands in the log file.
    RunStarted {
        /// The run's session, as the records name it.
        session: &'a str,
        /// Process id of this tfguard.
        pid: u32,
        /// The locks' names, separated by commas; null where there is none.
        lock: Option<String>,
        /// The locks, in the order in which they are taken.
        locks: &'a [LockName],
        /// The command line, redacted.
        command: Cow<'a, str>,
        /// The version of this tfguard.
        version: &'static str,
    },
    /// The lock is held by others and the run stands in the queue. At once, at every change, and every 30 s.
    LockWaiting {
        /// The lock.
        lock: &'a LockName,
        /// The run's session, as the record names it.
        session: &'a str,
        /// Its place in the queue: 1 is next; 0 while it watches a holder that looks dead, without queueing.
        position: usize,
        /// The first of `holders`.
        holder: Option<Holder>,
        /// Who holds the lock.
        holders: Vec<Holder>,
        /// How long it has waited so far, in milliseconds.
        waited_ms: u64,
        /// How long it may still take, by the lock's history; null where that says nothing.
        estimate: Option<Wait>,
    },
    /// The lock is the run's. Once for each lock.
    LockAcquired {
        /// The lock.
        lock: &'a LockName,
        /// The run's session, as the record names it.
        session: &'a str,
        /// Where the record is, in words.
        store: &'a str,
        /// The fencing token: grows with every holder of this lock.
        generation: u64,
        /// How long it took to get, in milliseconds.
        waited_ms: u64,
        /// How it is held.
        mode: Mode,
        /// It is held by the tfguard that this one runs under, which also releases it.
        inherited: bool,
    },
    /// A heartbeat has reached the store. With `-v` only.
    LockRenewed {
        /// The lock.
        lock: &'a LockName,
        /// Number of the heartbeat.
        beat: u64,
    },
    /// No heartbeat has reached the store for a while: the lease may end while the command runs.
    LockAtRisk {
        /// The lock.
        lock: &'a LockName,
        /// Time since the last heartbeat that did, in milliseconds.
        silent_ms: u64,
        /// Time until the command is stopped gracefully, in milliseconds; 0 when that has begun.
        stop_in_ms: u64,
        /// The newest failure, in words; null where there was none, only silence.
        cause: Option<Cow<'a, str>>,
    },
    /// The lock is not the run's any more, before the command has ended.
    LockLost {
        /// The lock.
        lock: &'a LockName,
        /// How that is known, in words.
        cause: Cow<'a, str>,
    },
    /// The record is known not to show the run any more. Once for each lock that was its own.
    LockReleased {
        /// The lock.
        lock: &'a LockName,
        /// How long it was held, in milliseconds.
        held_ms: u64,
    },
    /// A command runs. A run may have several, one after the other.
    ChildStarted {
        /// The command line, redacted.
        argv: &'a [String],
        /// Its process id.
        pid: u32,
    },
    /// The command has ended. It has either `code` or `signal`.
    ChildExited {
        /// The command line, redacted.
        argv: &'a [String],
        /// Its exit code; not there with `signal`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "i32"))]
        code: Option<i32>,
        /// Number of the signal that ended it; not there with `code`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "i32"))]
        signal: Option<i32>,
    },
    /// A line of the command's that is not in Terraform's JSON format. On stdout only, never in the log file.
    Output {
        /// Which of the command's streams it came from.
        stream: Stream,
        /// The line, without its end. Bytes that are not UTF-8 are replaced, and a line above 1 MiB is split.
        line: &'a str,
    },
    /// A signal has reached tfguard.
    Signal {
        /// Its name, such as `SIGTERM`.
        name: &'a str,
        /// What was done about it.
        action: SignalAction,
    },
    /// The command's AWS credentials are about to expire, or have.
    CredentialsExpiring {
        /// Which, in words.
        credentials: Cow<'a, str>,
        /// When they expire.
        expires_at: Stamp,
        /// Time until then, in milliseconds; 0 when they have expired.
        left_ms: u64,
        /// When the command is stopped gracefully because of it; null where it is not.
        stop_at: Option<Stamp>,
    },
    /// Terraform could not write the state, and what it left instead is safe.
    StateRescued {
        /// The locks' names, separated by commas.
        lock: Option<String>,
        /// Number of the run under the first lock, where it is known.
        run: Option<u64>,
        /// Where the state is now.
        path: Cow<'a, str>,
        /// Why it is still where Terraform left it; null where it was moved.
        trouble: Option<Cow<'a, str>>,
        /// The command that pushes it.
        command: Cow<'a, str>,
    },
    /// Terraform's own lock on the state, which a dead Terraform had left, is free again.
    StateLockFreed {
        /// The state lock's ID.
        id: Cow<'a, str>,
        /// The state.
        path: Cow<'a, str>,
        /// `user@host` of the dead Terraform.
        who: Cow<'a, str>,
        /// When it had taken the state lock.
        created: Stamp,
    },
    /// What `setup --print` and `policy` print, where stdout is the log.
    Document {
        /// The name that the file might have.
        name: &'a str,
        /// Its text.
        content: &'a str,
    },
    /// A part of `tfguard run` or `tfguard drift` begins or is over.
    Phase {
        /// Which.
        name: RunPhase,
        /// Whether it begins or is over.
        state: PhaseState,
        /// What it came to; only when it is over.
        #[serde(flatten)]
        end: Option<PhaseEnd>,
    },
    /// What `tfguard drift` found.
    Drift(drift::Fields<'a>),
    /// A hook is over (see [hooks.md](hooks.md)). A warning, unless it succeeded.
    HookFinished {
        /// What it was run for.
        hook: Hook,
        /// The lock that it was about.
        lock: &'a LockName,
        /// Its program; its arguments may hold secrets and are not shown.
        program: Cow<'a, str>,
        /// How it ended.
        result: HookResult,
        /// Its exit code, where it exited.
        code: Option<i32>,
        /// Number of the signal that ended it, where that was not tfguard's.
        signal: Option<i32>,
        /// Why it could not be started.
        error: Option<Cow<'a, str>>,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The last lines that it printed on either stream, at most 20.
        output: &'a [String],
        /// Number of bytes that it printed before these.
        omitted_bytes: u64,
    },
    /// Anything else worth saying. The same object as in Terraform's own diagnostics.
    Diagnostic {
        /// What it is.
        diagnostic: Said<'a>,
    },
    /// The end: what the run came to. Once, and the last line but for output that a slow reader takes later.
    RunSummary {
        /// The run's session; null where it was refused before it began.
        session: Option<&'a str>,
        /// The locks' names, separated by commas; null where none was resolved.
        lock: Option<String>,
        /// The fencing token of the only lock; null with several, or where it was not got.
        generation: Option<u64>,
        /// The locks, in the order in which they are taken.
        locks: Vec<Served<'a>>,
        /// What it came to, in a word.
        outcome: RunOutcome,
        /// The exit code of tfguard.
        exit_code: u8,
        /// How long it waited for all locks together, in milliseconds.
        waited_ms: u64,
        /// How long it held all of them, in milliseconds; null where it never did.
        held_ms: Option<u64>,
        /// What Terraform said that it changes; null where it did not, or said so on a terminal of its own.
        changes: Option<Counts>,
    },
}

/// Somebody who holds a lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    /// Its session.
    pub session: String,
    /// The person or bot that started it.
    pub actor: Option<String>,
    /// Name of its machine.
    pub host: Option<String>,
    /// Link to its CI run or job.
    pub url: Option<String>,
    /// Its command, redacted.
    pub command: Option<String>,
    /// How it holds the lock.
    pub mode: Mode,
    /// How far it has come.
    pub phase: HolderPhase,
    /// Since when it holds the lock.
    pub since: Stamp,
    /// The phase that its run is in, such as `apply`; null where it does not tell.
    pub activity: Option<String>,
}

/// How far a holder has come.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HolderPhase {
    /// It does not hold the lock yet.
    Waiting,
    /// It was given the lock and has not said yet that it is there.
    Granted,
    /// Its command may run.
    Active,
}

/// Where a phase stands.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PhaseState {
    /// It begins.
    Started,
    /// It is over.
    Ended,
}

/// What a phase came to.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseEnd {
    /// What it came to; only when it is over.
    pub result: PhaseResult,
    /// The exit code of the phase's command where it `failed`, else null; only when it is over.
    pub code: Option<u8>,
    /// How long it took, in milliseconds; only when it is over.
    pub took_ms: u64,
}

/// How a hook ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HookResult {
    /// It exited with 0.
    Succeeded,
    /// It exited with another code, or a signal ended it.
    Failed,
    /// It took too long and was killed.
    TimedOut,
    /// It was killed since the run was over.
    Stopped,
    /// It could not be started.
    NotStarted,
    /// The run was over before its turn came.
    NotRun,
}

/// Something worth saying.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Said<'a> {
    /// How much it matters.
    pub severity: Severity,
    /// What happened.
    pub summary: Cow<'a, str>,
    /// More, and what to do next; empty where there is no more.
    pub detail: Cow<'a, str>,
}

/// How much a diagnostic matters.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For whoever wants to know.
    Info,
    /// Something to look at.
    Warning,
    /// Something that failed.
    Error,
}

/// What became of one of a run's locks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Served<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// The fencing token; null where the lock was not got.
    pub generation: Option<u64>,
    /// How long it was held, in milliseconds; null where it was an ancestor's or was not released.
    pub held_ms: Option<u64>,
}
