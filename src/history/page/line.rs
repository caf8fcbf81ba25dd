//! A run as a line of the table.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::link::Link;
use super::run::{Run, Who};
use super::shape::{At, Length};
use crate::escape;
use crate::lease::Counts;

/// The same session in the history of another lock of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Also {
    /// The other lock, safe to show.
    pub(super) lock: String,
    /// Where its line is.
    pub(super) anchor: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) anchor: Option<String>,
    pub(super) number: Option<u64>,
    pub(super) started: Option<At>,
    pub(super) who: Who,
    pub(super) shared: bool,
    pub(super) waited: Option<Length>,
    /// `None` also for one that waits.
    pub(super) held: Option<Length>,
    pub(super) kind: Kind,
    pub(super) open: bool,
    pub(super) ending: String,
    pub(super) changes: String,
    /// The same in whole words.
    pub(super) changes_told: String,
    /// How many changes, to sort by.
    pub(super) changed: Option<u64>,
    pub(super) link: Option<Link>,
    /// What stands in a link's place and is none, safe to show.
    pub(super) url: String,
    pub(super) also: Vec<Also>,
}

/// The name of a run's line in the page.
pub(super) fn anchor(lock: usize, number: u64) -> String {
    format!("lock-{lock}-run-{number}")
}

/// Which sessions are in the histories of several locks: `(number of the lock, name, number of the run)`.
pub(super) type Shared<'a> = BTreeMap<&'a str, Vec<(usize, String, u64)>>;

/// The line of `run` in the table of the lock number `lock`.
pub(super) fn line(run: &Run, lock: usize, sessions: &Shared<'_>) -> Line {
    let others = sessions.get(run.session.as_str()).map(Vec::as_slice).unwrap_or_default();
    let also = others
        .iter()
        .filter(|(other, ..)| *other != lock)
        .map(|(other, name, number)| Also { lock: name.clone(), anchor: anchor(*other, *number) });
    let told = |counts: Counts| {
        let import = if counts.import > 0 { format!("{} imported, ", counts.import) } else { String::new() };
        format!("{import}{} added, {} changed, {} destroyed", counts.add, counts.change, counts.destroy)
    };
    Line {
        anchor: run.number.map(|number| anchor(lock, number)),
        number: run.number,
        started: run.times.map(|times| At(times.granted.unwrap_or(times.asked))),
        who: run.who.clone(),
        shared: run.shared,
        waited: run.times.map(|_| Length(run.waited)),
        held: run.times.filter(|times| times.granted.is_some()).map(|_| Length(run.held)),
        kind: run.kind,
        open: run.open,
        ending: run.ending.clone(),
        changes: run.changes.replace('-', "−"),
        changes_told: match (run.counts, run.changes.as_str()) {
            (Some(counts), _) => told(counts),
            (None, "?") => "not known".to_owned(),
            (None, other) => other.to_owned(),
        },
        changed: run.counts.map(|counts| {
            [counts.add, counts.change, counts.destroy, counts.import]
                .into_iter()
                .fold(0, u64::saturating_add)
        }),
        url: run.who.url.as_deref().map(|url| escape::field(url).into_owned()).unwrap_or_default(),
        link: run.who.url.as_deref().and_then(Link::new),
        also: also.collect(),
    }
}
