//! What may happen to a request on its way to the store and back.

use super::clock::{MS, Nanos, SEC};

/// How one request fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reaches the store after `up`, and its answer comes back `down` later.
    Answered {
        /// Nanoseconds on the way to the store.
        up: Nanos,
        /// Nanoseconds on the way back.
        down: Nanos,
    },
    /// It reaches the store after `up`, possibly long after its timeout; no answer comes back.
    AnswerLost {
        /// Nanoseconds on the way to the store.
        up: Nanos,
    },
    /// It never reaches the store.
    Lost,
    /// The store turns it away after this time.
    Throttled {
        /// Nanoseconds until the session knows.
        after: Nanos,
    },
}

/// Latencies and how likely each fault is, in per mille.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    /// The shortest and the usual longest way, one direction.
    pub(super) latency: (Nanos, Nanos),
    /// Ways that take seconds.
    pub(super) tail: u32,
    /// Requests that never arrive.
    pub(super) lost: u32,
    /// Answers that never arrive.
    pub(super) answer_lost: u32,
    /// Requests that land up to a minute after everyone has forgotten them.
    pub(super) delayed: u32,
    /// Requests turned away.
    pub(super) throttled: u32,
}

impl Network {
    /// Local files: at most two milliseconds, nothing goes wrong.
    pub(super) const FAST: Self =
        Self { latency: (MS / 20, MS), tail: 0, lost: 0, answer_lost: 0, delayed: 0, throttled: 0 };

    /// A database in the same region on a good day.
    pub(super) const CLOUD: Self = Self { latency: (3 * MS / 2, 30 * MS), tail: 5, ..Self::FAST };

    /// Either of the two, with a mix of faults.
    pub(super) fn random(rng: &mut fastrand::Rng) -> Self {
        let base = if rng.u8(0..3) == 0 { Self::FAST } else { Self::CLOUD };
        let mut rate = || [0, 0, 10, 30, 120][rng.usize(0..5)];
        Self { lost: rate(), answer_lost: rate(), delayed: rate(), throttled: rate(), ..base }
    }

    /// The same without faults.
    pub(super) fn calm(self) -> Self {
        Self { latency: self.latency, tail: self.tail, ..Self::FAST }
    }

    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Fate {
        let up = self.way(rng);
        let dice = rng.u32(0..1000);
        let mut threshold = 0;
        let mut hits = |share: u32| {
            threshold += share;
            dice < threshold
        };
        if hits(self.lost) {
            Fate::Lost
        } else if hits(self.answer_lost) {
            Fate::AnswerLost { up }
        } else if hits(self.delayed) {
            Fate::AnswerLost { up: up + rng.u64(0..60 * SEC) }
        } else if hits(self.throttled) {
            Fate::Throttled { after: up }
        } else {
            Fate::Answered { up, down: self.way(rng) }
        }
    }

    fn way(&self, rng: &mut fastrand::Rng) -> Nanos {
        let (least, most) = self.latency;
        let tail = if rng.u32(0..1000) < self.tail { rng.u64(0..4 * SEC) } else { 0 };
        rng.u64(least..=most) + tail
    }
}
