//! What a run comes to: the exit code, the outcome in the record, the word in the summary. Pure.

use super::attend::Step;
use super::stop::{Stop, Why};
use crate::error::{Error, exit};
use crate::lease::transition::Ending;
use crate::lease::{Counts, Outcome};
use crate::report::event::{Ended, RunOutcome};

/// The end of a run under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Our own exit code.
    pub exit_code: u8,
    /// The word in `run_summary`.
    pub outcome: RunOutcome,
    /// What the record is told.
    pub ending: Ending,
    /// What Terraform said that it changes.
    pub counts: Option<Counts>,
    /// What the run says on stdout as its answer, once the lock is free.
    pub answer: Vec<u8>,
}

impl Verdict {
    pub(super) fn new(exit_code: u8, outcome: RunOutcome, ending: Ending) -> Self {
        Self { exit_code, outcome, ending, counts: None, answer: Vec::new() }
    }
}

/// The requested child ran and ended. A code that is not 0 is a failure.
pub(super) fn of_child(ended: Ended, stop: &Stop) -> Verdict {
    of(ended, false, stop)
}

/// The requested command ran and ended.
pub(super) fn of_command(command: &Step, ended: Ended, stop: &Stop) -> Verdict {
    of(ended, command.succeeded(ended), stop)
}

fn of(ended: Ended, answered: bool, stop: &Stop) -> Verdict {
    let code = exit_code(ended);
    let crashed = stop.killed() || matches!(ended, Ended::Signal(_));
    let outcome = if crashed { Outcome::Crashed } else { Outcome::Released };
    let exit_code = match ended {
        Ended::Code(code) => Some(code),
        Ended::Signal(_) => None,
    };
    let ending = Ending::new(outcome, exit_code);
    let succeeded = code == 0 || answered;
    if stop.lease_failed() && !succeeded {
        return Verdict::new(exit::LOST, RunOutcome::Lost, ending);
    }
    let outcome = match stop.reason() {
        _ if succeeded => RunOutcome::Succeeded,
        Some(Why::Signal(_) | Why::Deadline | Why::Expiry) => RunOutcome::Cancelled,
        _ => RunOutcome::Failed,
    };
    Verdict::new(code, outcome, ending)
}

/// Somebody said no to the plan: 1, as with Terraform's own question.
pub(super) fn declined() -> Verdict {
    Verdict::new(1, RunOutcome::Declined, Ending::new(Outcome::Released, Some(1)))
}

/// The exit code that stands for a child's end: its own, or 128 + n for signal n.
pub(super) fn exit_code(ended: Ended) -> u8 {
    match ended {
        Ended::Code(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        Ended::Signal(number) => exit::SIGNAL_BASE.saturating_add(u8::try_from(number).unwrap_or(0)),
    }
}

/// The run was cancelled by this signal before the requested command ran.
pub(super) fn cancelled(name: &'static str) -> Error {
    Error::Cancelled { name, number: signal_number(name) }
}

/// The number of a signal that asks us to stop.
fn signal_number(name: &str) -> u8 {
    match name {
        "SIGHUP" => 1,
        "SIGINT" => 2,
        "SIGQUIT" => 3,
        _ => 15,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stop::{Happening, Limits};
    use super::*;
    use crate::lease::Instant;

    const T0: Instant = Instant::from_nanos(0);

    fn calm() -> Stop {
        Stop::new(Limits::default())
    }

    fn lost() -> Stop {
        let mut stop = calm();
        stop.handle(Happening::Lost, false, T0);
        stop
    }

    #[test]
    fn a_childs_code_comes_through() {
        for code in [0, 1, 2, 11, 255] {
            assert_eq!(i32::from(of_child(Ended::Code(code), &calm()).exit_code), code);
        }
        assert_eq!(of_child(Ended::Signal(9), &calm()).exit_code, 137);
        assert_eq!(of_child(Ended::Signal(15), &calm()).exit_code, 143);
    }

    #[test]
    fn a_lost_lease_matters_only_to_a_child_that_did_not_succeed() {
        assert_eq!(of_child(Ended::Code(0), &lost()).exit_code, 0);
        assert_eq!(of_child(Ended::Code(1), &lost()).exit_code, 76);
        assert_eq!(of_child(Ended::Signal(9), &lost()).exit_code, 76);
    }

    #[test]
    fn a_graceful_stop_keeps_the_childs_code() {
        let mut stop = calm();
        stop.handle(Happening::Signal("SIGTERM"), true, T0);
        let verdict = of_child(Ended::Code(1), &stop);
        assert_eq!((verdict.exit_code, verdict.outcome), (1, RunOutcome::Cancelled));
        assert_eq!(verdict.ending.outcome, Outcome::Released);
    }

    #[test]
    fn a_child_that_a_signal_ended_is_released_as_crashed() {
        let verdict = of_child(Ended::Signal(9), &calm());
        assert_eq!(verdict.ending, Ending::new(Outcome::Crashed, None));
    }
}
