//! An earlier version of the state is brought back.
//!
//! 1. Look at what stands there, and refuse another lineage.
//! 2. Keep it in a private file.
//! 3. Where Terraform finds none that it can read, put the wanted version back as it was ([`Object::mend`]).
//! 4. Have Terraform push the wanted version with a serial above all that were seen, so that its
//!    own lock, digest and checks stay on.
//! 5. Read it back.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::attend::{Scene, Step};
use super::custody::Custodian;
use super::run::Plan;
use super::verdict::{self, Verdict};
use crate::child::Pumps;
use crate::clock::Clock;
use crate::error::{Error, exit};
use crate::escape;
use crate::lease::Outcome;
use crate::lease::transition::Ending;
use crate::report::event::{Ended, Event, Level, RunOutcome};
use crate::rescue;
use crate::versions::{Fetched, Object, Present, State};

/// Which version is brought back, and how.
#[derive(Clone)]
pub struct Restore {
    /// The state object.
    pub object: Arc<Object>,
    /// The version's ID.
    pub version: String,
    /// What stood there when it was chosen, where the choice depends on that.
    pub chosen_over: Option<Option<String>>,
    /// The highest serial of all versions that were seen.
    pub highest: u64,
    /// The lineage of the newest version that is a state, the present one left out.
    pub lineage: Option<String>,
    /// `terraform state push -`.
    pub push: Step,
    /// The folder that takes the present state.
    pub into: PathBuf,
    /// The command that brings a version back, all but its ID.
    pub undo: String,
}

/// What is known before anything is changed.
struct Ready {
    present: Present,
    fetched: Fetched,
    wanted: State,
    serial: u64,
}

