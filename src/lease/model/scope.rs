//! What one exploration covers: who takes part, and how much may go wrong.

use super::mutant::Mutant;
use crate::lease::Mode;
use crate::lease::session::Wait;

/// One who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) wait: Wait,
}

impl Plan {
    pub(super) const EXCLUSIVE: Self = Self { mode: Mode::Exclusive, wait: Wait::Forever };
    pub(super) const SHARED: Self = Self { mode: Mode::Shared, wait: Wait::Forever };
}

/// What may go wrong, at any moment, for as long as the budget lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Requests that time out: they never arrived, arrive later, or their answer was lost.
    pub(super) timeouts: u8,
    /// Requests whose connection breaks at once, with the same three fates.
    pub(super) breaks: u8,
    /// Writes that the store turns away.
    pub(super) refusals: u8,
    /// Supervisors that are killed.
    pub(super) crashes: u8,
    /// Supervisors that are stopped for a while, of any length.
    pub(super) freezes: u8,
    /// Waits that somebody cancels.
    pub(super) cancels: u8,
    /// Holders that an operator asks to stop.
    pub(super) revocations: u8,
    /// Sessions that an operator takes out at once.
    pub(super) removals: u8,
}

/// One exploration.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// Everyone; those with the same plan as the one before come after it, which loses nothing since
    /// their names mean nothing.
    pub(super) plans: Vec<Plan>,
    pub(super) budget: Budget,
    /// A guardian may go on for a killed supervisor.
    pub(super) guardians: bool,
    /// Clocks may each be wrong by one quantum, at any time: by 10 % over a lease.
    pub(super) drift: bool,
    /// Everyone comes at the same moment, in any order. Without it they come whenever they like.
    pub(super) together: bool,
    /// The rule that is broken, where one is.
    pub(super) mutant: Option<Mutant>,
}

impl Scope {
    /// These, and nothing goes wrong.
    pub(super) fn of(plans: &[Plan]) -> Self {
        Self {
            plans: plans.to_vec(),
            budget: Budget::default(),
            guardians: false,
            drift: false,
            together: false,
            mutant: None,
        }
    }

    /// So many who want the lock alone.
    pub(super) fn exclusive(count: usize) -> Self {
        Self::of(&vec![Plan::EXCLUSIVE; count])
    }

    pub(super) fn budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    pub(super) fn guardians(self) -> Self {
        Self { guardians: true, ..self }
    }

    pub(super) fn drift(self) -> Self {
        Self { drift: true, ..self }
    }

    pub(super) fn together(self) -> Self {
        Self { together: true, ..self }
    }

    pub(super) fn mutant(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether the one with this number may only come after the one before.
    pub(super) fn comes_after(&self, who: usize) -> bool {
        who > 0 && self.plans.get(who) == self.plans.get(who - 1)
    }
}
