//! A whole run, from asking for the locks to their release.

use std::cell::Cell;
use std::ffi::OsString;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{Instrument, debug_span};

use super::acquire::Waiting;
use super::attend::Scene;
use super::chronicle::Chronicle;
use super::course;
use super::custody::{Custodian, Custody, Footing};
use super::keyring::{Keyring, named};
use super::stop::{Happening, Limits, Stop};
use super::verdict::Verdict;
use crate::child::{Arrival, Pid, Pumps, become_subreaper};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook, Watch};
use crate::error::Error;
use crate::guardian::{Setting, Token};
use crate::lease::session::Wait;
use crate::lease::transition::{Candidate, Ending};
use crate::lease::{Instant, Last, LockName};
use crate::report::Outlet;
use crate::report::Reporter;
use crate::report::event::{Event, Level, RunOutcome, Served};
use crate::state_lock::Care;

pub use super::acquire::Need;
pub use super::attend::{Output, Step};
pub use super::course::{Course, Work};
pub use super::drift::Drift;
pub use super::pipeline::Pipeline;
pub use super::restore::Restore;

/// Everything that a run is made of.
pub struct Plan {
    /// The locks, one at least, in the order in which they are taken.
    pub needs: Vec<Need>,
    /// Who asks for them, and how.
    pub candidate: Candidate,
    /// How long to wait for all of them together.
    pub wait: Wait,
    /// When to stop.
    pub limits: Limits,
    /// The credentials that the commands will use, and what is asked of them.
    pub credentials: (Demands, Outlook),
    /// What is done under them.
    pub course: Course,
    /// The sessions of the tfguards around us, outermost first.
    pub around: Vec<String>,
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
    /// The process that hooks run under, where there are any: nothing of a child's.
    pub keeper: Option<Pid>,
    /// The right to send the one SIGINT.
    pub token: Token,
}

impl Plan {
    /// The locks, for people: `lock a`, or `locks a, b`.
    pub fn named(&self) -> String {
        named(&self.names().collect::<Vec<_>>())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &LockName> {
        self.needs.iter().map(|need| &need.name)
    }

    /// Whether all of them are our ancestor's.
    pub fn inherits_all(&self) -> bool {
        self.needs.iter().all(|need| need.inherited.is_some())
    }
}

/// What a run came to, for the summary and the process's end.
#[derive(Debug)]
pub struct Report {
    /// The child's end or the error that came instead.
    pub result: Result<Verdict, Error>,
    /// What became of the locks that we came to ask for.
    pub locks: Vec<Served>,
    /// How long we waited for the locks.
    pub waited: Duration,
    /// How long we held all of them.
    pub held: Option<Duration>,
    /// The child's last output, which may be on its way to a slow reader still.
    pub pumps: Option<Pumps>,
    /// The signals that arrive from here on.
    pub arrivals: Option<UnboundedReceiver<Arrival>>,
}

impl Report {
    /// Nothing was run and nothing was held.
    pub fn failed(error: Error, waited: Duration) -> Self {
        Self { result: Err(error), locks: Vec::new(), waited, held: None, pumps: None, arrivals: None }
    }

    /// Our own exit code.
    pub fn exit_code(&self) -> u8 {
        match &self.result {
            Ok(verdict) => verdict.exit_code,
            Err(error) => error.exit_code(),
        }
    }

