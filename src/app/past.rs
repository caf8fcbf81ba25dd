//! `history`: the runs that are over, read back by number.

use std::time::Duration;

use jiff::Timestamp;

use super::setup;
use crate::cli::Config;
use crate::cli::history::{self as render, Row, View};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::lease::{LockName, Record};
use crate::report::event::{Event, Level};
use crate::report::{Reporter, SharedWriter};
use crate::store::{Store, StoreError};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many runs are shown when nobody says.
const USUAL: u64 = 20;
/// The most that are shown.
const MOST: u64 = 1000;
/// How many are asked for at once: what one request to a table can ask for.
const PAGE: u64 = 100;

/// Shows the last runs of the lock, the newest first.
pub(super) async fn history(
    config: &Config,
    last: Option<u64>,
    since: Option<Duration>,
    json: bool,
    reporter: &Reporter,
) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let site = setup::target(config, &directory, false)?.only()?.clone();
    let lock = &site.lock;
    let now = SystemClock.now().wall;
    let most = last.unwrap_or(if since.is_some() { MOST } else { USUAL });
    let from = since.map(|since| now.checked_sub(since).unwrap_or(Timestamp::MIN));
    let (total, rows, described) = match setup::open_to_look(&site.store, lock).await? {
        Some(store) => {
            let record = read(store.as_ref(), lock).await?;
            let total = record.as_ref().map_or(0, |record| record.runs);
            let rows = match &record {
                Some(record) => rows(store.as_ref(), lock, record, most, from).await?,
                None => Vec::new(),
            };
            (total, rows, store.describe())
        }
        None => (0, Vec::new(), site.store.describe()),
    };
    let view = View { lock, store: &described, total, rows: &rows, now };
    let shown = if json { render::json(view) } else { render::text(view).into_bytes() };
    let _ = SharedWriter::stdout().write(&shown);
    if rows.is_empty() && !json {
        let within = if from.is_some() { " within this time" } else { "" };
        let text = match total {
            0 => format!("lock {lock}: there were no runs"),
            _ => format!("lock {lock}: no run is kept in its history{within} ({total} were counted)"),
        };
        reporter.emit(Event::say(Level::Info, text));
    }
    Ok(0)
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
        let over = page.last().is_some_and(old);
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
