//! How lengths of time are distributed.

use std::time::Duration;

use super::shape::{Length, Percent};
use crate::history::estimate::percentile;

/// Where the classes begin, in seconds, and what they are called.
const CLASSES: [(u64, &str); 9] = [
    (0, "under 1 s"),
    (1, "1 – 5 s"),
    (5, "5 – 15 s"),
    (15, "15 – 60 s"),
    (60, "1 – 5 min"),
    (300, "5 – 15 min"),
    (900, "15 – 60 min"),
    (3600, "1 – 4 h"),
    (14_400, "4 h or more"),
];

/// Width of the longest bar, in per cent.
const WIDEST: f64 = 62.0;

/// One class of lengths.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) count: usize,
    /// Its bar; beside the longest there is room for the marks.
    pub(super) width: Percent,
    /// Of all.
    pub(super) share: String,
    /// `median`, `p90`, where they lie in it.
    pub(super) marks: String,
}

/// How some lengths are distributed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) median: Length,
    pub(super) p90: Length,
    pub(super) longest: Length,
    pub(super) classes: Vec<Class>,
}

impl Spread {
    /// `None` where there is nothing to distribute.
    pub(super) fn new(lengths: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut lengths: Vec<Duration> = lengths.into_iter().collect();
        lengths.sort_unstable();
        let longest = *lengths.last()?;
        let (median, p90) = (percentile(&lengths, 50), percentile(&lengths, 90));
        let mut counts = [0_usize; CLASSES.len()];
        for length in &lengths {
            counts[class_of(*length)] += 1;
        }
        let most = counts.into_iter().max().unwrap_or(0).max(1) as f64;
        let classes = counts.into_iter().enumerate().take(class_of(longest) + 1).map(|(index, count)| {
            let mark = |length, name| (class_of(length) == index).then_some(name);
            let marks: Vec<&str> = [mark(median, "median"), mark(p90, "p90")].into_iter().flatten().collect();
            Class {
                name: CLASSES[index].1,
                count,
                width: Percent(count as f64 / most * WIDEST),
                share: share(count, lengths.len()),
                marks: marks.join(", "),
            }
        });
        let classes = classes.collect();
        Some(Self {
            count: lengths.len(),
            median: Length(median),
            p90: Length(p90),
            longest: Length(longest),
            classes,
        })
    }
}

/// `12 %`, and `<1 %` rather than nothing.
pub(super) fn share(part: usize, whole: usize) -> String {
    match (part, part * 100 / whole.max(1)) {
        (1.., 0) => "<1 %".to_owned(),
        (_, percent) => format!("{percent} %"),
    }
}

fn class_of(length: Duration) -> usize {
    CLASSES.iter().rposition(|(from, _)| length >= Duration::from_secs(*from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_in_one_class() {
        let spread =
            Spread::new([0, 999, 1000, 4999, 5000, 60_000, 299_000].map(Duration::from_millis)).unwrap();
        let counts: Vec<(&str, usize)> =
            spread.classes.iter().map(|class| (class.name, class.count)).collect();
        let expected =
            [("under 1 s", 2), ("1 – 5 s", 2), ("5 – 15 s", 1), ("15 – 60 s", 0), ("1 – 5 min", 2)];
        assert_eq!(counts, expected);
        let widths: Vec<f64> = spread.classes.iter().map(|class| class.width.0).collect();
        assert_eq!(widths, [62.0, 62.0, 31.0, 0.0, 62.0]);
        let marks: Vec<&str> = spread.classes.iter().map(|class| class.marks.as_str()).collect();
        assert_eq!(marks, ["", "median", "", "", "p90"]);
        assert_eq!(spread.longest, Length(Duration::from_secs(299)));
    }

    #[test]
    fn one_length_is_all_of_it() {
        let spread = Spread::new([Duration::from_secs(100_000)]).unwrap();
        assert_eq!((spread.median, spread.p90), (spread.longest, spread.longest));
        assert_eq!(spread.classes.len(), CLASSES.len());
        assert_eq!(spread.classes.last().unwrap().marks, "median, p90");
        assert_eq!(Spread::new([]), None);
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing() {
        assert_eq!([share(0, 9), share(1, 1000), share(1, 3), share(0, 0)], ["0 %", "<1 %", "33 %", "0 %"]);
    }
}
