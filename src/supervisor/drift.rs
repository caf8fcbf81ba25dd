//! A refresh-only plan, and what it shows to have changed outside Terraform.

use std::path::PathBuf;

use super::attend::{Scene, Step};
use super::phase::plain;
use super::pipeline::{Found, found, room};
use super::run::Plan;
use super::verdict::{self, Verdict};
use crate::child::{Kept, Pumps};
use crate::error::Error;
use crate::report::drift as render;
use crate::report::event::{Ended, Event, Level, RunOutcome, RunPhase};
use crate::terraform::drift;

/// What such a run consists of.
#[derive(Debug, Clone)]
pub struct Drift {
    /// Makes the plan.
    pub plan: Step,
    /// Shows it as JSON.
    pub show: Step,
    /// What that printed.
    pub kept: Kept,
    /// The plan, absolute.
    pub file: PathBuf,
    /// The folder that is made for it and removed afterwards; `None`: the user keeps the plan.
    pub scratch: Option<PathBuf>,
    /// The answer is one JSON document on stdout.
    pub document: bool,
}

/// Runs it.
pub(super) async fn run(
    work: &Drift,
    plan: &Plan,
    scene: &mut Scene<'_>,
) -> (Result<Verdict, Error>, Option<Pumps>) {
    let _scratch = match room(scene, work.scratch.as_deref(), &work.file) {
        Ok(scratch) => scratch,
        Err(error) => return (Err(error), None),
    };
    let begun = scene.begin(RunPhase::Plan);
    let (ended, mut pumps) = match scene.attend(&work.plan).await {
        Ok(attended) => attended,
        Err(error) => return (Err(error), None),
    };
    let found = found(ended, &work.file);
    scene.end(begun, found.result(), Some(ended));
    let verdict = verdict::of_child(ended, &scene.stop);
    match found {
        Found::Failure => return (Ok(verdict), Some(pumps)),
        Found::NoPlan => {
            let text = "the plan ended with the code for changes and left no plan: it was killed, or is not Terraform's";
            scene.emit(Event::say(Level::Error, text));
            let exit_code = if verdict.exit_code == 2 { 1 } else { verdict.exit_code };
            return (Ok(Verdict { exit_code, ..verdict }), Some(pumps));
        }
        Found::Nothing => {
            let answer = answer(work, plan, scene, None);
            return (Ok(Verdict { outcome: RunOutcome::NoChanges, answer, ..verdict }), Some(pumps));
        }
        Found::Changes => {}
    }
    let begun = scene.begin(RunPhase::Show);
    let (shown, last) = match scene.attend(&work.show).await {
        Ok(attended) => attended,
        Err(error) => return (Err(error), Some(pumps)),
    };
    scene.end(begun, plain(shown), Some(shown));
    pumps.join(last);
    if shown != Ended::Code(0) {
        return (Ok(verdict::of_child(shown, &scene.stop)), Some(pumps));
    }
    let read = work.kept.take().map(|document| drift::read(&document));
    let drift = match read {
        Some(Ok(drift)) => drift,
        // There is drift, whatever can be said about it.
        Some(Err(error)) => {
            scene.emit(Event::say(Level::Warn, format!("the plan's JSON cannot be read: {error}")));
            drift::Drift::default()
        }
        None => {
            scene.emit(Event::say(Level::Warn, "the plan's JSON is too large to be read"));
            drift::Drift::default()
        }
    };
    let answer = answer(work, plan, scene, Some(drift));
    (Ok(Verdict { outcome: RunOutcome::Drift, answer, ..verdict }), Some(pumps))
}

/// What was found: for stdout, as the run's answer, and as an event.
fn answer(work: &Drift, plan: &Plan, scene: &Scene<'_>, drift: Option<drift::Drift>) -> Vec<u8> {
    let text = match (scene.outlet.is_text(), work.document) {
        (false, _) => Vec::new(),
        (true, true) => render::document(plan.needs.iter().map(|need| &need.name), drift.as_ref()),
        (true, false) => render::text(drift.as_ref()).into_bytes(),
    };
    scene.emit(Event::Drift { drift });
    text
}
