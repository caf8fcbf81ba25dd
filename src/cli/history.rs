//! What `history` shows. Everything from the store is escaped: others can write to it.

mod document;
mod line;
mod table;

use jiff::Timestamp;

use line::Line;

use crate::escape;
use crate::history::Row;
use crate::lease::LockName;
use crate::report::Look;

pub use document::{Answer, json};

/// The runs of a lock as they were found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// Its store in words.
    pub store: &'a str,
    /// Runs that became active, ever.
    pub total: u64,
    /// The newest first.
    pub rows: &'a [Row],
    /// The time by this machine's wall clock.
    pub now: Timestamp,
}

/// For people: a table. Nothing where there are no runs.
pub fn text(view: View<'_>, look: Look) -> String {
    let lines: Vec<Line> = view.rows.iter().map(|row| Line::of(row, view.now)).collect();
    table::text(&lines, look)
}

/// Several for people, one after the other, each under its lock's name.
pub fn texts(views: &[View<'_>], look: Look) -> String {
    match views {
        [view] => text(*view, look),
        views => {
            let shown: Vec<String> = views
                .iter()
                .map(|view| {
                    let (lock, store) = (escape::bounded(view.lock.as_str(), 1024), escape::line(view.store));
                    format!("lock {lock} ({store})\n{}", text(*view, look))
                })
                .collect();
            shown.join("\n")
        }
    }
}

#[cfg(test)]
mod tests;
