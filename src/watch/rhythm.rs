//! When a store is asked again: gently, and less often where it costs more or does not answer.

use std::time::Duration;

/// The shortest pause between two looks.
pub const SHORTEST: Duration = Duration::from_secs(2);
/// The longest pause where looking is dear.
const DEAREST: Duration = Duration::from_secs(60);
/// The longest pause before a store that failed is asked again.
const LONGEST: Duration = Duration::from_secs(30);
/// A change that the store tells of is looked at this long after the look before.
const GATHER: Duration = Duration::from_millis(200);

/// The pauses between looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rhythm {
    failures: u32,
    cost: Duration,
}

impl Rhythm {
    /// A look that took `pages` requests for lists, and this long. The pause is two seconds for each
    /// page, and ten times what it took.
    pub fn looked(&mut self, pages: u32, took: Duration) {
        self.failures = 0;
        self.cost = (SHORTEST * pages).max(took * 10);
    }

    /// A look that failed.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait before the next look.
    pub fn pause(&self) -> Duration {
        match self.failures {
            0 => self.cost.clamp(SHORTEST, DEAREST),
            failures => (SHORTEST * 2_u32.saturating_pow(failures.min(8) - 1)).min(LONGEST),
        }
    }

    /// How long to wait when the store has told of a change.
    pub fn told(&self) -> Duration {
        GATHER.max(self.cost.min(DEAREST) / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(length: Duration) -> u64 {
        length.as_secs()
    }

    #[test]
    fn looks_are_two_seconds_apart_and_rarer_where_they_cost_more() {
        let mut rhythm = Rhythm::default();
        assert_eq!(seconds(rhythm.pause()), 2);
        for (pages, took, pause) in [(1, 10, 2), (10, 10, 20), (1, 900, 9), (100, 10, 60), (1, 60_000, 60)] {
            rhythm.looked(pages, Duration::from_millis(took));
            assert_eq!(seconds(rhythm.pause()), pause);
        }
    }

    #[test]
    fn a_store_that_does_not_answer_is_asked_less_and_less_until_it_does() {
        let mut rhythm = Rhythm::default();
        let pauses: Vec<u64> = std::iter::repeat_with(|| {
            rhythm.failed();
            seconds(rhythm.pause())
        })
        .take(7)
        .collect();
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
        rhythm.looked(1, Duration::ZERO);
        assert_eq!(seconds(rhythm.pause()), 2);
    }
}