impl fmt::Debug for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Restore {
    pub(super) async fn run(
        &self,
        plan: &Plan,
        scene: &mut Scene<'_>,
        custodian: &Custodian<'_>,
    ) -> (Result<Verdict, Error>, Option<Pumps>) {
        let (ready, feed) = match self.prepare(plan, scene).await {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), None),
        };
        let mended = !ready.present.is_sound();
        if mended {
            scene.emit(Event::say(Level::Warn, self.mending(&ready.present)));
            if let Err(error) = self.object.mend(&ready.present, &ready.fetched).await {
                scene.emit(Event::failure(&error));
                return (Ok(half_done(&error)), None);
            }
        }
        let watch = custodian.watch(scene.keys.guardian.as_mut());
        scene.feed = Some(feed);
        let attended = scene.attend(&self.push).await;
        scene.feed = None;
        match attended {
            Err(error) if mended => {
                scene.emit(Event::failure(&error));
                (Ok(half_done(&error)), None)
            }
            Err(error) => (Err(error), None),
            Ok((ended, pumps)) => {
                let mut verdict = verdict::of_child(ended, &scene.stop);
                custodian.settle(watch, ended, &mut verdict).await;
                if ended == Ended::Code(0)
                    && let Err(error) = self.verify(&ready, scene).await
                {
                    scene.emit(Event::failure(&error));
                    verdict.exit_code = error.exit_code();
                    verdict.outcome = RunOutcome::Failed;
                }
                (Ok(verdict), Some(pumps))
            }
        }
    }

    /// All that can be refused, and the present state kept.
    async fn prepare(&self, plan: &Plan, scene: &mut Scene<'_>) -> Result<(Ready, Arc<File>), Error> {
        scene.may_start()?;
        let ready = self.look().await?;
        let feed = self.feed(&ready)?;
        if !ready.present.bytes.is_empty() {
            let run = scene.keys.holds.first().and_then(|hold| hold.tenure.own.run);
            self.keep(&ready.present, run, &plan.candidate.session, scene).await?;
        }
        if !ready.present.is_sound() {
            self.object.require_unlocked().await?;
        }
        scene.may_start()?;
        Ok((ready, feed))
    }

    async fn look(&self) -> Result<Ready, Error> {
        let place = self.object.place.describe();
        let (present, fetched) = (self.object.present().await?, self.object.fetch(&self.version).await?);
        if let Some(chosen_over) = &self.chosen_over
            && *chosen_over != present.version
        {
            return Err(Error::Refused(format!(
                "the state {place} was written anew while the lock was waited for: nothing was restored. Look \
                 at it with `tfguard state versions`, and name the version by its ID"
            )));
        }
        let wanted = State::read(&fetched.bytes)
            .map_err(|error| Error::Refused(format!("version {} of {place}: {error}", self.shown())))?;
        let lineage = match &present.state {
            Some(Ok(state)) if !state.lineage.is_empty() => Some(&state.lineage),
            _ => self.lineage.as_ref(),
        };
        if lineage.is_some_and(|lineage| *lineage != wanted.lineage) {
            return Err(Error::Refused(format!(
                "version {} of {place} is of another lineage ({}) than the state that is to be replaced ({}): \
                 it is the state of something else, and nothing was restored",
                self.shown(),
                escape::field(&wanted.lineage),
                escape::field(lineage.map_or("", String::as_str)),
            )));
        }
        let now =
            present.state.as_ref().and_then(|state| state.as_ref().ok()).map_or(0, |state| state.serial);
        let serial = now.max(self.highest).max(wanted.serial).saturating_add(1);
        Ok(Ready { present, fetched, wanted, serial })
    }

    /// The version with its new serial, in a file that has no name any more: nothing is left of it
    /// however we end.
    fn feed(&self, ready: &Ready) -> Result<Arc<File>, Error> {
        let failed = |error: &dyn fmt::Display| {
            Error::Config(format!("the version could not be written to a temporary file: {error}"))
        };
        let bytes = ready.wanted.with_serial(ready.serial).map_err(|error| failed(&error))?;
        nameless(&bytes).map(Arc::new).map_err(|error| failed(&error))
    }

    async fn keep(
        &self,
        present: &Present,
        run: Option<u64>,
        session: &str,
        scene: &Scene<'_>,
    ) -> Result<(), Error> {
        let short: String = session.chars().filter(char::is_ascii_alphanumeric).collect();
        let short = &short[short.len().saturating_sub(12)..];
        let run = run.map_or(String::new(), |run| format!("-run{run}"));
        let now = scene.clock.now().wall.strftime("%Y%m%dT%H%M%SZ").to_string();
        let to = self.into.join(format!("replaced-{now}{run}-{short}.tfstate"));
        let bytes = present.bytes.clone();
        let kept = tokio::task::spawn_blocking(move || rescue::preserve(&bytes, &to)).await;
        let kept = kept.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            Error::Refused(format!(
                "the present state could not be kept in {}: {error}; nothing was restored. Give another \
                 folder with --rescue-dir",
                escape::line(&self.into.to_string_lossy())
            ))
        })?;
        let undo = match (&present.version, &present.state) {
            (Some(id), Some(Ok(_))) => format!(", and `{} {}` brings it back", self.undo, escape::field(id)),
            _ => String::new(),
        };
        scene.emit(Event::Diagnostic {
            level: Level::Info,
            summary: format!("the present state is kept in {}", escape::line(&kept.to_string_lossy())),
            detail: Some(format!("the bucket has it too, as an earlier version{undo}")),
        });
        Ok(())
    }

    /// What Terraform wrote is what it was given.
    async fn verify(&self, ready: &Ready, scene: &Scene<'_>) -> Result<(), Error> {
        let now = self.object.present().await?;
        let place = self.object.place.describe();
        let as_pushed = match &now.state {
            Some(Ok(state)) if state.lineage == ready.wanted.lineage && state.serial >= ready.serial => {
                Some((state.serial, state.resources))
            }
            _ => None,
        };
        match as_pushed {
            Some((serial, resources)) if !now.digest_differs => {
                let text = format!(
                    "restored {place}: what was serial {} is now serial {serial} ({resources} {})",
                    ready.wanted.serial,
                    if resources == 1 { "resource" } else { "resources" }
                );
                scene.emit(Event::say(Level::Info, text));
                Ok(())
            }
            _ => Err(Error::Config(format!(
                "terraform state push succeeded, and {place} does not show what was pushed: something else \
                 writes it, or this directory's backend is another; look at it before anything else runs"
            ))),
        }
    }

    fn mending(&self, present: &Present) -> String {
        let why = match (&present.version, &present.state, present.digest_differs) {
            (None, _, _) => "it was deleted",
            (_, None, _) => "it is empty",
            (_, Some(Err(_)), _) => "it is not a state",
            _ => "its digest in the table is another",
        };
        format!(
            "Terraform finds no present state to push over ({why}): version {} is put back as it was first, and \
             its digest",
            self.shown()
        )
    }

    fn shown(&self) -> String {
        escape::field(&self.version).into_owned()
    }
}

/// The object was changed, or may have been, and Terraform did not push: what may have changed
/// makes plans stale.
fn half_done(error: &Error) -> Verdict {
    let outcome = match error {
        Error::Cancelled { .. } => RunOutcome::Cancelled,
        Error::Lost(_) => RunOutcome::Lost,
        _ => RunOutcome::Failed,
    };
    let ending = Ending { changed: true, ..Ending::new(Outcome::Released, None) };
    let exit_code = match error.exit_code() {
        0 => exit::SOFTWARE,
        code => code,
    };
    Verdict::new(exit_code, outcome, ending)
}

/// A file that only we have, with these bytes to be read from.
fn nameless(bytes: &[u8]) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("tfguard-{}", crate::session::id()));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
