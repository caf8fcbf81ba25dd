//! `history`: the runs that are over, read back by number, page by page, as far as they are asked for.

use std::time::Duration;

use jiff::Timestamp;

use super::setup;
use crate::cli::history::{self as render, View};
use crate::cli::{Config, Form, Since, Site};
use crate::clock::{Clock, SystemClock};
use crate::draft;
use crate::error::Error;
use crate::escape;
use crate::history::Row;
use crate::history::page::{Book, Page};
use crate::lease::{LockName, Record};
use crate::report::event::{Event, Level};
use crate::report::{Look, Reporter, SharedWriter};
use crate::store::{Store, StoreError};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many runs are shown when nobody says.
const USUAL: u64 = 20;
/// As many are shown on a page.
const USUAL_PAGE: u64 = 200;
/// The most that are shown.
const MOST: u64 = 10_000;
/// How many are asked for at once: what one request to a table can ask for.
const PAGE: u64 = 100;

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) last: Option<u64>,
    pub(super) since: Option<Since>,
    pub(super) form: &'a Form,
}

/// The history of one lock as it was found.
struct Found {
    lock: LockName,
    store: String,
    record: Option<Record>,
    rows: Vec<Row>,
}

impl Found {
    fn total(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.runs)
    }
}

/// Shows the last runs of the locks, the newest first.
pub(super) async fn history(config: &Config, asked: Asked<'_>, reporter: &Reporter) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let target = setup::target(config, &directory, false)?;
    let now = SystemClock.now().wall;
    let from = asked.since.map(|since| since.at(now));
    let most = asked.last.unwrap_or(match (from, asked.form) {
        (Some(_), _) => MOST,
        (None, Form::Page | Form::PageIn(_)) => USUAL_PAGE,
        (None, Form::Text | Form::Json) => USUAL,
    });
    let mut found = Vec::new();
    for site in target.sites {
        found.push(look(site, most, from).await?);
    }
    let views: Vec<View<'_>> = found
        .iter()
        .map(|one| View { lock: &one.lock, store: &one.store, total: one.total(), rows: &one.rows, now })
        .collect();
    match asked.form {
        Form::Text => show(render::texts(&views, Look::of_stdout(config.log.colour.on_stdout())).as_bytes()),
        Form::Json => show(&render::json(&views)),
        Form::Page => show(page(&found, from, now)?.as_bytes()),
        Form::PageIn(path) => {
            let bytes = page(&found, from, now)?;
            let shown = path.to_string_lossy();
            let shown = escape::field(&shown);
            draft::replace(path, bytes.as_bytes())
                .map_err(|error| Error::Config(format!("the page {shown} cannot be written: {error}")))?;
            let runs: usize = found.iter().map(|one| one.rows.len()).sum();
            let text = format!("{shown} written, {runs} runs in {} KiB", bytes.len().div_ceil(1024));
            reporter.emit(Event::say(Level::Info, text));
        }
    }
    if *asked.form != Form::Json {
        for one in found.iter().filter(|one| one.rows.is_empty()) {
            reporter.emit(Event::say(Level::Info, none(one, from.is_some())));
        }
    }
    Ok(0)
}

fn show(bytes: &[u8]) {
    // A reader that has gone needs nothing more.
    let _ = SharedWriter::stdout().write(bytes);
}

fn none(found: &Found, limited: bool) -> String {
    let within = if limited { " within this time" } else { "" };
    let lock = &found.lock;
    match found.total() {
        0 => format!("lock {lock}: there were no runs"),
        total => format!("lock {lock}: no run is kept in its history{within} ({total} were counted)"),
    }
}

fn page(found: &[Found], since: Option<Timestamp>, now: Timestamp) -> Result<String, Error> {
    let books: Vec<Book<'_>> = found
        .iter()
        .map(|one| Book { lock: &one.lock, store: &one.store, record: one.record.as_ref(), rows: &one.rows })
        .collect();
    let page = Page { locks: &books, since, now, version: env!("CARGO_PKG_VERSION") };
    crate::history::page::render(page)
        .map_err(|error| Error::Bug(format!("the page cannot be made: {error}")))
}

async fn look(site: Site, most: u64, from: Option<Timestamp>) -> Result<Found, Error> {
    let lock = site.lock;
    let Some(store) = setup::open_to_look(&site.store, &lock).await? else {
        return Ok(Found { lock, store: site.store.describe(), record: None, rows: Vec::new() });
    };
    let record = read(store.as_ref(), &lock).await?;
    let rows = match &record {
        Some(record) => rows(store.as_ref(), &lock, record, most, from).await?,
        None => Vec::new(),
    };
    Ok(Found { lock, store: store.describe(), record, rows })
}

/// The newest `most` runs that ended after `from` or have not ended, the newest first.
///
/// # Errors
/// The store's.
pub(super) async fn rows(
    store: &dyn Store,
    lock: &LockName,
    record: &Record,
    most: u64,
    from: Option<Timestamp>,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut to = record.runs;
    let mut left = most;
    while to > 0 && left > 0 {
        let size = left.min(PAGE).min(to);
        let numbers = to - size + 1..=to;
        let found = store.runs(lock, numbers.clone(), TIMEOUT).await.map_err(|error| failed(lock, error))?;
        let mut page: Vec<Row> = found.into_iter().map(Row::from).collect();
        let running = record.holders.iter().filter(|holder| {
            let number = holder.run.filter(|run| numbers.contains(run));
            number.is_some_and(|number| page.iter().all(|row| row.run() != number))
        });
        let running: Vec<Row> = running.cloned().map(Row::Running).collect();
        page.extend(running);
        page.sort_by_key(|row| std::cmp::Reverse(row.run()));
        let old = |row: &Row| matches!((row, from), (Row::Over(past), Some(from)) if past.ended_at < from);
        // Runs that share the lock need not end in the order of their numbers.
        let over = !page.is_empty() && page.iter().all(old);
        page.retain(|row| !old(row));
        rows.extend(page);
        if over {
            break;
        }
        to -= size;
        left -= size;
    }
    Ok(rows)
}

/// The record of the lock.
///
/// # Errors
/// The store's.
pub(super) async fn read(store: &dyn Store, lock: &LockName) -> Result<Option<Record>, Error> {
    store.read(lock, TIMEOUT).await.map_err(|error| failed(lock, error))
}

fn failed(lock: &LockName, source: StoreError) -> Error {
    Error::Store { lock: lock.to_string(), source, advice: String::new() }
}
