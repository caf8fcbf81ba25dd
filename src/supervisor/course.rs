//! What a run does under the lock: its phases, one after the other.

use std::collections::HashSet;

use super::attend::{Scene, Step};
use super::custody::Custodian;
use super::drift::{self, Drift};
use super::phase;
use super::pipeline::{self, Pipeline};
use super::restore::Restore;
use super::run::Plan;
use super::verdict::{self, Verdict};
use crate::child::Pumps;
use crate::clock::Clock;
use crate::error::Error;
use crate::lease::Last;
use crate::report::event::{Ended, Event, Level, RunPhase};

/// What a run does under its lock.
#[derive(Debug, Clone)]
pub struct Course {
    /// What comes first, when something must: `init`.
    pub init: Option<Step>,
    /// What was asked for.
    pub work: Work,
}

/// What a run was asked for.
#[derive(Debug, Clone)]
pub enum Work {
    /// One command.
    Command(Step),
    /// Plan, approval, apply of that plan.
    Pipeline(Box<Pipeline>),
    /// A look at what has changed outside Terraform.
    Drift(Box<Drift>),
    /// An earlier version of the state.
    Restore(Box<Restore>),
}

/// The phases of the run, one after the other. After anything but success the next one does not
/// start.
pub(super) async fn follow(
    plan: &Plan,
    previous: &[Last],
    scene: &mut Scene<'_>,
    custodian: &Custodian<'_>,
) -> (Result<Verdict, Error>, Option<Pumps>) {
    if let Err(error) = custodian.admit().await {
        return (Err(error), None);
    }
    if let Some(init) = &plan.course.init {
        // A single command is a phase of its own, and tells of itself.
        let phases = !matches!(plan.course.work, Work::Command(_));
        let begun = phases.then(|| scene.begin(RunPhase::Init));
        let attended = scene.attend(init).await;
        if let (Some(begun), Ok((ended, _))) = (begun, &attended) {
            scene.end(begun, phase::plain(*ended), Some(*ended));
        }
        match attended {
            Err(error) => return (Err(error), None),
            Ok((Ended::Code(0), _)) => {}
            Ok((ended, pumps)) => {
                // Cancelled in `init`: the requested command never ran, and the code says so.
                let result = match scene.stop.cancelled_by() {
                    Some(name) => Err(verdict::cancelled(name)),
                    None => Ok(verdict::of_child(ended, &scene.stop)),
                };
                return (result, Some(pumps));
            }
        }
    }
    // After `init`: before it Terraform does not know where the state is.
    if let Some(care) = &plan.state {
        let mut asked_after = HashSet::new();
        // One dead run may have held several of our locks.
        for last in previous.iter().filter(|last| asked_after.insert(&last.session)) {
            if let Some(event) = care.after_previous(last, scene.clock.now().wall).await {
                scene.reporter.emit(event);
            }
        }
    }
    match &plan.course.work {
        Work::Command(command) => run_command(command, scene, custodian).await,
        Work::Pipeline(work) => pipeline::run(work, scene, custodian).await,
        Work::Drift(work) => drift::run(work, plan, scene).await,
        Work::Restore(restore) => restore.run(plan, scene, custodian).await,
    }
}

/// The one command that was asked for.
async fn run_command(
    command: &Step,
    scene: &mut Scene<'_>,
    custodian: &Custodian<'_>,
) -> (Result<Verdict, Error>, Option<Pumps>) {
    let watch = custodian.watch(scene.keys.guardian.as_mut());
    match scene.attend(command).await {
        Err(error) => (Err(error), None),
        Ok((ended, pumps)) => {
            let mut verdict = verdict::of_command(command, ended, &scene.stop);
            verdict.counts = command.counts();
            custodian.settle(watch, ended, &mut verdict).await;
            scene.say_if_lost_in_vain(&verdict);
            (Ok(verdict), Some(pumps))
        }
    }
}

impl Scene<'_> {
    /// A lock was lost, and it did no harm that we know of.
    pub(super) fn say_if_lost_in_vain(&self, verdict: &Verdict) {
        if self.stop.lease_failed() && verdict.exit_code == 0 {
            let text = "the lease was lost or at risk, and the command succeeded all the same";
            self.emit(Event::say(Level::Warn, format!("{}: {text}", self.named)));
        }
    }
}
