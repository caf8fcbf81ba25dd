//! Time along the width of a drawing. Where nobody held or waited for long, time is cut out, so
//! that what happened has room.

use super::shape::Percent;

/// The width of a cut, at most, in per cent.
const CUT: f64 = 2.0;
/// What all cuts together may take.
const CUTS: f64 = 30.0;
/// An idle time is cut out where it is longer than this part of all that is busy.
const LONG: i64 = 20;

/// A stretch of time and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    /// Epoch milliseconds.
    pub(super) from: i64,
    /// Epoch milliseconds.
    pub(super) to: i64,
    /// In per cent.
    pub(super) left: f64,
    /// In per cent.
    pub(super) right: f64,
    /// Nothing happened: it is cut out.
    pub(super) cut: bool,
}

/// Where which time lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pieces: Vec<Piece>,
}

impl Scale {
    /// A scale on which all these spans, in epoch milliseconds, find room.
    pub(super) fn new(spans: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let busy = merged(spans);
        let sum: i64 = busy.iter().map(|(from, to)| to - from).sum();
        let linear = joined(&busy, sum / LONG);
        let total: i64 = linear.iter().map(|(from, to)| to - from).sum();
        let cuts = linear.len().saturating_sub(1) as f64;
        let cut = if cuts > 0.0 { CUT.min(CUTS / cuts) } else { 0.0 };
        let unit = (100.0 - cut * cuts) / total.max(1) as f64;

        let mut pieces = Vec::new();
        let (mut left, mut before) = (0.0, None);
        let mut add = |from, to, width, cut| {
            pieces.push(Piece { from, to, left, right: left + width, cut });
            left += width;
        };
        for (from, to) in linear {
            if let Some(before) = before {
                add(before, from, cut, true);
            }
            add(from, to, (to - from) as f64 * unit, false);
            before = Some(to);
        }
        Self { pieces }
    }

    /// Where this time lies.
    pub(super) fn at(&self, millis: i64) -> Percent {
        let Some(piece) = self.pieces.iter().find(|piece| millis <= piece.to) else {
            return Percent(if self.pieces.is_empty() { 0.0 } else { 100.0 });
        };
        let part = (millis - piece.from).max(0) as f64 / (piece.to - piece.from).max(1) as f64;
        Percent(piece.left + part * (piece.right - piece.left))
    }

    /// All stretches, the oldest first.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The time that is drawn true to scale, in milliseconds.
    pub(super) fn drawn(&self) -> i64 {
        self.pieces.iter().filter(|piece| !piece.cut).map(|piece| piece.to - piece.from).sum()
    }
}

/// The same spans, those that touch as one, in order.
pub(super) fn merged(spans: impl IntoIterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = spans.into_iter().map(|(from, to)| (from, to.max(from))).collect();
    spans.sort_unstable();
    joined(&spans, 0)
}

/// Sorted spans, those with no more than `gap` between them as one.
fn joined(spans: &[(i64, i64)], gap: i64) -> Vec<(i64, i64)> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some(last) if from.saturating_sub(last.1) <= gap => last.1 = last.1.max(*to),
            _ => joined.push((*from, *to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(percent: Percent, to: f64) -> bool {
        (percent.0 - to).abs() < 1e-9
    }

    #[test]
    fn without_long_gaps_time_is_linear() {
        let scale = Scale::new([(0, 50_000), (51_000, 100_000), (20_000, 60_000)]);
        for (millis, percent) in [(0, 0.0), (25_000, 25.0), (50_500, 50.5), (100_000, 100.0)] {
            assert!(close(scale.at(millis), percent), "{millis}: {}", scale.at(millis));
        }
        assert_eq!(scale.drawn(), 100_000);
    }

    #[test]
    fn a_long_idle_time_is_cut_out() {
        let day = 86_400_000;
        let scale = Scale::new([(0, 49_000), (day, day + 49_000)]);
        assert!(close(scale.at(0), 0.0) && close(scale.at(49_000), 49.0));
        assert!(close(scale.at(day), 51.0) && close(scale.at(day + 49_000), 100.0));
        assert!(close(scale.at((day + 49_000) / 2), 50.0));
        let cut: Vec<bool> = scale.pieces().iter().map(|piece| piece.cut).collect();
        assert_eq!(cut, [false, true, false]);
        assert_eq!(scale.drawn(), 98_000);
    }

    #[test]
    fn many_cuts_leave_room_for_what_happened() {
        let scale = Scale::new((0..1000).map(|hour| (hour * 3_600_000, hour * 3_600_000 + 1)));
        let cuts: f64 =
            scale.pieces().iter().filter(|piece| piece.cut).map(|piece| piece.right - piece.left).sum();
        assert!((cuts - CUTS).abs() < 1e-6, "{cuts}");
        assert!((scale.pieces().last().unwrap().right - 100.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_and_times_beyond_the_scale_are_no_trouble() {
        assert!(close(Scale::new([]).at(5), 0.0));
        let scale = Scale::new([(5000, 5000)]);
        assert!(close(scale.at(0), 0.0) && close(scale.at(i64::MAX), 100.0));
        let far = Scale::new([(i64::MIN / 4, 0), (i64::MAX / 4, i64::MAX / 4)]);
        assert!(far.at(1).0.is_finite());
    }

    proptest::proptest! {
        #[test]
        fn later_is_never_further_left(
            spans in proptest::collection::vec((0i64..10_000_000, 0i64..100_000), 1..60),
            times in proptest::collection::vec(-1000i64..11_000_000, 2..30),
        ) {
            let scale = Scale::new(spans.iter().map(|(from, length)| (*from, from + length)));
            let mut times = times;
            times.sort_unstable();
            let places: Vec<f64> = times.iter().map(|time| scale.at(*time).0).collect();
            proptest::prop_assert!(places.is_sorted(), "{places:?}");
            proptest::prop_assert!(places.iter().all(|place| (-1e-6..100.0 + 1e-6).contains(place)));
        }
    }
}
