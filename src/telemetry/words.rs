//! The names of attributes and instruments: OpenTelemetry's semantic conventions where they have
//! one, else ours below `tfguard.`.

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Truth(bool),
    List(Vec<String>),
}

/// An attribute.
pub(super) type Attribute = (&'static str, Value);

pub(super) fn text(name: &'static str, value: impl Into<String>) -> Attribute {
    (name, Value::Text(value.into()))
}

pub(super) fn number(name: &'static str, value: impl TryInto<i64>) -> Attribute {
    (name, Value::Number(value.try_into().unwrap_or(i64::MAX)))
}

// Of the run.
pub(super) const COMMAND: &str = "tfguard.command";
pub(super) const SESSION: &str = "tfguard.session";
pub(super) const OUTCOME: &str = "tfguard.outcome";
pub(super) const EXIT_CODE: &str = "process.exit.code";
pub(super) const RESULT: &str = "cicd.pipeline.task.run.result";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const CHANGES: [&str; 4] =
    ["tfguard.changes.add", "tfguard.changes.change", "tfguard.changes.destroy", "tfguard.changes.import"];

// Of a lock.
pub(super) const LOCK: &str = "tfguard.lock.name";
pub(super) const LOCKS: &str = "tfguard.lock.names";
pub(super) const STORE: &str = "tfguard.lock.store";
pub(super) const GENERATION: &str = "tfguard.lock.generation";
pub(super) const MODE: &str = "tfguard.lock.mode";
pub(super) const INHERITED: &str = "tfguard.lock.inherited";
pub(super) const POSITION: &str = "tfguard.queue.position";
pub(super) const HOLDERS: &str = "tfguard.queue.holders";

// Of a phase and of a command.
pub(super) const PHASE_RESULT: &str = "tfguard.phase.result";
pub(super) const PID: &str = "process.pid";
pub(super) const ARGV: &str = "process.command_args";
pub(super) const SIGNAL: &str = "tfguard.signal";

// Instruments.
pub(super) const WAIT: &str = "tfguard.lock.wait.duration";
pub(super) const HOLD: &str = "tfguard.lock.hold.duration";
pub(super) const RUNS: &str = "tfguard.runs";

/// The bounds of both histograms, in seconds: from a lock that is free to a queue of hours.
pub(super) const BOUNDS: [f64; 14] =
    [0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];
