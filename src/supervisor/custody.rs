//! What a run does for the state besides running its command: it tells what earlier runs have
//! left, refuses what may not be applied any more, and takes care of what its own command leaves.

use std::path::{Path, PathBuf};

use super::keyring::named;
use super::run::{Need, Plan};
use super::verdict::Verdict;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::escape;
use crate::guardian::Guardian;
use crate::lease::{Applied, Holder, Legacy, LockName, Pushed, Rescued};
use crate::operate;
use crate::plan::{self, Ground, Judgement, Note, Under};
use crate::report::event::{Ended, Event, Level, RunOutcome};
use crate::report::{Reporter, human};
use crate::rescue::{self, Kept, Watch, push_command};

/// What is to be done for the state.
#[derive(Debug, Clone, Default)]
pub struct Custody {
    /// Where a state goes that could not be written.
    pub rescue: rescue::Setting,
    /// The command pushes a rescued state.
    pub pushes: Option<Pushed>,
    /// Do not run while a rescued state waits to be pushed.
    pub require_clean: bool,
    /// The saved plan that the command makes or applies.
    pub saved_plan: SavedPlan,
}

/// The saved plan of a command. Paths are absolute.
#[derive(Debug, Clone, Default)]
pub enum SavedPlan {
    /// None.
    #[default]
    None,
    /// It makes one.
    Made {
        /// The plan.
        file: PathBuf,
    },
    /// It applies one.
    Applied {
        /// The plan.
        file: PathBuf,
        /// Also one that is known to be stale.
        allow_stale: bool,
    },
}

/// The hold that a run stands on, its own or its ancestor's, and what was found with it.
#[derive(Debug, Clone)]
pub struct Footing {
    /// The holder's entry.
    pub own: Holder,
    /// What earlier runs have left.
    pub legacy: Legacy,
}

/// A run's care for the state, from the lock's acquisition on.
pub(super) struct Custodian<'a> {
    pub(super) plan: &'a Plan,
    /// One for each of the plan's needs.
    pub(super) footings: &'a [Footing],
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
}

