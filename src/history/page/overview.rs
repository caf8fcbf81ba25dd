//! A long history by day or the like: upwards how long the lock was held, by what came of the runs;
//! downwards how long was waited for it.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::Kind;
use super::run::Run;
use super::shape::{At, Length, Percent};
use super::ticks::{anchor, day};
use crate::report::human;

/// As many columns as there are at most.
const COLUMNS: i64 = 92;
/// Lengths of time that one column may stand for, in hours, and their names.
const UNITS: [(i64, &str); 7] = [
    (1, "hour"),
    (3, "3 hours"),
    (6, "6 hours"),
    (12, "12 hours"),
    (24, "day"),
    (24 * 7, "week"),
    (24 * 28, "4 weeks"),
];
/// Weeks begin on Mondays; the epoch was a Thursday.
const MONDAY: i64 = 4 * 24;
/// Height of the longest hold of a column, in pixels.
const UP: f64 = 90.0;
/// Height of its longest wait.
const DOWN: f64 = 60.0;
/// Room for the words above.
const MARGIN: f64 = 24.0;
/// Room for the words below, and for the axis.
const FOOT: f64 = 48.0;
/// Two labels are no closer than this, in per cent.
const APART: f64 = 10.0;
const APART_NARROW: f64 = 26.0;

/// A part of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) y: f64,
    pub(super) height: f64,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) x: Percent,
    pub(super) held: Vec<Part>,
    /// Its height.
    pub(super) waited: f64,
    pub(super) tip: String,
}

/// A label of the axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub(super) x: Percent,
    pub(super) text: String,
    pub(super) wide: bool,
    pub(super) anchor: &'static str,
}

/// The drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Overview {
    /// What a column stands for.
    pub(super) unit: &'static str,
    pub(super) width: Percent,
    pub(super) columns: Vec<Column>,
    pub(super) labels: Vec<Label>,
    /// Where neither is, in pixels from the top.
    pub(super) base: f64,
    pub(super) height: f64,
    pub(super) most_held: Length,
    pub(super) most_waited: Length,
    pub(super) kinds: Vec<Kind>,
    pub(super) described: String,
}

#[derive(Debug, Clone, Default)]
struct Bin {
    runs: usize,
    held: [Duration; Kind::ALL.len()],
    waited: Duration,
}

impl Bin {
    fn held(&self) -> Duration {
        self.held.iter().sum()
    }
}

/// Draws all these runs; `None` where none has times. A run counts where it was given the lock.
pub(super) fn overview(runs: &[Run]) -> Option<Overview> {
    let all: Vec<(i64, &Run)> =
        runs.iter().filter_map(|run| Some((run.times?.granted?.as_second().div_euclid(3600), run))).collect();
    let first = all.iter().map(|(hour, _)| *hour).min()?;
    let last = all.iter().map(|(hour, _)| *hour).max()?;
    let (unit, name) = unit(first, last);
    let origin = index(first, unit);
    let count = usize::try_from(index(last, unit) - origin + 1).ok()?;
    let mut bins = vec![Bin::default(); count];
    for (hour, run) in all {
        let place = usize::try_from(index(hour, unit) - origin).ok()?;
        let bin = bins.get_mut(place)?;
        bin.runs += 1;
        bin.waited += run.waited;
        let kind = Kind::ALL.iter().position(|kind| *kind == run.kind)?;
        bin.held[kind] += run.held;
    }
    Some(drawn(&bins, unit, name, origin))
}