    /// The word in `run_summary`.
    pub fn outcome(&self) -> RunOutcome {
        word(&self.result)
    }
}

fn word(result: &Result<Verdict, Error>) -> RunOutcome {
    match result {
        Ok(verdict) => verdict.outcome,
        Err(Error::Cancelled { .. } | Error::Deadline(_)) => RunOutcome::Cancelled,
        Err(Error::Lost(_)) => RunOutcome::Lost,
        Err(Error::NotAcquired(_)) => RunOutcome::NotAcquired,
        Err(Error::Refused(_)) => RunOutcome::Refused,
        Err(_) => RunOutcome::Failed,
    }
}

/// Runs `plan`. The locks are released, or known to be out of reach, when this returns.
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
    let mut keys = Keyring::new(clock, reporter);
    let waiting = Waiting { plan, clock, reporter, since: clock.mono(), told: Cell::new(false) };
    let found = match waiting.acquire(&mut keys, &mut arrivals).await {
        Ok(found) => found,
        Err(error) => {
            // All or nothing.
            let (ending, waited) = (Ending::NOTHING_RAN, clock.mono().since(plan.started));
            let released = keys.release(&ending).await;
            keys.close().await;
            let (locks, began) = (served(plan, &[], &keys), clock.now().wall);
            let report = Report { locks, arrivals: Some(arrivals), ..Report::failed(error, waited) };
            let (identity, result) = (&plan.candidate.identity, report.outcome().as_str());
            let chronicle =
                Chronicle { identity, began, waited, result, ending: &ending, counts: None, reporter };
            write_down(&chronicle, &keys, &released).await;
            return report;
        }
    };
    let acquired_at = clock.mono();
    let waited = acquired_at.since(plan.started);
    keys.hold_the_line();
    let mut stop = Stop::new(plan.limits);
    if let Some(deadlines) = keys.deadlines() {
        stop.note(Happening::Lease(deadlines), acquired_at);
    }
    let (demands, outlook) = plan.credentials.clone();
    let footings: Vec<Footing> = found.iter().map(|found| found.footing.clone()).collect();
    let previous: Vec<Last> = found.into_iter().filter_map(|found| found.previous).collect();
    let mut scene = Scene {
        named: plan.named(),
        keys,
        session: (!plan.inherits_all()).then_some(plan.candidate.session.as_str()),
        stop,
        arrivals,
        clock,
        reporter,
        outlet,
        keeper: plan.keeper,
        env: environment(plan, &footings),
        token: &plan.token,
        feed: None,
        credentials: Watch::new(demands, outlook),
    };
    let from = clock.now().wall;
    let custodian = Custodian { plan, footings: &footings, clock, reporter };
    let (result, pumps) = course::follow(plan, &previous, &mut scene, &custodian).await;
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
    let released = scene.keys.release(&ending).instrument(debug_span!("release")).await;
    for need in &released {
        custodian.mark(*need, ending.rescued.as_deref()).await;
    }
    let chronicle = Chronicle {
        identity: &plan.candidate.identity,
        began: from,
        waited,
        result: word(&result).as_str(),
        ending: &ending,
        counts: result.as_ref().ok().and_then(|verdict| verdict.counts),
        reporter,
    };
    write_down(&chronicle, &scene.keys, &released).await;
    scene.keys.close().await;
    let held = scene.keys.any().then(|| clock.mono().since(acquired_at));
    let locks = served(plan, &footings, &scene.keys);
    Report { result, locks, waited, held, pumps, arrivals: Some(scene.arrivals) }
}

/// Writes the run down in the history of every lock that it held and is out of.
async fn write_down(chronicle: &Chronicle<'_>, keys: &Keyring<'_>, released: &[usize]) {
    for hold in keys.holds.iter().filter(|hold| released.contains(&hold.need)) {
        let held = hold.held.unwrap_or_default();
        chronicle.write(hold.store.as_ref(), &hold.name, &hold.tenure.own, hold.lost.as_ref(), held).await;
    }
}

/// What became of each lock. Without `footings` not all of them were ours: those that were are in
/// `keys`.
fn served(plan: &Plan, footings: &[Footing], keys: &Keyring<'_>) -> Vec<Served> {
    let one = |(place, need): (usize, &Need)| {
        let hold = keys.holds.iter().find(|hold| hold.need == place);
        let own = footings.get(place).map(|footing| &footing.own).or(hold.map(|hold| &hold.tenure.own));
        Served {
            lock: need.name.clone(),
            generation: own.map(|own| own.generation),
            held: hold.and_then(|hold| hold.held),
        }
    };
    plan.needs.iter().enumerate().map(one).collect()
}

fn environment(plan: &Plan, footings: &[Footing]) -> Vec<(OsString, OsString)> {
    if plan.inherits_all() {
        // What the ancestor set is true for our child as well.
        return Vec::new();
    }
    let names: Vec<&str> = plan.names().map(LockName::as_str).collect();
    let generations: Vec<String> =
        footings.iter().map(|footing| footing.own.generation.to_string()).collect();
    let mut sessions = plan.around.clone();
    sessions.push(plan.candidate.session.clone());
    vec![
        ("TFGUARD".into(), "1".into()),
        ("TFGUARD_LOCK_NAME".into(), names.join(",").into()),
        ("TFGUARD_GENERATION".into(), generations.join(",").into()),
        ("TFGUARD_SESSION".into(), sessions.join(",").into()),
    ]
}
