//! `status`: looks at one lock, at several, or at all of a store, and holds nothing.

use std::ops::ControlFlow;
use std::time::Duration;

use super::setup;
use crate::cli::source::Sources;
use crate::cli::{All, Config, Look, Site};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, exit};
use crate::history::{self, Past};
use crate::lease::{LockName, Record, RecordError};
use crate::report::{self, SharedWriter, json as ndjson};
use crate::status::document::{self, Lock};
use crate::status::{Brief, Tally, View, sweep, table, text};
use crate::store::{Listed, StoreError, StoreSpec};

/// How long a status may take to be read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Shows who holds locks and who waits.
pub(super) async fn status(config: &Config, look: &Look) -> Result<u8, Error> {
    match &look.all {
        Some(all) => every(config, look, all).await,
        None => named(config, look).await,
    }
}

/// A lock as it was found.
struct Looked {
    lock: LockName,
    store: String,
    record: Result<Option<Record>, RecordError>,
    past: Option<Past>,
}

async fn named(config: &Config, look: &Look) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let mut target = setup::target(config, &directory, false)?;
    setup::ambient_sources(&mut target);
    let mut looked = Vec::new();
    for site in target.sites {
        looked.push(look_at(site).await?);
    }
    let now = SystemClock.now().wall;
    let views: Vec<View<'_>> = looked
        .iter()
        .map(|one| View {
            lock: one.lock.as_str(),
            store: &one.store,
            sources: &target.sources,
            record: one.record.as_ref().map(Option::as_ref),
            past: one.past.as_ref(),
            now,
        })
        .collect();
    let shown = match look.json {
        true => document::json(&views),
        false => text::texts(&views, report::Look::of_stdout(config.log.colour.on_stdout())).into_bytes(),
    };
    let _ = SharedWriter::stdout().write(&shown);
    let held = |one: &Looked| matches!(&one.record, Ok(Some(record)) if !record.is_free());
    Ok(code(look, looked.iter().any(|one| one.record.is_err()), looked.iter().any(held)))
}

fn code(look: &Look, any_unreadable: bool, any_held: bool) -> u8 {
    match (any_unreadable, look.check && any_held) {
        (true, _) => exit::CONFIG,
        (false, true) => exit::NOT_ACQUIRED,
        (false, false) => 0,
    }
}

async fn look_at(site: Site) -> Result<Looked, Error> {
    let lock = site.lock;
    let store = setup::open_to_look(&site.store, &lock).await?;
    let read = match &store {
        Some(store) => store.read(&lock, TIMEOUT).await,
        None => Ok(None),
    };
    let record = match read {
        Ok(record) => Ok(record),
        Err(StoreError::BadRecord { error, .. }) => Err(error),
        Err(source) => {
            return Err(Error::Store { lock: lock.to_string(), source, advice: String::new() });
        }
    };
    // The history says how long those who wait may have to.
    let past = match (&store, &record) {
        (Some(store), Ok(Some(record))) if !record.queue.is_empty() => {
            history::recent(store.as_ref(), &lock, record.runs).await
        }
        _ => None,
    };
    let store = store.map_or_else(|| site.store.describe(), |store| store.describe());
    Ok(Looked { lock, store, record, past })
}

/// The store of which all locks are meant, and where it is named.
pub(super) fn whole_store(config: &Config) -> Result<(StoreSpec, Sources), Error> {
    let directory = setup::inspect_for(config)?;
    let mut config = config.clone();
    // Any name will do: which store it is does not depend on the lock.
    config.wish.locks = LockName::new("all").into_iter().collect();
    let mut target = setup::target(&config, &directory, false)?;
    setup::ambient_sources(&mut target);
    let sources = target.sources.clone().without(&["lock", "workspace"]);
    Ok((target.only()?.store.clone(), sources))
}

/// All locks of the store. What is shown as text is sorted, and so is kept; of a free lock that
/// nobody asked for nothing is. JSON goes out as it comes in.
async fn every(config: &Config, look: &Look, all: &All) -> Result<u8, Error> {
    let (spec, sources) = whole_store(config)?;
    let store = match &spec {
        StoreSpec::Local { dir } if !dir.exists() => None,
        _ => Some(spec.open().await.map_err(|source| Error::Listing { source })?),
    };
    let described = store.as_ref().map_or_else(|| spec.describe(), |store| store.describe());
    let out = SharedWriter::stdout();
    let mut tally = Tally::default();
    let mut briefs: Vec<Brief> = Vec::new();
    let mut written = 0;
    let each = |page: Vec<Listed>| {
        let now = SystemClock.now().wall;
        let mut lines = Vec::new();
        for listed in &page {
            if look.json && all.limit.is_some_and(|limit| written >= limit) {
                break;
            }
            let brief = Brief::of(listed);
            tally.add(&brief);
            if look.json {
                let record = listed.record.as_ref().map(Some);
                let view = View {
                    lock: &listed.name,
                    store: &described,
                    sources: &sources,
                    record,
                    past: None,
                    now,
                };
                lines.extend(ndjson::to_bytes(&Lock::new(view)));
                lines.push(b'\n');
                written += 1;
            } else if all.free || !brief.is_quiet() {
                briefs.push(brief);
            }
        }
        let full = look.json && all.limit.is_some_and(|limit| written >= limit);
        // Nobody reads on.
        let closed = !lines.is_empty() && out.write(&lines).is_err();
        if full || closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    if let Some(store) = &store {
        sweep(store.as_ref(), &all.prefix, false, each).await.map_err(|source| Error::Listing { source })?;
    }
    if !look.json {
        briefs.sort_by_cached_key(Brief::rank);
        let limited = all.limit.is_some_and(|limit| briefs.len() > limit);
        briefs.truncate(all.limit.unwrap_or(usize::MAX));
        let now = SystemClock.now().wall;
        let listing =
            table::Listing { store: &described, prefix: &all.prefix, locks: &briefs, limited, tally, now };
        let look = report::Look::of_stdout(config.log.colour.on_stdout());
        let shown = table::text(listing, look.width, look.colour);
        let _ = out.write(shown.as_bytes());
    }
    Ok(code(look, tally.unreadable > 0, tally.held > 0))
}
