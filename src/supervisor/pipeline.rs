//! Plan, approval, and the apply of that very plan, under one lock.
//!
//! The plan's exit code says whether there is anything to apply: with `-detailed-exitcode` 2 stands
//! for every plan that is not empty, also for one that changes outputs only, or moves resources.
//! It is believed only where a plan was written, since SIGQUIT makes Terraform exit with 2 as well.

use std::path::{Path, PathBuf};

use super::approve::Approval;
use super::attend::{Scene, Step};
use super::custody::Custodian;
use super::phase::plain;
use super::scratch::Scratch;
use super::verdict::{self, Verdict};
use crate::child::Pumps;
use crate::error::Error;
use crate::report::event::{Ended, Event, Level, PhaseResult, RunOutcome, RunPhase};

/// What such a run consists of.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Makes the plan.
    pub plan: Step,
    /// Applies it.
    pub apply: Step,
    /// The plan, absolute.
    pub file: PathBuf,
    /// The folder that is made for it and removed afterwards; `None`: the user keeps the plan.
    pub scratch: Option<PathBuf>,
    /// Somebody has to approve of the plan.
    pub ask: bool,
    /// The code for a success that changed something is 2.
    pub changes_code: bool,
}

/// Runs it.
pub(super) async fn run(
    pipeline: &Pipeline,
    scene: &mut Scene<'_>,
    custodian: &Custodian<'_>,
) -> (Result<Verdict, Error>, Option<Pumps>) {
    // Gone when this function is left, before the lock is released.
    let _scratch = match room(scene, pipeline.scratch.as_deref(), &pipeline.file) {
        Ok(scratch) => scratch,
        Err(error) => return (Err(error), None),
    };
    let begun = scene.begin(RunPhase::Plan);
    let (ended, mut pumps) = match scene.attend(&pipeline.plan).await {
        Ok(attended) => attended,
        Err(error) => return (Err(error), None),
    };
    let counts = pipeline.plan.counts();
    let found = found(ended, &pipeline.file);
    scene.end(begun, found.result(), Some(ended));
    match found {
        Found::Changes => {}
        Found::Nothing => {
            scene.emit(Event::say(Level::Info, "nothing to do: the plan has no changes"));
            let verdict =
                Verdict { outcome: RunOutcome::NoChanges, counts, ..verdict::of_child(ended, &scene.stop) };
            return (Ok(verdict), Some(pumps));
        }
        Found::Failure => return (Ok(verdict::of_child(ended, &scene.stop)), Some(pumps)),
        Found::NoPlan => {
            let text = "the plan ended with the code for changes and left no plan: it was killed, or is not Terraform's";
            scene.emit(Event::say(Level::Error, text));
            let verdict = verdict::of_child(ended, &scene.stop);
            let exit_code = if verdict.exit_code == 2 { 1 } else { verdict.exit_code };
            return (Ok(Verdict { exit_code, ..verdict }), Some(pumps));
        }
    }
    if pipeline.scratch.is_none() {
        custodian.note(pipeline.file.clone()).await;
    }
    if pipeline.ask {
        let begun = scene.begin(RunPhase::Approval);
        match scene.ask(counts).await {
            Ok(Approval::Given) => scene.end(begun, PhaseResult::Approved, None),
            Ok(Approval::Declined) => {
                scene.end(begun, PhaseResult::Declined, None);
                scene.emit(Event::say(Level::Info, "declined: nothing was applied"));
                return (Ok(Verdict { counts, ..verdict::declined() }), Some(pumps));
            }
            Err(error) => {
                scene.end(begun, PhaseResult::Cancelled, None);
                return (Err(error), Some(pumps));
            }
        }
    }
    let begun = scene.begin(RunPhase::Apply);
    let watch = custodian.watch(scene.keys.guardian.as_mut());
    let (ended, last) = match scene.attend(&pipeline.apply).await {
        Ok(attended) => attended,
        Err(error) => {
            scene.end(begun, PhaseResult::Cancelled, None);
            return (Err(error), Some(pumps));
        }
    };
    scene.end(begun, plain(ended), Some(ended));
    pumps.join(last);
    let mut verdict = verdict::of_child(ended, &scene.stop);
    verdict.counts = pipeline.apply.counts().or(counts);
    custodian.settle(watch, ended, &mut verdict).await;
    scene.say_if_lost_in_vain(&verdict);
    if pipeline.changes_code && verdict.exit_code == 0 {
        verdict.exit_code = 2;
    }
    (Ok(verdict), Some(pumps))
}

/// Makes the private folder. The guardian knows of it before there is one.
pub(super) fn room(
    scene: &mut Scene<'_>,
    folder: Option<&Path>,
    file: &Path,
) -> Result<Option<Scratch>, Error> {
    let Some(folder) = folder else { return Ok(None) };
    if let Some(guardian) = &mut scene.keys.guardian {
        guardian.scratch(folder);
    }
    Scratch::make(folder, file).map(Some).map_err(|error| {
        Error::Config(format!(
            "{}: the private folder for the plan, {}, cannot be made: {error}; nothing was planned. TMPDIR says \
             where it is made",
            scene.named,
            folder.display()
        ))
    })
}

/// What a plan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is a plan, and it is not empty.
    Changes,
    /// It is empty.
    Nothing,
    /// It was not made.
    Failure,
    /// It ended as if there were changes and left no plan.
    NoPlan,
}

impl Found {
    pub(super) fn result(self) -> PhaseResult {
        match self {
            Self::Changes => PhaseResult::Changes,
            Self::Nothing => PhaseResult::NoChanges,
            Self::Failure | Self::NoPlan => PhaseResult::Failed,
        }
    }
}

/// What the end of the plan means that was to be written to `file`.
pub(super) fn found(ended: Ended, file: &Path) -> Found {
    match ended {
        Ended::Code(0) => Found::Nothing,
        Ended::Code(2) if file.metadata().is_ok_and(|file| file.len() > 0) => Found::Changes,
        Ended::Code(2) => Found::NoPlan,
        _ => Found::Failure,
    }
}