fn drawn(bins: &[Bin], unit: i64, name: &'static str, origin: i64) -> Overview {
    let most_held = bins.iter().map(Bin::held).max().unwrap_or_default();
    let most_waited = bins.iter().map(|bin| bin.waited).max().unwrap_or_default();
    // Two scales: waits add up, and often come to far more than one lock can be held.
    let scale = |most: Duration, height: f64| if most.is_zero() { 0.0 } else { height / most.as_secs_f64() };
    let (up, down) = (scale(most_held, UP), scale(most_waited, DOWN));
    let base = MARGIN + UP;
    let width = 100.0 / bins.len() as f64;
    let columns = bins.iter().enumerate().filter(|(_, bin)| bin.runs > 0).map(|(place, bin)| {
        let mut y = base;
        let parts = Kind::ALL.into_iter().zip(bin.held).filter(|(_, held)| !held.is_zero());
        let held = parts.map(|(kind, held)| {
            let height = held.as_secs_f64() * up;
            y -= height;
            Part { kind, y: round(y), height: round(height) }
        });
        let at = begin(origin + place as i64, unit);
        Column {
            x: Percent(place as f64 * width + width * 0.1),
            held: held.collect(),
            waited: round(bin.waited.as_secs_f64() * down),
            tip: format!(
                "{}: {} runs, held {}, waited {}",
                at.map_or_else(String::new, |at| at.strftime("%-d %b %Y %H:%M").to_string()),
                bin.runs,
                human::duration(bin.held()),
                human::duration(bin.waited)
            ),
        }
    });
    let occurs = |index: usize| bins.iter().any(|bin| !bin.held[index].is_zero());
    Overview {
        unit: name,
        width: Percent(width * 0.8),
        columns: columns.collect(),
        labels: labels(bins.len(), width, unit, origin),
        base: round(base),
        height: MARGIN + UP + DOWN + FOOT,
        most_held: Length(most_held),
        most_waited: Length(most_waited),
        kinds: Kind::ALL
            .into_iter()
            .enumerate()
            .filter(|(index, _)| occurs(*index))
            .map(|(_, kind)| kind)
            .collect(),
        described: described(bins, unit, name, origin),
    }
}

fn described(bins: &[Bin], unit: i64, name: &str, origin: i64) -> String {
    let when =
        |place: usize| begin(origin + place as i64, unit).map_or_else(String::new, |at| At(at).to_string());
    let most = |length: fn(&Bin) -> Duration| {
        bins.iter().enumerate().map(|(place, bin)| (length(bin), place)).max_by_key(|(length, _)| *length)
    };
    let word = |what: &str, most: Option<(Duration, usize)>| match most {
        Some((length, place)) if !length.is_zero() => {
            format!("Most {what}: {} in the {name} from {}.", human::duration(length), when(place))
        }
        _ => format!("None {what}."),
    };
    format!("{} {}", word("held", most(Bin::held)), word("waited", most(|bin| bin.waited)))
}

fn labels(count: usize, width: f64, unit: i64, origin: i64) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let (mut before, mut narrow) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for place in 0..count {
        let x = (place as f64 + 0.5) * width;
        let Some(at) = begin(origin + place as i64, unit) else { continue };
        // `21 Nov 08:00` takes twice the room of `21 Nov`.
        let apart = if unit < 24 { 2.0 * APART } else { APART };
        if x - before < apart {
            continue;
        }
        before = x;
        let wide = x - narrow < APART_NARROW.max(1.8 * apart);
        if !wide {
            narrow = x;
        }
        let text = match unit {
            ..24 => at.strftime("%-d %b %H:%M").to_string(),
            _ => day(at),
        };
        labels.push(Label { x: Percent(x), text, wide, anchor: anchor(Percent(x)) });
    }
    labels
}

fn unit(first: i64, last: i64) -> (i64, &'static str) {
    let fits = |unit: i64| index(last, unit) - index(first, unit) < COLUMNS;
    UNITS.into_iter().find(|(unit, _)| fits(*unit)).unwrap_or((24 * 28, "4 weeks"))
}

fn index(hour: i64, unit: i64) -> i64 {
    let shift = if unit > 24 { MONDAY } else { 0 };
    (hour - shift).div_euclid(unit)
}

fn begin(index: i64, unit: i64) -> Option<Timestamp> {
    let shift = if unit > 24 { MONDAY } else { 0 };
    Timestamp::from_second((index * unit + shift) * 3600).ok()
}

fn round(pixels: f64) -> f64 {
    (pixels * 100.0).round() / 100.0
}
