//! The newest runs as bars: a thin one for the wait, a thick one for the hold, each run in a row of
//! its own.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::Kind;
use super::run::{Run, Times, between};
use super::scale::Scale;
use super::shape::{Length, Percent};
use super::ticks::{Tick, ticks};
use crate::report::human;

/// As many runs as are drawn one by one.
pub(super) const MOST: usize = 40;
/// Height of a row in the drawing, that of `--row` in the style sheet, in pixels.
const ROW: usize = 24;
/// Height of the axis above the rows, that of `--axis`.
const AXIS: usize = 40;

/// Width of a hold at least, in per cent.
const LEAST: f64 = 0.3;
/// A wait of less is not drawn.
const NONE: f64 = 0.05;

/// Where a bar lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) x: Percent,
    pub(super) width: Percent,
}

impl Span {
    /// A hold: it is seen however short it was.
    fn hold(scale: &Scale, from: Timestamp, to: Timestamp) -> Self {
        let (from, to) = (scale.at(from.as_millisecond()), scale.at(to.as_millisecond()));
        let width = (to.0 - from.0).max(LEAST);
        Self { x: Percent(from.0.min(100.0 - width)), width: Percent(width) }
    }

    /// A wait, unless it was none.
    fn wait(scale: &Scale, from: Timestamp, to: Timestamp) -> Option<Self> {
        let (from, to) = (scale.at(from.as_millisecond()), scale.at(to.as_millisecond()));
        (to.0 - from.0 > NONE).then_some(Self { x: from, width: Percent(to.0 - from.0) })
    }

    fn end(self) -> f64 {
        self.x.0 + self.width.0
    }
}

/// A word beside a bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) x: Percent,
    pub(super) dx: i32,
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

/// The row of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    pub(super) number: Option<u64>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) open: bool,
    /// Its top, in pixels.
    pub(super) top: usize,
    pub(super) wait: Option<Span>,
    pub(super) hold: Option<Span>,
    pub(super) word: Option<Word>,
    /// All of it in words.
    pub(super) tip: String,
}

/// Time that is cut out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    pub(super) span: Span,
    pub(super) tip: String,
}

/// The drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline {
    /// The newest first.
    pub(super) rows: Vec<Bars>,
    pub(super) cuts: Vec<Cut>,
    pub(super) ticks: Vec<Tick>,
    pub(super) axis: usize,
    pub(super) height: usize,
    /// Runs that are older than those that are drawn.
    pub(super) left_out: usize,
    /// What the drawing shows, for those who do not see it.
    pub(super) described: String,
}

/// Draws the newest of these runs, the newest first.
pub(super) fn timeline(runs: &[Run]) -> Timeline {
    let shown = &runs[..runs.len().min(MOST)];
    let times = || shown.iter().filter_map(|run| run.times);
    let scale = Scale::new(times().map(|times| (times.asked.as_millisecond(), times.end.as_millisecond())));
    let rows: Vec<Bars> =
        shown.iter().enumerate().map(|(index, run)| bars(run, AXIS + index * ROW, &scale)).collect();
    let cuts = scale.pieces().iter().filter(|piece| piece.cut).map(|piece| Cut {
        span: Span { x: Percent(piece.left), width: Percent(piece.right - piece.left) },
        tip: format!("{} without a run", human::duration(millis(piece.to - piece.from))),
    });
    Timeline {
        cuts: cuts.collect(),
        ticks: ticks(&scale),
        axis: AXIS,
        height: AXIS + shown.len() * ROW,
        left_out: runs.len() - shown.len(),
        described: described(shown),
        rows,
    }
}

fn bars(run: &Run, top: usize, scale: &Scale) -> Bars {
    let wait = run.times.and_then(|times| Span::wait(scale, times.asked, times.granted.unwrap_or(times.end)));
    let hold = run.times.and_then(|times| Some(Span::hold(scale, times.granted?, times.end)));
    let word = run.times.map(|times| match times.granted {
        Some(_) => Length(run.held).to_string(),
        None => Length(run.waited).to_string(),
    });
    let ends = [wait, hold].into_iter().flatten();
    let (left, right) =
        ends.fold((100.0_f64, 0.0_f64), |(left, right), span| (left.min(span.x.0), right.max(span.end())));
    Bars {
        number: run.number,
        name: run.who.name.clone(),
        kind: run.kind,
        open: run.open,
        top,
        wait,
        hold,
        word: word.and_then(|text| beside(left, right, text)),
        tip: tip(run),
    }
}

/// Beside the bar where there is room, the right-hand side first.
fn beside(left: f64, right: f64, text: String) -> Option<Word> {
    match (left, right) {
        (_, ..=82.0) => Some(Word { x: Percent(right), dx: 7, anchor: "start", text }),
        (18.0.., _) => Some(Word { x: Percent(left), dx: -7, anchor: "end", text }),
        _ => None,
    }
}

/// `run 42 of alice: waited 12 s, held 1 min 3 s, succeeded`.
fn tip(run: &Run) -> String {
    let number = run.number.map_or_else(|| "a run".to_owned(), |number| format!("run {number}"));
    match run.times {
        None => format!("{number}: {}", run.ending),
        Some(times) => {
            let held = times.granted.map_or_else(String::new, |_| format!(", held {}", Length(run.held)));
            format!("{number} of {}: waited {}{held}, {}", run.who.name, Length(run.waited), run.ending)
        }
    }
}

fn described(shown: &[Run]) -> String {
    let times: Vec<(&Run, Times)> = shown.iter().filter_map(|run| Some((run, run.times?))).collect();
    let first = times.iter().map(|(_, times)| times.asked).min();
    let last = times.iter().map(|(_, times)| times.end).max();
    let mut parts = Vec::new();
    if let (Some(first), Some(last)) = (first, last) {
        parts.push(format!("Within {}.", human::duration(between(first, last))));
    }
    let mut longest = |what: &str, length: fn(&Run) -> Duration| {
        if let Some((run, _)) = times.iter().max_by_key(|(run, _)| length(run)) {
            let length = human::duration(length(run));
            parts.push(match run.number {
                Some(number) => format!("Longest {what}: {length}, run {number}."),
                None => format!("Longest {what}: {length}, of {}.", run.who.name),
            });
        }
    };
    longest("wait", |run| run.waited);
    longest("hold", |run| run.held);
    parts.push("The table below has every run in words.".to_owned());
    parts.join(" ")
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
