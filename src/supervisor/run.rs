//! A whole run, from asking for the lock to its release.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::acquire::Waiting;
use super::attend::{Hold, Scene};
use super::chronicle::Chronicle;
use super::course;
use super::custody::{Custodian, Custody, Footing};
use super::depart;
use super::stop::{Happening, Limits, Stop};
use super::verdict::Verdict;
use crate::child::{Arrival, HoldTheLine, Pumps, become_subreaper};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook, Watch};
use crate::error::Error;
use crate::guardian::{Guardian, Setting, Token};
use crate::lease::session::Wait;
use crate::lease::transition::{Candidate, Ending};
use crate::lease::{Instant, Last, Legacy, LockName};
use crate::lock;
use crate::report::Outlet;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::state_lock::Care;
use crate::store::Store;

pub use super::attend::Step;
pub use super::course::{Course, Work};

/// Everything that a run is made of.
pub struct Plan {
    /// The lock.
    pub name: LockName,
    /// Where it lives.
    pub store: Arc<dyn Store>,
    /// The options that name lock and store, for advice.
    pub options: String,
    /// Who asks for it, and how.
    pub candidate: Candidate,
    /// How long to wait for it.
    pub wait: Wait,
    /// When to stop.
    pub limits: Limits,
    /// The credentials that the commands will use, and what is asked of them.
    pub credentials: (Demands, Outlook),
    /// What is done under it.
    pub course: Course,
    /// The lock is held by our ancestor: run under it.
    pub inherited: Option<Footing>,
    /// What is done for the state besides.
    pub custody: Custody,
    /// When tfguard was started.
    pub started: Instant,
    /// Seed for what is random.
    pub seed: u64,
    /// How to look after Terraform's own state lock, where it has one that outlives it.
    pub state: Option<Care>,
    /// What a guardian needs to know; `None`: the run has none.
    pub guardian: Option<Setting>,
    /// The right to send the one SIGINT.
    pub token: Token,
}

/// What a run came to, for the summary and the process's end.
#[derive(Debug)]
pub struct Report {
    /// The child's end or the error that came instead.
    pub result: Result<Verdict, Error>,
    /// The fencing token, when the lock was ours.
    pub generation: Option<u64>,
    /// How long we waited for the lock.
    pub waited: Duration,
    /// How long we held it.
    pub held: Option<Duration>,
    /// The child's last output, which may be on its way to a slow reader still.
    pub pumps: Option<Pumps>,
    /// The signals that arrive from here on.
    pub arrivals: Option<UnboundedReceiver<Arrival>>,
}

impl Report {
    /// Nothing was run and nothing was held.
    pub fn failed(error: Error, waited: Duration) -> Self {
        Self { result: Err(error), generation: None, waited, held: None, pumps: None, arrivals: None }
    }

    /// Our own exit code.
    pub fn exit_code(&self) -> u8 {
        match &self.result {
            Ok(verdict) => verdict.exit_code,
            Err(error) => error.exit_code(),
        }
    }

    /// The word in `run_summary`.
    pub fn outcome(&self) -> &'static str {
        word(&self.result)
    }
}

fn word(result: &Result<Verdict, Error>) -> &'static str {
    match result {
        Ok(verdict) => verdict.outcome,
        Err(Error::Cancelled { .. }) => "cancelled",
        Err(Error::Lost(_)) => "lost",
        Err(Error::NotAcquired(_)) => "not_acquired",
        Err(Error::Refused(_)) => "refused",
        Err(_) => "failed",
    }
}