impl Custodian<'_> {
    /// Tells what earlier runs have left.
    ///
    /// # Errors
    /// [`Error::Refused`] when that forbids the command.
    pub(super) async fn admit(&self) -> Result<(), Error> {
        let custody = &self.plan.custody;
        let rescued = self.rescued();
        if let Some(first) = rescued.first().filter(|_| custody.require_clean) {
            return Err(Error::Refused(format!(
                "{}, and --require-clean is set: nothing was run. {}",
                self.needs_recovery(first),
                self.how_to_recover(first)
            )));
        }
        for marked in &rescued {
            let detail = format!(
                "what that run changed is not in the backend, so that plans can be wrong. {}",
                self.how_to_recover(marked)
            );
            self.say(Level::Warn, self.needs_recovery(marked), Some(detail));
        }
        if let SavedPlan::Applied { file, allow_stale } = &custody.saved_plan
            && file.is_file()
        {
            self.judge(file, *allow_stale).await?;
        }
        Ok(())
    }

    /// Begins to watch for what the command leaves, the guardian too.
    pub(super) fn watch(&self, guardian: Option<&mut Guardian>) -> Watch {
        let session = &self.plan.candidate.session;
        let watch = Watch::begin(&self.plan.custody.rescue, self.clock.now().wall, self.run(), session);
        if let Some(guardian) = guardian {
            guardian.rescue(watch.clone());
        }
        watch
    }

    /// After the command, and all it left, is dead: sees to the state, and writes into the verdict
    /// what the record is to be told.
    pub(super) async fn settle(&self, watch: Watch, ended: Ended, verdict: &mut Verdict) {
        let ending = &mut verdict.ending;
        ending.changed = true;
        if ended == Ended::Code(0) {
            ending.pushed = self.plan.custody.pushes.clone();
        } else {
            let fleeting = watch.ci;
            if let Ok(Some(kept)) = tokio::task::spawn_blocking(move || watch.collect()).await {
                ending.rescued = Some(kept.path.to_string_lossy().into_owned());
                let locks = self.plan.names().cloned().collect();
                self.reporter.emit(state_rescued(locks, self.run(), kept, fleeting));
            }
        }
        if let SavedPlan::Made { file } = &self.plan.custody.saved_plan
            && verdict.outcome == RunOutcome::Succeeded
        {
            self.note(file.clone()).await;
        }
        for (place, need) in self.plan.needs.iter().enumerate() {
            let marked = self.footings.get(place).is_some_and(|footing| !footing.legacy.rescued.is_empty());
            if ending.pushed.is_some() && marked {
                let text =
                    format!("lock {}: the rescued state is pushed; the lock's mark is cleared", need.name);
                self.say(Level::Info, text, None);
            }
            if need.inherited.is_none() {
                continue;
            }
            // The release is not ours to make.
            if let Some(pushed) = &ending.pushed {
                let (store, name) = (need.store.as_ref(), &need.name);
                self.told(
                    operate::recovered(store, name, pushed, &self.clock, self.plan.seed).await.map(|_| ()),
                );
            }
            self.mark(place, ending.rescued.as_deref()).await;
        }
    }

    /// Makes sure that the record of one of the needs shows the rescued state, where a release
    /// cannot have said so: a lock that was lost shows nothing of its last holder.
    pub(super) async fn mark(&self, place: usize, rescued: Option<&str>) {
        let (need, footing) = (self.plan.needs.get(place), self.footings.get(place));
        if let (Some(path), Some(need), Some(footing)) = (rescued, need, footing) {
            let (store, name, own) = (need.store.as_ref(), &need.name, &footing.own);
            self.told(operate::rescued(store, name, own, path, &self.clock, self.plan.seed).await);
        }
    }

    fn told(&self, result: Result<(), Error>) {
        if let Err(error) = result {
            let text = format!("the lock's record could not be told of the rescued state: {error}");
            self.say(Level::Warn, text, None);
        }
    }

    async fn judge(&self, file: &Path, allow_stale: bool) -> Result<(), Error> {
        let path = file.to_owned();
        let Ok(note) = tokio::task::spawn_blocking(move || plan::read(&path)).await else { return Ok(()) };
        let shown = file.display();
        match plan::judge(&note, &self.grounds()) {
            Judgement::Fresh => {}
            Judgement::Open(why) => {
                let text = format!("whether the plan {shown} is still up to date cannot be told: {why}");
                let detail =
                    "Terraform itself refuses a plan only when the state has changed since".to_owned();
                self.say(Level::Warn, text, Some(detail));
            }
            Judgement::Stale(lock, applied) => {
                let stale = format!("the plan {shown} is stale: {}", self.since(&lock, &applied));
                if !allow_stale {
                    return Err(Error::Refused(format!(
                        "{stale}; nothing was run. Make a new plan, or apply this one all the same with \
                         --allow-stale-plan"
                    )));
                }
                self.say(
                    Level::Warn,
                    format!("{stale}; it is applied all the same (--allow-stale-plan)"),
                    None,
                );
            }
        }
        Ok(())
    }

    fn since(&self, lock: &str, applied: &Applied) -> String {
        let run = applied.run.map_or_else(|| "a run".to_owned(), |run| format!("run {run}"));
        format!(
            "since it was made, {run} under lock {lock} may have changed things ({} ago, {})",
            human::since(applied.at, self.clock.now().wall),
            human::identity(&applied.identity)
        )
    }

    /// Writes the note beside a plan that was made.
    pub(super) async fn note(&self, file: PathBuf) {
        let grounds: Vec<Under> = self.grounds().into_iter().map(|ground| ground.under).collect();
        let wall = self.clock.now().wall;
        let path = file.clone();
        let written = tokio::task::spawn_blocking(move || {
            let sha256 = plan::digest(&path)?;
            plan::write(&path, &Note::new(grounds, wall, sha256))
        });
        let error = match written.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let text = format!("{} could not be written: {error}", plan::path_of(&file).display());
        let detail = "whether the plan is still up to date cannot be told when it is applied".to_owned();
        self.say(Level::Warn, text, Some(detail));
    }

    /// The locks of the run as a plan is judged by them.
    fn grounds(&self) -> Vec<Ground> {
        let ground = |(need, footing): (&Need, &Footing)| Ground {
            under: Under {
                lock: need.name.to_string(),
                store: need.store.describe(),
                generation: footing.own.generation,
                run: footing.own.run,
            },
            legacy: footing.legacy.clone(),
        };
        self.plan.needs.iter().zip(self.footings).map(ground).collect()
    }

    /// The states that wait to be pushed, each once, with the locks that are marked for it.
    fn rescued(&self) -> Vec<Marked<'_>> {
        let mut marked: Vec<Marked<'_>> = Vec::new();
        for (need, footing) in self.plan.needs.iter().zip(self.footings) {
            for rescued in &footing.legacy.rescued {
                let known = marked.iter_mut().find(|one| one.is_of(rescued));
                match known {
                    Some(known) => known.needs.push(need),
                    None => marked.push(Marked { rescued, needs: vec![need] }),
                }
            }
        }
        marked
    }

    /// The number of the run under the first of its locks.
    fn run(&self) -> Option<u64> {
        self.footings.first().and_then(|footing| footing.own.run)
    }

    fn needs_recovery(&self, marked: &Marked<'_>) -> String {
        let Marked { rescued, needs } = marked;
        let run = rescued.run.map_or_else(|| "a run".to_owned(), |run| format!("run {run}"));
        let names: Vec<&LockName> = needs.iter().map(|need| &need.name).collect();
        let need = if names.len() == 1 { "needs" } else { "need" };
        format!(
            "{} {need} recovery: the state of {run} could not be written, {} ago, and is kept in {} ({})",
            named(&names),
            human::since(rescued.at, self.clock.now().wall),
            escape::line(&rescued.path),
            human::identity(&rescued.identity)
        )
    }

    fn how_to_recover(&self, marked: &Marked<'_>) -> String {
        let push = push_command(&self.plan.custody.rescue.push, &marked.rescued.path);
        let clear: Vec<String> = marked
            .needs
            .iter()
            .map(|need| format!("`tfguard {} unlock --recovered --reason …`", need.options))
            .collect();
        format!(
            "Push it with `{}`, or, when it is not needed any more, clear the mark with {}",
            escape::line(&push),
            clear.join(" and ")
        )
    }

    fn say(&self, level: Level, summary: String, detail: Option<String>) {
        self.reporter.emit(Event::Diagnostic { level, summary, detail });
    }
}

/// A state that waits to be pushed, and the locks that say so.
struct Marked<'a> {
    rescued: &'a Rescued,
    needs: Vec<&'a Need>,
}

impl Marked<'_> {
    fn is_of(&self, other: &Rescued) -> bool {
        (&self.rescued.session, &self.rescued.path) == (&other.session, &other.path)
    }
}

/// The event for a state that was left by a run under `locks`.
pub fn state_rescued(locks: Vec<LockName>, run: Option<u64>, kept: Kept, fleeting: bool) -> Event {
    Event::StateRescued {
        locks,
        run,
        path: kept.path.to_string_lossy().into_owned(),
        trouble: kept.trouble,
        command: kept.command,
        fleeting,
    }
}
