//! `state versions`, and what `state restore` has to know before it asks for the lock.

use std::path::Path;
use std::sync::Arc;

use super::operator::asked;
use super::{past, setup};
use crate::cli::versions::{self as render, View};
use crate::cli::{Config, Site, Target, state_object};
use crate::error::Error;
use crate::escape;
use crate::history::Row;
use crate::lease::PastRun;
use crate::report::event::{Event, Level};
use crate::report::{Look, Reporter, SharedWriter};
use crate::rescue;
use crate::supervisor::run::{Restore, Step};
use crate::terraform::Directory;
use crate::versions::{Object, State, Version, Wanted};

/// How many runs are looked at to tell who wrote a version.
const RUNS: u64 = 100;
/// How many versions a restore looks at.
const CANDIDATES: usize = 100;

/// Lists the versions of the state.
pub(super) async fn versions(
    config: &Config,
    last: u64,
    json: bool,
    reporter: &Reporter,
) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let place = state_object(&directory)?;
    let state = place.describe();
    let object = Object::connect(place).await?;
    object.require_versioning().await?;
    let versions = object.versions(usize::try_from(last).unwrap_or(usize::MAX)).await?;
    let runs = match setup::target(config, &directory, false) {
        Ok(target) => runs(&target, reporter).await,
        Err(error) => unknown(&error, reporter),
    };
    let view = View { state: &state, versions: &versions, runs: &runs };
    let look = Look::of_stdout(config.log.colour.on_stdout());
    let shown = if json { render::json(view) } else { render::text(view, look).into_bytes() };
    let _ = SharedWriter::stdout().write(&shown);
    if versions.is_empty() && !json {
        reporter.emit(Event::say(Level::Info, format!("there is no version of the state {state} yet")));
    }
    Ok(0)
}

/// The newest runs of the locks. Without them it is not told who wrote a version, which is no
/// reason to show none.
async fn runs(target: &Target, reporter: &Reporter) -> Vec<PastRun> {
    let mut runs = Vec::new();
    for site in &target.sites {
        match runs_of(site).await {
            Ok(found) => runs.extend(found),
            Err(error) => return unknown(&error, reporter),
        }
    }
    runs.sort_by_key(|run: &PastRun| std::cmp::Reverse(run.ended_at));
    runs
}

async fn runs_of(site: &Site) -> Result<Vec<PastRun>, Error> {
    let Some(store) = setup::open_to_look(&site.store, &site.lock).await? else { return Ok(Vec::new()) };
    let Some(record) = past::read(store.as_ref(), &site.lock).await? else { return Ok(Vec::new()) };
    let rows = past::rows(store.as_ref(), &site.lock, &record, RUNS, None).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row {
            Row::Over(past) => Some(past),
            Row::Running(_) | Row::Unreadable(..) => None,
        })
        .collect())
}

fn unknown(error: &Error, reporter: &Reporter) -> Vec<PastRun> {
    reporter.emit(Event::say(Level::Warn, format!("who wrote which version is not known: {error}")));
    Vec::new()
}

/// What a restore was asked for.
pub(super) struct Order<'a> {
    /// The version as it was named.
    pub(super) wanted: &'a Wanted,
    /// Do not ask.
    pub(super) yes: bool,
    /// `terraform state push -`.
    pub(super) push: Step,
    /// The folder that takes the present state.
    pub(super) rescue: &'a rescue::Setting,
}

/// Finds the version that is meant, and asks whether to restore it.
///
/// # Errors
/// [`Error::Refused`] when the answer is no; else what [`Object`] and [`Wanted::pick`] give.
pub(super) async fn restore(
    config: &Config,
    directory: &Directory,
    target: &Target,
    order: Order<'_>,
    reporter: &Reporter,
) -> Result<Restore, Error> {
    let object = Object::connect(state_object(directory)?).await?;
    object.require_versioning().await?;
    let mut versions = object.versions(CANDIDATES).await?;
    let wanted = match order.wanted.pick(&versions) {
        // An ID that is older than all that were looked at.
        Err(_) if matches!(order.wanted, Wanted::Id(_)) && versions.len() == CANDIDATES => {
            versions = object.versions(usize::MAX).await?;
            order.wanted.pick(&versions)?
        }
        picked => picked?,
    };
    let present = versions.iter().find(|version| version.current);
    let confirmed = !order.yes;
    if confirmed {
        let runs = runs(target, reporter).await;
        ask(&object, wanted, present, &runs).await?;
    }
    // What stands there counts where somebody was shown it, or meant the one before it.
    let counts = confirmed || *order.wanted == Wanted::Previous;
    let chosen_over = present.filter(|present| present.size.is_some()).map(|present| present.id.clone());
    let options = target.options();
    let here = std::env::current_dir().is_ok_and(|here| config.directory == here);
    let chdir = if here { String::new() } else { format!("-C {} ", quoted(&config.directory)) };
    Ok(Restore {
        version: wanted.id.clone(),
        chosen_over: counts.then_some(chosen_over),
        highest: versions.iter().filter_map(Version::serial).max().unwrap_or_default(),
        lineage: versions
            .iter()
            .find(|version| !version.current && version.head().is_some())
            .and_then(|version| version.lineage().map(str::to_owned)),
        push: order.push,
        into: order.rescue.into.clone(),
        undo: format!("tfguard {chdir}{options} state restore"),
        object: Arc::new(object),
    })
}

fn quoted(path: &Path) -> String {
    // Only a NUL cannot be quoted, and none can be in a path.
    shlex::try_quote(&path.to_string_lossy()).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// Shows what would be replaced by what, and asks.
async fn ask(
    object: &Object,
    wanted: &Version,
    present: Option<&Version>,
    runs: &[PastRun],
) -> Result<(), Error> {
    let now = match present {
        Some(version) => line(object, version, runs).await,
        None => "no state".to_owned(),
    };
    let then = line(object, wanted, runs).await;
    let question = format!(
        "tfguard: state {}\ntfguard:   now    {now}\ntfguard:   then   {then}\ntfguard: Restore it?",
        object.place.describe()
    );
    if asked("state restore", &question)? {
        return Ok(());
    }
    Err(Error::Refused("the answer was no: nothing was restored".into()))
}

/// One version in a line: serial, resources, when and by whom.
async fn line(object: &Object, version: &Version, runs: &[PastRun]) -> String {
    let what = match version.serial() {
        Some(serial) => {
            let fetched = object.fetch(&version.id).await.ok();
            let state = fetched.and_then(|fetched| State::read(&fetched.bytes).ok());
            let resources = state.map_or(String::new(), |state| format!(", {} resources", state.resources));
            format!("serial {serial}{resources}")
        }
        None if version.size.is_none() => "deleted".to_owned(),
        None => "not a state".to_owned(),
    };
    let run = render::writer(runs, version.at).map_or(String::new(), |run| {
        let who = run.identity.actor.as_deref().unwrap_or("someone");
        format!(", by run {} of {}", run.run, escape::field(who))
    });
    let at = version.at.strftime("%Y-%m-%d %H:%M:%SZ");
    format!("{what}, written {at}{run}, version {}", escape::field(&version.id))
}
