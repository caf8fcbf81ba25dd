//! The rows of a list of locks, and how wide their columns are: for text and for the screen.

use std::time::Duration;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::brief::{Brief, Condition, Held};
use super::words::{self, Tone};
use crate::escape;
use crate::history::words::outcome;
use crate::report::human;

/// How many columns there are.
pub const COLUMNS: usize = 7;
/// Their heads.
pub const HEAD: [&str; COLUMNS] = ["LOCK", "STATE", "FOR", "WHO", "DOING", "QUEUE", "LINK"];
/// What is between two columns.
pub const GAP: usize = 2;

const LOCK: usize = 0;
const STATE: usize = 1;
const FOR: usize = 2;
const WHO: usize = 3;
const DOING: usize = 4;
const QUEUE: usize = 5;
const LINK: usize = 6;
/// No column is cut to less.
const LEAST: usize = 7;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// One for each column, escaped.
    pub cells: [String; COLUMNS],
    /// What stands in place of everything behind the state.
    pub note: Option<String>,
    /// How it looks.
    pub tone: Tone,
}

impl Row {
    /// A lock at `now`.
    pub fn new(brief: &Brief, now: Timestamp) -> Self {
        let lock = escape::bounded(&brief.lock, 1024).into_owned();
        let mut doing = Vec::new();
        let (state, age, who, link, mut tone) = match &brief.condition {
            Condition::Unreadable(why) => {
                let mut cells: [String; COLUMNS] = std::array::from_fn(|_| String::new());
                (cells[LOCK], cells[STATE]) = (lock, "unreadable".to_owned());
                return Self { cells, note: Some(why.clone()), tone: Tone::Bad };
            }
            Condition::Held(held) => {
                let dead = brief.looks_dead(now);
                doing.extend(held_doing(held, now));
                let state = match (dead, held.shared) {
                    (true, _) => "dead?".to_owned(),
                    (false, true) => format!("shared by {}", held.holders),
                    (false, false) => "held".to_owned(),
                };
                let tone = if dead { Tone::Bad } else { Tone::Busy };
                (state, Some(held.since), Some(held.who.clone()), held.link.clone(), tone)
            }
            Condition::Free(Some(last)) => {
                let code = last.exit_code.map_or(String::new(), |code| format!(" {code}"));
                doing.push(format!("{}{code}", outcome(last.outcome)));
                let tone = if last.untold { Tone::Bad } else { Tone::Free };
                ("free".to_owned(), Some(last.at), Some(last.who.clone()), last.link.clone(), tone)
            }
            Condition::Free(None) => ("free".to_owned(), None, None, None, Tone::Free),
        };
        if brief.needs_recovery > 0 {
            doing.push("needs recovery".into());
            tone = Tone::Bad;
        }
        let queue = match (brief.queue, brief.waiting_since) {
            (0, _) => String::new(),
            (queue, Some(since)) => format!("{queue} for {}", words::age(since, now)),
            (queue, None) => queue.to_string(),
        };
        let age = age.map_or(String::new(), |at| words::age(at, now));
        let cells =
            [lock, state, age, who.unwrap_or_default(), doing.join(", "), queue, link.unwrap_or_default()];
        Self { cells, note: None, tone }
    }
}

fn held_doing(held: &Held, now: Timestamp) -> Vec<String> {
    let mut doing = Vec::new();
    match &held.activity {
        _ if held.granted => doing.push("about to start".to_owned()),
        Some(activity) => {
            doing.push(format!("{} {}", activity.phase, words::age(activity.since(), now)));
        }
        None => {}
    }
    if held.revoked {
        doing.push("asked to stop".into());
    }
    doing
}

/// The widths of the columns of `rows`, so that they fit into `width` columns; `None`: as wide as
/// they are. An empty column has none. The link goes first, then what all names have in common,
/// then machines, then what is longest is cut, then more columns go.
pub fn fit(rows: &mut [Row], width: Option<usize>) -> [usize; COLUMNS] {
    let natural = natural(rows);
    let Some(width) = width.filter(|width| whole(&natural) > *width) else { return natural };
    for row in rows.iter_mut() {
        row.cells[LINK].clear();
    }
    if whole(&self::natural(rows)) > width {
        shorten(rows);
    }
    if whole(&self::natural(rows)) > width {
        for row in rows.iter_mut() {
            // The person is worth more than the machine.
            let actor = row.cells[WHO].split(" on ").next().map(str::to_owned);
            row.cells[WHO] = actor.unwrap_or_default();
        }
    }
    let mut widths = self::natural(rows);
    let mut less = widths;
    for column in [LINK, DOING, QUEUE, WHO, FOR] {
        widths[column] = 0;
        less = cut_to(widths, width);
        if whole(&less) <= width {
            return less;
        }
    }
    less[LOCK] = less[LOCK].min(width.saturating_sub(less[STATE] + GAP));
    less
}

fn natural(rows: &[Row]) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (known, cell) in widths.iter_mut().zip(&row.cells) {
            *known = (*known).max(cell.width());
        }
    }
    for (known, head) in widths.iter_mut().zip(HEAD) {
        if *known > 0 {
            *known = (*known).max(head.width());
        }
    }
    widths
}

