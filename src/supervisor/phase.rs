//! The phases of a run, told to people and shown in the record.

use super::attend::Scene;
use super::verdict;
use crate::clock::Clock;
use crate::lease::{Activity, Instant};
use crate::report::event::{Ended, Event, PhaseResult, RunPhase};

/// A phase under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    phase: RunPhase,
    at: Instant,
}

impl Scene<'_> {
    /// A phase begins. Whoever looks at the record sees it with a heartbeat that is sent at once.
    pub(super) fn begin(&mut self, phase: RunPhase) -> Begun {
        let now = self.clock.now();
        self.emit(Event::PhaseBegan { phase });
        for lock in self.keys.holds.iter().filter_map(|hold| hold.lock.as_ref()) {
            lock.engage(Activity::new(phase.as_str(), now.wall));
        }
        Begun { phase, at: now.mono }
    }

    /// It is over. `ended`: how its child did, where it had one.
    pub(super) fn end(&self, begun: Begun, result: PhaseResult, ended: Option<Ended>) {
        let code = ended.filter(|_| result == PhaseResult::Failed).map(verdict::exit_code);
        let took = self.clock.mono().since(begun.at);
        self.emit(Event::PhaseEnded { phase: begun.phase, result, code, took });
    }
}

/// What the end of a child means for a phase in which only 0 is a success.
pub(super) fn plain(ended: Ended) -> PhaseResult {
    match ended {
        Ended::Code(0) => PhaseResult::Succeeded,
        _ => PhaseResult::Failed,
    }
}
