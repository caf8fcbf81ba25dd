//! What `history` shows. Everything from the store is escaped: others can write to it.

mod document;

use std::time::Duration;

use jiff::Timestamp;
use tabled::builder::Builder;
use tabled::settings::Style;

use crate::escape;
use crate::history::Row;
use crate::history::words::{changes, ending};
use crate::lease::{Identity, LockName};
use crate::report::human;

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

const HEAD: [&str; 9] = ["RUN", "STARTED", "WHO", "COMMAND", "WAITED", "HELD", "OUTCOME", "CHANGES", "LINK"];

/// For people: a table. Nothing where there are no runs.
pub fn text(view: View<'_>) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let mut table = Builder::default();
    table.push_record(HEAD);
    for row in view.rows {
        table.push_record(cells(row, view.now));
    }
    let mut table = table.build();
    let mut shown = String::new();
    for line in table.with(Style::empty()).to_string().lines() {
        shown.push_str(line.trim());
        shown.push('\n');
    }
    shown
}

fn cells(row: &Row, now: Timestamp) -> [String; 9] {
    let number = row.run().to_string();
    match row {
        Row::Over(past) => {
            let [who, command, link] = names(&past.identity);
            [
                number,
                when(past.active_at.unwrap_or(past.granted_at)),
                who,
                command,
                span(past.waited_ms),
                span(past.held_ms),
                ending(past),
                changes(past),
                link,
            ]
        }
        Row::Running(holder) => {
            let [who, command, link] = names(&holder.identity);
            let waited = holder.granted_at.duration_since(holder.asked_at);
            [
                number,
                when(holder.granted_at),
                who,
                command,
                human::duration(Duration::try_from(waited).unwrap_or_default()),
                human::since(holder.granted_at, now),
                "running".to_owned(),
                String::new(),
                link,
            ]
        }
        Row::Unreadable(_, error) => {
            let mut cells: [String; 9] = std::array::from_fn(|_| String::new());
            cells[0] = number;
            cells[6] = "unreadable".to_owned();
            cells[8] = escape::line(&error.to_string()).into_owned();
            cells
        }
    }
}

fn names(identity: &Identity) -> [String; 3] {
    [&identity.actor, &identity.command, &identity.url]
        .map(|text| text.as_deref().map(|text| escape::field(text).into_owned()).unwrap_or_default())
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn span(millis: u64) -> String {
    human::duration(Duration::from_millis(millis))
}

/// Several for people, one after the other, each under its lock's name.
pub fn texts(views: &[View<'_>]) -> String {
    match views {
        [view] => text(*view),
        views => {
            let shown: Vec<String> = views
                .iter()
                .map(|view| {
                    let (lock, store) = (escape::bounded(view.lock.as_str(), 1024), escape::line(view.store));
                    format!("lock {lock} ({store})\n{}", text(*view))
                })
                .collect();
            shown.join("\n")
        }
    }
}

#[cfg(test)]
mod tests;
