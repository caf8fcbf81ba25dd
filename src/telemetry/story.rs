//! From events to what is to be done with spans and instruments. Pure: it is told the time.
//!
//! ```text
//! tfguard run
//! ├── wait (one for each lock, one after the other)
//! ├── hold (one for each lock, from its grant to its release)
//! ├── init, plan, approval, apply, show
//! │   └── terraform plan
//! └── release (one for each lock, from the end of the last command)
//! ```

use std::time::Duration;

use jiff::Timestamp;

use super::words::{self, Attribute, Value, number, text};
use crate::lease::Mode;
use crate::report::event::{Ended, Event, Level, PhaseResult, RunOutcome, RunPhase, SignalAction};

/// A span of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Run,
    Wait(String),
    Hold(String),
    Phase(RunPhase),
    Command,
    Release(String),
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// A span begins, below another.
    Start { key: Key, parent: Option<Key>, name: String, at: Timestamp, attributes: Vec<Attribute> },
    /// More is known of one.
    Set { key: Key, name: Option<String>, attributes: Vec<Attribute> },
    /// Something happens in one.
    Note { key: Key, name: &'static str, at: Timestamp, attributes: Vec<Attribute> },
    /// One ends; `failed`: why it is an error.
    End { key: Key, at: Timestamp, failed: Option<String>, attributes: Vec<Attribute> },
    /// A value for a histogram, in seconds; none is one more for a counter.
    Measure { instrument: &'static str, seconds: Option<f64>, attributes: Vec<Attribute> },
}

/// A run as it has been told so far.
#[derive(Debug)]
pub(super) struct Story {
    command: &'static str,
    /// Those that are still to be waited for, the one that is now being waited for first.
    waits: Vec<String>,
    wait_since: Option<Timestamp>,
    /// Locks that are held: name, store, since when.
    holds: Vec<(String, String, Timestamp)>,
    phase: Option<RunPhase>,
    /// A command is about to run, or runs.
    running: bool,
    /// When the last command ended, or what came before one did.
    quiet_since: Timestamp,
    /// The newest error that was told.
    trouble: Option<String>,
}

impl Story {
    /// A run of `command` begins.
    pub(super) fn begin(command: &'static str, at: Timestamp, about: Vec<Attribute>) -> (Self, Step) {
        let story = Self {
            command,
            waits: Vec::new(),
            wait_since: None,
            holds: Vec::new(),
            phase: None,
            running: false,
            quiet_since: at,
            trouble: None,
        };
        let attributes = [vec![text(words::COMMAND, command)], about].concat();
        (story, Step::Start { key: Key::Run, parent: None, name: "tfguard run".into(), at, attributes })
    }

    /// A command is about to be started.
    pub(super) fn before_command(&mut self, at: Timestamp) -> Option<Step> {
        if std::mem::replace(&mut self.running, true) {
            return None;
        }
        let parent = Some(self.phase.map_or(Key::Run, Key::Phase));
        Some(Step::Start { key: Key::Command, parent, name: "command".into(), at, attributes: Vec::new() })
    }

    /// What an event means.
    pub(super) fn hear(&mut self, event: &Event, at: Timestamp) -> Vec<Step> {
        match event {
            Event::RunStarted { session, locks, command, .. } => {
                self.waits = locks.iter().map(ToString::to_string).collect();
                let names = Value::List(self.waits.clone());
                let attributes = vec![
                    text(words::SESSION, session),
                    (words::LOCKS, names),
                    text("tfguard.command_line", command),
                ];
                let set = Step::Set { key: Key::Run, name: None, attributes };
                [vec![set], self.wait(at)].concat()
            }
            Event::LockWaiting { lock, position, holders, news: true, .. } => vec![Step::Note {
                key: Key::Wait(lock.to_string()),
                name: "queued",
                at,
                attributes: vec![number(words::POSITION, *position), number(words::HOLDERS, holders.len())],
            }],
            Event::LockAcquired { lock, store, generation, mode, inherited, .. } => {
                self.acquired(&lock.to_string(), store, *generation, *mode, *inherited, at)
            }
            Event::LockReleased { lock, .. } => self.released(&lock.to_string(), at),
            Event::PhaseBegan { phase } => {
                self.phase = Some(*phase);
                vec![start(Key::Phase(*phase), phase.as_str(), at, Vec::new())]
            }
            Event::PhaseEnded { phase, result, code, .. } => {
                self.phase = None;
                self.quiet_since = at;
                vec![phase_ended(*phase, *result, *code, at)]
            }
            Event::ChildStarted { argv, pid } => {
                let attributes = vec![number(words::PID, *pid), (words::ARGV, Value::List(argv.clone()))];
                let begun = self.before_command(at);
                let set = Step::Set { key: Key::Command, name: Some(command_name(argv)), attributes };
                begun.into_iter().chain([set]).collect()
            }
            Event::ChildExited { ended, argv } => {
                self.running = false;
                self.quiet_since = at;
                vec![command_ended(*ended, argv, at)]
            }
            Event::RunSummary { outcome, exit_code, changes, .. } => {
                let counts = changes.map(|counts| [counts.add, counts.change, counts.destroy, counts.import]);
                let changes = words::CHANGES.into_iter().zip(counts.into_iter().flatten());
                let changes = changes.map(|(name, count)| number(name, count)).collect();
                self.over(*outcome, *exit_code, changes, at)
            }
            other => self.note(other, at).into_iter().collect(),
        }
    }

    /// The next lock is waited for.
    fn wait(&mut self, at: Timestamp) -> Vec<Step> {
        self.wait_since = Some(at);
        let next = self.waits.first().cloned();
        next.map(|lock| start(Key::Wait(lock.clone()), "wait", at, vec![text(words::LOCK, lock)]))
            .into_iter()
            .collect()
    }

    fn acquired(
        &mut self,
        lock: &str,
        store: &str,
        generation: u64,
        mode: Mode,
        inherited: bool,
        at: Timestamp,
    ) -> Vec<Step> {
        self.quiet_since = at;
        self.waits.retain(|name| name != lock);
        let about = vec![
            text(words::STORE, store),
            number(words::GENERATION, generation),
            text(words::MODE, if mode == Mode::Shared { "shared" } else { "exclusive" }),
        ];
        let ended = [about.clone(), vec![(words::INHERITED, Value::Truth(inherited))]].concat();
        let mut steps =
            vec![Step::End { key: Key::Wait(lock.to_owned()), at, failed: None, attributes: ended }];
        if !inherited {
            let waited = self.wait_since.map_or(0.0, |since| seconds(since, at));
            steps.push(measure(
                words::WAIT,
                waited,
                vec![text(words::LOCK, lock), text(words::STORE, store), text(words::OUTCOME, "acquired")],
            ));
            let about = [vec![text(words::LOCK, lock)], about].concat();
            steps.push(start(Key::Hold(lock.to_owned()), "hold", at, about));
            self.holds.push((lock.to_owned(), store.to_owned(), at));
        }
        steps.extend(self.wait(at));
        steps
    }

    fn released(&mut self, lock: &str, at: Timestamp) -> Vec<Step> {
        let Some(place) = self.holds.iter().position(|(name, ..)| name == lock) else { return Vec::new() };
        let (lock, store, since) = self.holds.remove(place);
        let about = vec![text(words::LOCK, lock.clone()), text(words::STORE, store)];
        let key = Key::Release(lock.clone());
        vec![
            start(key.clone(), "release", self.quiet_since, about.clone()),
            Step::End { key, at, failed: None, attributes: Vec::new() },
            Step::End { key: Key::Hold(lock), at, failed: None, attributes: Vec::new() },
            measure(words::HOLD, seconds(since, at), about),
        ]
    }

    /// Whatever is still open ends with the run.
    fn over(&mut self, outcome: RunOutcome, code: u8, about: Vec<Attribute>, at: Timestamp) -> Vec<Step> {
        let word = outcome.as_str();
        let why = self.trouble.take().unwrap_or_else(|| word.to_owned());
        let end = |key, failed: &str| Step::End {
            key,
            at,
            failed: Some(failed.to_owned()),
            attributes: Vec::new(),
        };
        let mut steps = Vec::new();
        if let Some(lock) = self.waits.first().filter(|_| self.wait_since.is_some()) {
            steps.push(end(Key::Wait(lock.clone()), &why));
            let waited = self.wait_since.map_or(0.0, |since| seconds(since, at));
            steps.push(measure(
                words::WAIT,
                waited,
                vec![text(words::LOCK, lock.clone()), text(words::OUTCOME, word)],
            ));
        }
        if std::mem::take(&mut self.running) {
            steps.push(end(Key::Command, &why));
        }
        steps.extend(self.phase.take().map(|phase| end(Key::Phase(phase), &why)));
        for (lock, ..) in self.holds.drain(..) {
            steps.push(end(Key::Hold(lock), "the lock was not released by this run"));
        }
        let (result, is_error) = result(outcome);
        let outcome = vec![text(words::OUTCOME, word), number(words::EXIT_CODE, code)];
        let mut attributes = [outcome.clone(), about, vec![text(words::RESULT, result)]].concat();
        if is_error {
            attributes.push(text(words::ERROR_TYPE, word));
        }
        steps.push(Step::End { key: Key::Run, at, failed: is_error.then_some(why), attributes });
        let attributes = [vec![text(words::COMMAND, self.command)], outcome].concat();
        steps.push(Step::Measure { instrument: words::RUNS, seconds: None, attributes });
        steps
    }

    /// What is no span of its own.
    fn note(&mut self, event: &Event, at: Timestamp) -> Option<Step> {
        let (key, name, attributes) = match event {
            Event::LockAtRisk { lock, silent, .. } => {
                let silent = number("tfguard.silent_ms", silent.as_millis());
                (Key::Hold(lock.to_string()), "at risk", vec![silent])
            }
            Event::LockLost { lock, cause } => {
                self.trouble = Some(format!("lock {lock}: {cause}"));
                (Key::Hold(lock.to_string()), "lost", vec![text("tfguard.cause", cause)])
            }
            Event::Signal { name, action } => {
                let action = match action {
                    SignalAction::Passed => "passed",
                    SignalAction::Swallowed => "swallowed",
                    SignalAction::Cancelled => "cancelled",
                };
                (Key::Run, "signal", vec![text(words::SIGNAL, *name), text("tfguard.action", action)])
            }
            Event::StateRescued { path, .. } => (Key::Run, "state rescued", vec![text("tfguard.path", path)]),
            Event::StateLockFreed { id, .. } => {
                (Key::Run, "state lock freed", vec![text("tfguard.state_lock.id", id)])
            }
            Event::CredentialsExpiring { .. } => (Key::Run, "credentials expiring", Vec::new()),
            Event::PreviousRun { lock, .. } => {
                (Key::Run, "previous run ended badly", vec![text(words::LOCK, lock.to_string())])
            }
            Event::Diagnostic { level: level @ (Level::Warn | Level::Error), summary, .. } => {
                if *level == Level::Error {
                    self.trouble = Some(summary.clone());
                }
                let severity = if *level == Level::Error { "error" } else { "warning" };
                (Key::Run, severity, vec![text("tfguard.message", summary)])
            }
            _ => return None,
        };
        Some(Step::Note { key, name, at, attributes })
    }
}

fn start(key: Key, name: &str, at: Timestamp, attributes: Vec<Attribute>) -> Step {
    Step::Start { key, parent: Some(Key::Run), name: name.to_owned(), at, attributes }
}

fn measure(instrument: &'static str, seconds: f64, attributes: Vec<Attribute>) -> Step {
    Step::Measure { instrument, seconds: Some(seconds), attributes }
}

/// The clock on the wall may have been set back meanwhile.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    Duration::try_from(to.duration_since(from)).unwrap_or_default().as_secs_f64()
}

