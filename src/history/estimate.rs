//! How long it may take until a lock is ours, judged by how long it was held before. Pure.
//!
//! What is known of every turn in front of us (the holders', then those of the queue) is a
//! handful of equally likely lengths. A holder that has held for a while can only be one of the
//! runs that took longer than that; turns that follow each other are added, each length of the one
//! to each of the other, so that the estimate of five turns is not five times the worst.

use std::time::Duration;

use jiff::Timestamp;

use super::past::Past;
use crate::lease::{Holder, Mode, Record};

/// With fewer runs of the kind nothing is said.
pub const FEWEST: usize = 3;
/// Lengths that a sum of turns is thinned to.
const POINTS: usize = 60;

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Until the lock is ours; `None` when a holder has held it for longer than any run before.
    pub until: Option<Span>,
    /// The runs that this rests on.
    pub runs: usize,
}

/// Two percentiles of a time to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// As likely longer as shorter.
    pub median: Duration,
    /// Longer in one of ten cases.
    pub p90: Duration,
}

/// Everything in front of somebody who waits.
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    /// Who holds the lock.
    pub holders: &'a [Holder],
    /// What those in the queue before us ask for, the head first.
    pub queue: &'a [Mode],
    /// What we ask for.
    pub mode: Mode,
}

/// How long it may take until a lock is ours, at `now` by the wall clock. `None` where too few runs
/// are known.
pub fn estimate(past: &Past, ahead: Ahead<'_>, now: Timestamp) -> Option<Estimate> {
    let turns = turns(ahead);
    let held = ahead.holders.iter().map(|holder| holder.mode);
    let modes: Vec<Mode> = held.chain(turns.iter().map(|turn| turn.mode)).collect();
    let used = [Mode::Exclusive, Mode::Shared].into_iter().filter(|mode| modes.contains(mode));
    let sizes: Vec<usize> = used.map(|mode| past.holds(mode).len()).collect();
    if sizes.is_empty() || sizes.iter().any(|size| *size < FEWEST) {
        return None;
    }
    let until = lengths(past, ahead.holders, &turns, now)
        .map(|lengths| Span { median: percentile(&lengths, 50), p90: percentile(&lengths, 90) });
    Some(Estimate { until, runs: sizes.iter().sum() })
}

/// The same for the waiter at `place` of the record's queue, where 0 is the head.
pub fn estimate_at(past: &Past, record: &Record, place: usize, now: Timestamp) -> Option<Estimate> {
    let waiter = record.queue.get(place)?;
    let queue: Vec<Mode> = record.queue.iter().take(place).map(|waiter| waiter.mode).collect();
    estimate(past, Ahead { holders: &record.holders, queue: &queue, mode: waiter.mode }, now)
}

/// A turn of the queue: one that holds alone, or some that share.
struct Turn {
    mode: Mode,
    parties: usize,
}

/// The turns before ours. Shared neighbours are served together, and so are we with those directly
/// before us.
fn turns(ahead: Ahead<'_>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for mode in ahead.queue {
        match turns.last_mut() {
            Some(turn) if *mode == Mode::Shared && turn.mode == Mode::Shared => turn.parties += 1,
            _ => turns.push(Turn { mode: *mode, parties: 1 }),
        }
    }
    if ahead.mode == Mode::Shared {
        turns.pop_if(|turn| turn.mode == Mode::Shared);
    }
    turns
}

/// Equally likely lengths of all turns together, the shortest first. `None`: a holder's is beyond
/// what is known.
fn lengths(past: &Past, holders: &[Holder], turns: &[Turn], now: Timestamp) -> Option<Vec<Duration>> {
    let mut sum = vec![Duration::ZERO];
    for holder in holders {
        let held = Duration::try_from(now.duration_since(holder.granted_at)).unwrap_or_default();
        let rest: Vec<Duration> =
            past.holds(holder.mode).iter().filter(|hold| **hold > held).map(|hold| *hold - held).collect();
        if rest.is_empty() {
            return None;
        }
        sum = combined(&sum, &rest, Duration::max);
    }
    for turn in turns {
        let one = past.holds(turn.mode);
        let turn = (1..turn.parties).fold(one.to_vec(), |all, _| combined(&all, one, Duration::max));
        sum = combined(&sum, &turn, Duration::saturating_add);
    }
    Some(sum)
}

/// Each with each, thinned evenly.
fn combined(
    one: &[Duration],
    other: &[Duration],
    with: impl Fn(Duration, Duration) -> Duration,
) -> Vec<Duration> {
    let mut all: Vec<Duration> = one.iter().flat_map(|a| other.iter().map(|b| with(*a, *b))).collect();
    all.sort_unstable();
    if all.len() <= POINTS {
        return all;
    }
    (0..POINTS).map(|point| all[(2 * point + 1) * all.len() / (2 * POINTS)]).collect()
}

/// A percentile, by the nearest rank.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