/// Runs `plan`. The lock is released, or known to be out of reach, when this returns.
pub async fn run(
    plan: &Plan,
    mut arrivals: UnboundedReceiver<Arrival>,
    clock: SystemClock,
    reporter: &Reporter,
    outlet: &Outlet,
) -> Report {
    if let Err(error) = become_subreaper() {
        let text = format!("the system does not let us adopt what the command leaves behind: {error}");
        reporter.emit(Event::say(Level::Warn, text));
    }
    let (hold, previous, footing) = match plan.inherited.clone() {
        Some(footing) => (None, None, footing),
        None => match acquire(plan, &mut arrivals, clock, reporter).await {
            Ok((hold, previous, legacy)) => {
                let own = hold.tenure.own.clone();
                (Some(hold), previous, Footing { own, legacy })
            }
            Err(error) => {
                return Report::failed(error, clock.mono().since(plan.started));
            }
        },
    };
    let generation = footing.own.generation;
    let acquired_at = clock.mono();
    let waited = acquired_at.since(plan.started);
    reporter.emit(Event::LockAcquired {
        lock: plan.name.clone(),
        session: plan.candidate.session.clone(),
        store: plan.store.describe(),
        generation,
        waited,
        mode: plan.candidate.mode,
        inherited: plan.inherited.is_some(),
    });
    // From here on a stopped supervisor would lose its lease while its child goes on.
    let _line = HoldTheLine::new();
    let mut stop = Stop::new(plan.limits);
    if let Some(hold) = &hold {
        stop.note(Happening::Lease(hold.tenure.deadlines()), acquired_at);
    }
    let (demands, outlook) = plan.credentials.clone();
    let guardian = hold.as_ref().and_then(|hold| post(plan, hold, reporter));
    let mut scene = Scene {
        name: &plan.name,
        store: plan.store.clone(),
        hold,
        stop,
        arrivals,
        clock,
        reporter,
        outlet,
        env: environment(plan, generation),
        guardian,
        token: &plan.token,
        credentials: Watch::new(demands, outlook),
    };
    let from = clock.now().wall;
    let custodian = Custodian { plan, footing: &footing, clock, reporter };
    let (result, pumps) = course::follow(plan, previous.as_ref(), &mut scene, &custodian).await;
    if let (Some(care), Ok(verdict)) = (&plan.state, &result)
        && care.may_have_left(verdict.ending.exit_code)
        && let Some(event) = care.after_own(from, clock.now().wall).await
    {
        reporter.emit(event);
    }
    let ending = match &result {
        Ok(verdict) => verdict.ending.clone(),
        Err(_) => Ending::NOTHING_RAN,
    };
    if let Some(hold) = &mut scene.hold {
        let leave = depart::Leave { name: &plan.name, options: &plan.options, acquired_at, clock, reporter };
        if leave.release(&mut hold.lock, ending.clone(), &hold.tenure).await {
            let held = clock.mono().since(acquired_at);
            custodian.mark(ending.rescued.as_deref()).await;
            let chronicle = Chronicle {
                identity: &plan.candidate.identity,
                began: from,
                waited,
                result: word(&result),
                ending: &ending,
                counts: None,
                reporter,
            };
            let (store, own) = (plan.store.as_ref(), &hold.tenure.own);
            chronicle.write(store, &plan.name, own, hold.lost.as_ref(), held).await;
        }
    }
    if let Some(guardian) = scene.guardian.take() {
        if scene.hold.is_some() {
            guardian.dismiss();
        } else {
            // Nobody here can release any more. Left without a word, it takes over.
            drop(guardian);
        }
    }
    let held = plan.inherited.is_none().then(|| clock.mono().since(acquired_at));
    let arrivals = Some(scene.arrivals);
    Report { result, generation: Some(generation), waited, held, pumps, arrivals }
}

async fn acquire(
    plan: &Plan,
    arrivals: &mut UnboundedReceiver<Arrival>,
    clock: SystemClock,
    reporter: &Reporter,
) -> Result<(Hold, Option<Last>, Legacy), Error> {
    let store = plan.store.describe();
    let mut lock = lock::start(
        plan.candidate.clone(),
        plan.wait,
        plan.name.clone(),
        plan.store.clone(),
        clock,
        plan.seed,
    );
    let waiting = Waiting {
        name: &plan.name,
        session: &plan.candidate.session,
        store: &store,
        options: &plan.options,
        clock,
        reporter,
        started: plan.started,
        deadline: plan.limits.deadline,
        wait: plan.wait,
    };
    let (tenure, previous, legacy) = waiting.acquire(&mut lock, arrivals).await?;
    Ok((Hold { lock, tenure, trouble: None, lost: None, revived: 0 }, previous, legacy))
}

/// Posts the guardian. A run without one is a run all the same, and says so.
fn post(plan: &Plan, hold: &Hold, reporter: &Reporter) -> Option<Guardian> {
    let setting = plan.guardian.clone()?;
    match Guardian::post(setting, &hold.tenure, &plan.token) {
        Ok(guardian) => Some(guardian),
        Err(error) => {
            let text = format!(
                "no guardian could be started ({error}): if tfguard itself is killed, lock {} stays until its lease ends",
                plan.name
            );
            reporter.emit(Event::say(Level::Warn, text));
            None
        }
    }
}

fn environment(plan: &Plan, generation: u64) -> Vec<(OsString, OsString)> {
    if plan.inherited.is_some() {
        // What the ancestor set is true for our child as well.
        return Vec::new();
    }
    vec![
        ("TFGUARD".into(), "1".into()),
        ("TFGUARD_LOCK_NAME".into(), plan.name.as_str().into()),
        ("TFGUARD_GENERATION".into(), generation.to_string().into()),
        ("TFGUARD_SESSION".into(), plan.candidate.session.clone().into()),
    ]
}
