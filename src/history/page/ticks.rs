//! What is written along a time axis.

use jiff::Timestamp;

use super::scale::Scale;
use super::shape::{At, Percent};

/// Steps between two ticks, in seconds.
const STEPS: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 1_209_600, 2_419_200,
];
/// About as many ticks as an axis has.
const MANY: i64 = 10;
/// Two ticks are no closer than this, in per cent.
const APART: f64 = 9.0;
/// Nor than this on a narrow screen.
const APART_NARROW: f64 = 26.0;

/// A tick of a time axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) x: Percent,
    pub(super) at: At,
    /// `04:50` or `04:50:30`.
    pub(super) time: String,
    /// `21 Nov`, where the day is another one than that of the tick before.
    pub(super) day: Option<String>,
    /// Only where there is room.
    pub(super) wide: bool,
    /// How its label is aligned to it: `start`, `middle`, `end`.
    pub(super) anchor: &'static str,
}

/// The ticks of a scale, the oldest first.
pub(super) fn ticks(scale: &Scale) -> Vec<Tick> {
    let step = step(scale.drawn());
    let mut ticks: Vec<Tick> = Vec::new();
    let (mut before, mut narrow) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for millis in candidates(scale, step) {
        let x = scale.at(millis);
        let Ok(at) = Timestamp::from_millisecond(millis) else { continue };
        if x.0 - before < APART {
            continue;
        }
        before = x.0;
        let wide = x.0 - narrow < APART_NARROW;
        if !wide {
            narrow = x.0;
        }
        let form = if step < 60 { "%H:%M:%S" } else { "%H:%M" };
        ticks.push(Tick {
            x,
            at: At(at),
            time: at.strftime(form).to_string(),
            day: Some(day(at)),
            wide,
            anchor: anchor(x),
        });
    }
    for index in (1..ticks.len()).rev() {
        if ticks[index].day == ticks[index - 1].day {
            ticks[index].day = None;
        }
    }
    ticks
}

/// How a label at `x` is aligned so that it stays inside.
pub(super) fn anchor(x: Percent) -> &'static str {
    match x.0 {
        ..4.0 => "start",
        96.0.. => "end",
        _ => "middle",
    }
}

/// `21 Nov`.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%-d %b").to_string()
}

fn step(drawn: i64) -> i64 {
    let wanted = drawn / 1000 / MANY;
    STEPS.into_iter().find(|step| *step >= wanted).unwrap_or(2_419_200)
}

/// Round times of every stretch, or its beginning where it has none.
fn candidates(scale: &Scale, step: i64) -> Vec<i64> {
    let step = step * 1000;
    let mut candidates = Vec::new();
    for piece in scale.pieces().iter().filter(|piece| !piece.cut) {
        let first = piece.from.div_euclid(step) * step;
        let first = if first < piece.from { first + step } else { first };
        if first > piece.to {
            candidates.push(piece.from);
            continue;
        }
        let count = (piece.to - first) / step;
        candidates.extend((0..=count.min(4 * MANY)).map(|index| first + index * step));
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<String> {
        let label = |tick: &Tick| format!("{} {}", tick.time, tick.day.as_deref().unwrap_or("-"));
        ticks.iter().map(label).collect()
    }

    #[test]
    fn ticks_are_round_times_and_name_each_day_once() {
        let hour = 3_600_000;
        let scale = Scale::new([(20 * hour, 29 * hour)]);
        let expected = [
            "20:00 1 Jan",
            "21:00 -",
            "22:00 -",
            "23:00 -",
            "00:00 2 Jan",
            "01:00 -",
            "02:00 -",
            "03:00 -",
            "04:00 -",
            "05:00 -",
        ];
        assert_eq!(labels(&ticks(&scale)), expected);
        let narrow: Vec<String> =
            ticks(&scale).into_iter().filter(|tick| !tick.wide).map(|tick| tick.time).collect();
        assert_eq!(narrow, ["20:00", "23:00", "02:00", "05:00"]);
    }

    #[test]
    fn a_stretch_without_a_round_time_is_named_by_its_beginning() {
        let day = 86_400_000;
        let scale = Scale::new([(61_000, 65_000), (day + 30_500, day + 130_500)]);
        let shown = labels(&ticks(&scale));
        assert_eq!(shown[0], "00:01:01 1 Jan");
        assert!(shown[1].ends_with("2 Jan"), "{shown:?}");
    }

    #[test]
    fn ticks_never_crowd() {
        let scale = Scale::new((0..200).map(|n| (n * 7_300_000, n * 7_300_000 + n * 1000)));
        let ticks = ticks(&scale);
        assert!(ticks.len() > 2 && ticks.len() <= 12, "{}", ticks.len());
        assert!(ticks.windows(2).all(|pair| pair[1].x.0 - pair[0].x.0 >= APART));
        assert!(super::ticks(&Scale::new([])).is_empty());
    }
}