fn phase_ended(phase: RunPhase, result: PhaseResult, code: Option<u8>, at: Timestamp) -> Step {
    let failed = match result {
        PhaseResult::Failed => Some(code.map_or("failed".to_owned(), |code| format!("exit code {code}"))),
        PhaseResult::Cancelled => Some("cancelled".to_owned()),
        PhaseResult::Succeeded
        | PhaseResult::Changes
        | PhaseResult::NoChanges
        | PhaseResult::Approved
        | PhaseResult::Declined => None,
    };
    let code = code.map(|code| number(words::EXIT_CODE, code));
    let attributes = [text(words::PHASE_RESULT, result.as_str())].into_iter().chain(code).collect();
    Step::End { key: Key::Phase(phase), at, failed, attributes }
}

fn command_ended(ended: Ended, argv: &[String], at: Timestamp) -> Step {
    let changes_are_told =
        argv.iter().any(|arg| arg.trim_start_matches('-').starts_with("detailed-exitcode"));
    let (failed, attribute) = match ended {
        Ended::Code(code) => {
            let fine = code == 0 || (code == 2 && changes_are_told);
            ((!fine).then(|| format!("exit code {code}")), number(words::EXIT_CODE, code))
        }
        Ended::Signal(signal) => {
            (Some(format!("ended by signal {signal}")), number("process.exit.signal", signal))
        }
    };
    Step::End { key: Key::Command, at, failed, attributes: vec![attribute] }
}

/// `terraform plan`, `make`: a name that many runs share.
fn command_name(argv: &[String]) -> String {
    let Some((program, args)) = argv.split_first() else { return "command".to_owned() };
    let program = program.rsplit('/').next().unwrap_or(program);
    let command = args.iter().find(|arg| !arg.starts_with('-'));
    match command.filter(|_| ["terraform", "tofu"].contains(&program)) {
        Some(command) => format!("{program} {command}"),
        None => program.to_owned(),
    }
}

/// The result in the words of the conventions, and whether it is an error.
fn result(outcome: RunOutcome) -> (&'static str, bool) {
    match outcome {
        RunOutcome::Succeeded | RunOutcome::NoChanges | RunOutcome::Drift => ("success", false),
        RunOutcome::Declined => ("cancellation", false),
        RunOutcome::Refused => ("skip", true),
        RunOutcome::Failed => ("failure", true),
        RunOutcome::Cancelled => ("cancellation", true),
        RunOutcome::Lost => ("error", true),
        RunOutcome::NotAcquired => ("timeout", true),
    }
}

#[cfg(test)]
mod tests;
