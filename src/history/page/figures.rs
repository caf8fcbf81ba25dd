//! What a history comes to in a few figures.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::Kind;
use super::run::{Run, between};
use super::scale::merged;
use super::shape::{At, Length, grouped};
use super::spread::share;

/// How often one kind of end occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) kind: Kind,
    pub(super) count: usize,
}

impl Count {
    pub(super) fn shown(&self) -> String {
        grouped(self.count)
    }
}

/// The figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) runs: usize,
    /// Those that occurred.
    pub(super) counts: Vec<Count>,
    /// When the oldest of them asked.
    pub(super) from: Option<At>,
    /// The part of the time since then in which somebody held the lock.
    pub(super) in_use: String,
    /// The time since then.
    pub(super) period: Length,
    /// The part of those that are over that did what they were to do; `None`: none is over.
    pub(super) succeeded: Option<String>,
}

/// The figures of these runs, at `now`.
pub(super) fn figures(runs: &[Run], now: Timestamp) -> Figures {
    let count = |kind| runs.iter().filter(|run| run.kind == kind).count();
    let counts = Kind::ALL.map(|kind| Count { kind, count: count(kind) });
    let times = || runs.iter().filter_map(|run| run.times);
    let from = times().map(|times| times.asked).min();
    let period = from.map_or(Duration::ZERO, |from| between(from, now));
    let held = merged(
        times().filter_map(|times| Some((times.granted?.as_millisecond(), times.end.as_millisecond()))),
    );
    let held: usize = held.iter().filter_map(|(from, to)| usize::try_from(to - from).ok()).sum();
    let whole = usize::try_from(period.as_millis()).unwrap_or(usize::MAX);
    let over = runs.iter().filter(|run| !run.open && run.kind != Kind::Unknown).count();
    Figures {
        runs: runs.len(),
        counts: counts.into_iter().filter(|count| count.count > 0).collect(),
        from: from.map(At),
        in_use: share(held.min(whole), whole),
        period: Length(period),
        succeeded: (over > 0).then(|| share(count(Kind::Good), over)),
    }
}