/// Takes what all names have in common out of them, in whole segments: of
/// `states/net/terraform.tfstate` and `states/db/terraform.tfstate` it leaves `…/net/…` and `…/db/…`.
fn shorten(rows: &mut [Row]) {
    let names: Vec<Vec<&str>> = rows.iter().map(|row| row.cells[LOCK].split('/').collect()).collect();
    let [first, others @ ..] = names.as_slice() else { return };
    if others.is_empty() {
        return;
    }
    // Something stays of each.
    let most = names.iter().map(Vec::len).min().unwrap_or_default().saturating_sub(1);
    let same = |at: &dyn Fn(&[&str]) -> Option<String>| {
        let wanted = at(first);
        wanted.is_some() && others.iter().all(|name| at(name) == wanted)
    };
    let before = (0..most).take_while(|at| same(&|name| name.get(*at).map(|it| (*it).to_owned()))).count();
    let behind = (1..=most - before)
        .take_while(|at| same(&|name| name.get(name.len() - *at).map(|it| (*it).to_owned())))
        .count();
    let short: Vec<String> = names
        .iter()
        .map(|name| {
            let middle = name[before..name.len() - behind].join("/");
            let (head, tail) = (if before > 0 { "…/" } else { "" }, if behind > 0 { "/…" } else { "" });
            format!("{head}{middle}{tail}")
        })
        .collect();
    for (row, short) in rows.iter_mut().zip(short) {
        row.cells[LOCK] = short;
    }
}

fn whole(widths: &[usize; COLUMNS]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

/// Takes away from the longest, a column at a time, as long as they stay readable.
fn cut_to(mut widths: [usize; COLUMNS], width: usize) -> [usize; COLUMNS] {
    for _ in width..whole(&widths) {
        // A lock's name is worth more than the others.
        let worth = |column: usize| if column == LOCK { widths[LOCK] / 2 } else { widths[column] };
        let longest = [LOCK, WHO, DOING].into_iter().filter(|column| widths[*column] > LEAST);
        match longest.max_by_key(|column| worth(*column)) {
            Some(column) => widths[column] -= 1,
            None => break,
        }
    }
    widths
}

/// The heads, each at its column.
pub fn head(widths: &[usize; COLUMNS]) -> String {
    join(&HEAD.map(str::to_owned), widths).trim_end().to_owned()
}

/// The columns of a row, cut and filled to their widths, `room` columns in all.
pub fn line(row: &Row, widths: &[usize; COLUMNS], room: Option<usize>) -> String {
    let mut line = join(&row.cells, widths);
    if let Some(note) = &row.note {
        let before = widths.iter().take(WHO).filter(|width| **width > 0);
        let before = before.clone().sum::<usize>() + GAP * before.count();
        line = words::cut(line.trim_end(), before.saturating_sub(GAP));
        line.push_str(&" ".repeat(before.saturating_sub(GAP + line.width())));
        line.push_str(&" ".repeat(GAP));
        line.push_str(&words::cut(note, room.map_or(usize::MAX, |room| room.saturating_sub(before))));
    }
    line.truncate(line.trim_end().len());
    line
}

fn join(cells: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if *width == 0 {
            continue;
        }
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = match column {
            LOCK => words::cut_front(cell, *width),
            _ => words::cut(cell, *width),
        };
        let fill = width.saturating_sub(cell.width());
        line.push_str(&cell);
        line.push_str(&" ".repeat(fill));
    }
    line
}

/// The byte behind `width` columns of a line.
pub fn behind(line: &str, width: usize) -> usize {
    let mut seen = 0;
    for (at, c) in line.char_indices() {
        if seen >= width {
            return at;
        }
        seen += words::columns(c);
    }
    line.len()
}

/// A short length, for what is polled: `2s ago`.
pub fn ago(length: Duration) -> String {
    match length.as_secs() {
        0 => "now".to_owned(),
        _ => format!("{} ago", human::duration(Duration::from_secs(length.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Vec<Row> {
        let row = |name: &&str| {
            let mut cells: [String; COLUMNS] = std::array::from_fn(|_| "x".to_owned());
            cells[LOCK] = (*name).to_owned();
            Row { cells, note: None, tone: Tone::Free }
        };
        names.iter().map(row).collect()
    }

    fn shortened(names: &[&str]) -> Vec<String> {
        let mut rows = rows(names);
        shorten(&mut rows);
        rows.into_iter().map(|row| row.cells[LOCK].clone()).collect()
    }

    #[test]
    fn names_lose_what_all_have_in_common_and_stay_apart() {
        assert_eq!(shortened(&["s/net/t", "s/db/t"]), ["…/net/…", "…/db/…"]);
        assert_eq!(shortened(&["s/net/t", "s/env:/dev/net/t"]), ["…/net/…", "…/env:/dev/net/…"]);
        assert_eq!(shortened(&["s/t", "s/a/t"]), ["…/t", "…/a/t"]);
        assert_eq!(shortened(&["s/a", "s/b"]), ["…/a", "…/b"]);
        assert_eq!(shortened(&["a/t", "b/t"]), ["a/…", "b/…"]);
        assert_eq!(shortened(&["never", "s/b"]), ["never", "s/b"]);
        assert_eq!(shortened(&["s/net/t"]), ["s/net/t"]);
        assert_eq!(shortened(&["a", "a"]), ["a", "a"]);
    }

    #[test]
    fn what_fits_is_left_alone() {
        let mut all = rows(&["states/net/terraform.tfstate", "states/db/terraform.tfstate"]);
        let before = all.clone();
        assert_eq!(whole(&fit(&mut all, None)), whole(&fit(&mut all, Some(200))));
        assert_eq!(all, before);
        fit(&mut all, Some(40));
        assert_eq!((all[0].cells[LOCK].as_str(), all[0].cells[LINK].as_str()), ("…/net/…", ""));
    }
}
