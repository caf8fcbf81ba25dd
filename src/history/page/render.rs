//! Facts and drawings, put into the templates. What is written there is escaped by the templates;
//! characters that deceive were written out before.

use askama::Template;
use jiff::Timestamp;

use super::figures::{Figures, figures};
use super::line::{Line, Shared, line};
use super::overview::{Overview, overview};
use super::policy::{self, SCRIPT, STYLE};
use super::run::Run;
use super::shape::{At, grouped};
use super::spread::Spread;
use super::timeline::{self, Timeline, timeline};
use super::{Book, Page};
use crate::escape;
use crate::lease::Phase;

/// As many runs as the table has; the drawings show all.
const TABLE: usize = 1000;
/// Characters of a lock's name.
const NAME: usize = 300;

#[derive(Template)]
#[template(path = "page.html")]
struct Whole<'a> {
    policy: String,
    style: &'a str,
    script: &'a str,
    version: &'a str,
    title: String,
    now: At,
    sections: Vec<Section>,
}

/// All about one lock.
struct Section {
    /// Its number on the page, from 1.
    id: usize,
    lock: String,
    store: String,
    /// What is said where there are no runs.
    nothing: String,
    runs: String,
    of_all: String,
    table_told: String,
    figures: Figures,
    waits: Option<Spread>,
    holds: Option<Spread>,
    /// Who holds the lock and who waits.
    now: Vec<Line>,
    timeline: Timeline,
    overview: Option<Overview>,
    lines: Vec<Line>,
}

/// The page. It depends on nothing but what it is given.
///
/// # Errors
/// None that is known; what the templates' engine reports.
pub fn render(page: Page<'_>) -> Result<String, askama::Error> {
    let runs: Vec<Vec<Run>> =
        page.locks.iter().map(|book| book.rows.iter().map(|row| Run::of(row, page.now)).collect()).collect();
    let sessions = sessions(page.locks, &runs);
    let title = match page.locks {
        [book] => name(book),
        locks => format!("{} locks", locks.len()),
    };
    let sections = page.locks.iter().zip(&runs).enumerate();
    let whole = Whole {
        policy: policy::policy(),
        style: STYLE,
        script: SCRIPT,
        version: page.version,
        title,
        now: At(page.now),
        sections: sections
            .map(|(index, (book, runs))| section(index + 1, book, runs, &sessions, page))
            .collect(),
    };
    whole.render()
}

fn name(book: &Book<'_>) -> String {
    escape::bounded(book.lock.as_str(), NAME).into_owned()
}

/// The sessions that are in more than one history.
fn sessions<'a>(books: &[Book<'_>], runs: &'a [Vec<Run>]) -> Shared<'a> {
    let mut sessions = Shared::new();
    if books.len() > 1 {
        for (index, (book, runs)) in books.iter().zip(runs).enumerate() {
            // Those that have a line to lead to.
            for run in runs.iter().take(TABLE).filter(|run| !run.session.is_empty()) {
                if let Some(number) = run.number {
                    sessions.entry(&run.session).or_default().push((index + 1, name(book), number));
                }
            }
        }
    }
    sessions
}

fn section(id: usize, book: &Book<'_>, runs: &[Run], sessions: &Shared<'_>, page: Page<'_>) -> Section {
    let present = present(book, page.now);
    // Those that wait or are about to start come before the runs that have a number.
    let drawn: Vec<Run> =
        present.iter().rev().filter(|run| run.number.is_none()).chain(runs).cloned().collect();
    let readable = || runs.iter().filter(|run| run.times.is_some());
    let total = book.record.map_or(0, |record| record.runs);
    Section {
        id,
        lock: name(book),
        store: escape::line(book.store).into_owned(),
        nothing: nothing(total, page.since),
        runs: grouped(runs.len()),
        of_all: of_all(runs.len(), total),
        table_told: table_told(runs.len()),
        figures: figures(runs, page.now),
        waits: Spread::new(readable().map(|run| run.waited)),
        holds: Spread::new(readable().filter(|run| !run.open).map(|run| run.held)),
        now: present.iter().map(|run| line(run, id, sessions)).collect(),
        timeline: timeline(&drawn),
        overview: (runs.len() > timeline::MOST).then(|| overview(runs)).flatten(),
        lines: runs.iter().take(TABLE).map(|run| line(run, id, sessions)).collect(),
    }
}

/// The holders, then the queue in its order.
fn present(book: &Book<'_>, now: Timestamp) -> Vec<Run> {
    let Some(record) = book.record else { return Vec::new() };
    let holders = record.holders.iter().map(|holder| {
        let mut run = Run::holding(holder, now);
        if holder.phase == Phase::Granted {
            run.ending = "about to start".to_owned();
        }
        run
    });
    let queue = record.queue.iter().enumerate().map(|(place, waiter)| Run::waiting(waiter, place + 1, now));
    holders.chain(queue).collect()
}

fn nothing(total: u64, since: Option<Timestamp>) -> String {
    let within = since.map_or_else(String::new, |since| format!(" that ended after {} UTC", At(since)));
    match total {
        0 => "There were none yet.".to_owned(),
        _ => format!("None is kept{within}; {total} were counted."),
    }
}

fn of_all(shown: usize, total: u64) -> String {
    match u64::try_from(shown) {
        Ok(shown) if shown >= total => "all that there were".to_owned(),
        _ => format!("of {total} that were counted"),
    }
}

fn table_told(runs: usize) -> String {
    match runs {
        ..=TABLE => "Each link leads to the job that ran it.".to_owned(),
        _ => format!(
            "The newest {} of these {} runs. The figures above are of all of them, and tfguard history --json \
             lists each.",
            grouped(TABLE),
            grouped(runs)
        ),
    }
}
