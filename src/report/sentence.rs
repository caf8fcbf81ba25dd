//! What people are told of every event: what happened, to which lock, what to do next.

use std::time::Duration;

use jiff::Timestamp;

use super::event::{Ended, Event, HookEnd, HookReport, Party, SignalAction};
use super::human;
use super::wrap::whole;
use crate::escape;
use crate::lease::{Last, LockName, Mode, Outcome};

/// Holders that are named; the others are counted.
const NAMED: usize = 3;
/// A wait that nobody noticed is not worth a word.
const UNNOTICED: Duration = Duration::from_secs(1);

/// What the event says, a sentence a line, without control characters. What is never broken is
/// [`whole`].
pub(super) fn of(event: &Event, now: Timestamp) -> Vec<String> {
    let one = |text: String| vec![text];
    match event {
        Event::RunStarted { session, pid, command, .. } => one(format!(
            "about to run `{}` (tfguard {}, session {session}, pid {pid})",
            escape::line(command),
            env!("CARGO_PKG_VERSION")
        )),
        Event::LockWaiting { lock, position, holders, waited, estimate, .. } => {
            let expected =
                estimate.map_or(String::new(), |estimate| format!("; {}", human::estimate(estimate)));
            one(waiting(lock, *position, holders, *waited, now) + &expected)
        }
        Event::LockAcquired { lock, generation, inherited: true, .. } => one(format!(
            "running under lock {} of the tfguard that started this one (generation {generation})",
            name(lock)
        )),
        Event::LockAcquired { lock, store, generation, waited, mode, inherited: false, .. } => {
            let shared = if *mode == Mode::Shared { ", shared," } else { "" };
            let after = match *waited >= UNNOTICED {
                true => format!(" after {}", human::duration(*waited)),
                false => String::new(),
            };
            one(format!(
                "lock {}{shared} acquired{after} ({}, generation {generation})",
                name(lock),
                escape::field(store)
            ))
        }
        Event::PreviousRun { lock, last } => previous(lock, last, now),
        Event::LockRenewed { lock, beat } => one(format!("lock {} renewed (beat {beat})", name(lock))),
        Event::LockAtRisk { lock, silent, stop_in, cause } => {
            let next = match stop_in.is_zero() {
                true => "the command is being stopped".to_owned(),
                false => format!("unless one does, the command is stopped in {}", human::duration(*stop_in)),
            };
            let cause = cause.as_deref().map_or(String::new(), |cause| format!(" ({})", escape::line(cause)));
            one(format!(
                "no heartbeat of lock {} has reached the store for {}{cause}; {next}",
                name(lock),
                human::duration(*silent)
            ))
        }
        Event::LockLost { lock, cause } => {
            one(format!("lock {} is lost: {}; the command is being stopped", name(lock), escape::line(cause)))
        }
        Event::LockReleased { lock, held } => {
            one(format!("lock {} released after {}", name(lock), human::duration(*held)))
        }
        Event::ChildStarted { argv, pid } => one(format!("running `{}` (pid {pid})", command(argv))),
        Event::ChildExited { ended: Ended::Code(code), argv } => {
            one(format!("`{}` ended with exit code {code}", command(argv)))
        }
        Event::ChildExited { ended: Ended::Signal(number), argv } => {
            one(format!("`{}` was ended by {}", command(argv), human::signal(*number)))
        }
        Event::CredentialsExpiring { credentials, expires, stop } => {
            expiring(credentials, *expires, *stop, now)
        }
        Event::StateLockFreed { id, path, who, created } => one(format!(
            "freed Terraform's own lock on the state {} (ID {}), which {} took {} ago and left when it died",
            escape::line(path),
            escape::field(id),
            escape::field(who),
            human::since(*created, now)
        )),
        Event::Signal { name, action } => one(signal(name, *action)),
        Event::StateRescued { locks, path, trouble, command, fleeting, .. } => {
            rescued(locks, path, trouble.as_deref(), command, *fleeting)
        }
        Event::Document { name, .. } => one(format!("here is {name}")),
        Event::HookFinished(report) => hook_finished(report),
        Event::Diagnostic { summary, detail, .. } => {
            let lines = summary.lines().chain(detail.iter().flat_map(|detail| detail.lines()));
            lines.map(|line| escape::line(line).into_owned()).collect()
        }
        Event::PhaseBegan { phase } => one(format!("phase {} begins", phase.as_str())),
        Event::PhaseEnded { phase, result, code, took } => {
            let code = code.map_or(String::new(), |code| format!(" (exit code {code})"));
            let result = result.as_str().replace('_', " ");
            one(format!("phase {} ended after {}: {result}{code}", phase.as_str(), human::duration(*took)))
        }
        Event::Drift { drift } => {
            one(drift.as_ref().map_or_else(|| "no drift".to_owned(), super::drift::summary))
        }
        Event::RunSummary { outcome, exit_code, waited, held, .. } => {
            let held = held.map_or(String::new(), |held| format!(", held {}", human::duration(held)));
            let words = outcome.as_str().replace('_', " ");
            one(format!("{words}: exit code {exit_code}, waited {}{held}", human::duration(*waited)))
        }
    }
}

fn hook_finished(report: &HookReport) -> Vec<String> {
    let (hook, took) = (report.hook.as_str(), human::duration(report.took));
    let how = match &report.end {
        HookEnd::Code(0) => format!("is done after {took}"),
        HookEnd::Code(code) => format!("failed after {took} (exit code {code})"),
        HookEnd::Signal(number) => format!("was ended by {} after {took}", human::signal(*number)),
        HookEnd::TimedOut => format!("was killed after {took}: it took too long (--hook-timeout)"),
        HookEnd::Stopped => format!("was killed after {took}: the run is over"),
        HookEnd::NotStarted(why) => format!("could not be started: {}", escape::line(why)),
        HookEnd::NotRun => "was not run: the run was over before".to_owned(),
    };
    let mut sentences = vec![format!("hook {hook} ({}) {how}", escape::field(&report.program))];
    if report.omitted > 0 {
        sentences.push(format!("hook {hook}: … {} bytes before", report.omitted));
    }
    sentences.extend(report.output.iter().map(|line| format!("hook {hook}: {}", escape::line(line))));
    sentences
}

fn expiring(credentials: &str, expires: Timestamp, stop: Option<Timestamp>, now: Timestamp) -> Vec<String> {
    let credentials = escape::line(credentials);
    if expires <= now {
        return vec![
            format!(
                "the command's AWS credentials expired {} ago ({}): {credentials}",
                human::since(expires, now),
                human::time(expires, now)
            ),
            "its requests to AWS fail from now on, the writing of its state among them; should it leave an \
             errored.tfstate behind, keep it: `terraform state push errored.tfstate` pushes it"
                .to_owned(),
        ];
    }
    let left = human::duration(human::until(expires, now));
    let next = match stop {
        Some(stop) if stop <= now => "it is being stopped".to_owned(),
        Some(stop) => format!(
            "it is stopped gracefully in {}, while it can still write its state (--stop-before-expiry)",
            human::duration(human::until(stop, now))
        ),
        None => "it goes on; what is not done by then fails, the writing of its state included. Let the CI \
                 mint credentials that last longer, or give --stop-before-expiry"
            .to_owned(),
    };
    vec![format!(
        "the command's AWS credentials expire in {left} ({}): {credentials}; {next}",
        human::time(expires, now)
    )]
}

fn name(lock: &LockName) -> String {
    whole(&escape::bounded(lock.as_str(), 1024))
}

fn command(argv: &[String]) -> String {
    escape::line(&argv.join(" ")).into_owned()
}

fn waiting(lock: &LockName, position: usize, holders: &[Party], waited: Duration, now: Timestamp) -> String {
    let mut shown: Vec<String> = holders.iter().take(NAMED).map(|party| human::holder(party, now)).collect();
    if holders.len() > NAMED {
        shown.push(format!("{} more", holders.len() - NAMED));
    }
    let held = match shown.is_empty() {
        true => String::new(),
        false => format!("; held by {}", shown.join(" and by ")),
    };
    let so_far = match waited >= UNNOTICED {
        true => format!(", {} so far", human::duration(waited)),
        false => String::new(),
    };
    match position {
        0 => format!("lock {} looks abandoned, watching it{so_far}{held}", name(lock)),
        _ => format!("waiting for lock {}, position {position}{so_far}{held}", name(lock)),
    }
}

fn previous(lock: &LockName, last: &Last, now: Timestamp) -> Vec<String> {
    let run = last.run.map_or(String::new(), |run| format!(" {run}"));
    let code = last.exit_code.map_or(String::new(), |code| format!(" (exit code {code})"));
    let how = match last.outcome {
        Outcome::Released => format!("ended{code}"),
        Outcome::Crashed => format!("was killed before it could finish{code}"),
        Outcome::Expired => "stopped giving signs of life and never released the lock".to_owned(),
        Outcome::Forced => match &last.by {
            Some(by) => format!(
                "was removed by {} (\"{}\") while it held the lock",
                escape::field(&by.by),
                escape::field(&by.reason)
            ),
            None => "was removed by an operator while it held the lock".to_owned(),
        },
    };
    let first = format!(
        "the previous run{run} under lock {} {how}, {} ago: {}",
        name(lock),
        human::since(last.at, now),
        human::identity(&last.identity)
    );
    if last.outcome == Outcome::Released {
        return vec![first];
    }
    let check = "its changes may be half made: read its log, look for a state lock or an errored.tfstate that \
                 it left, and read the plan of this run with care";
    vec![first, check.to_owned()]
}

fn rescued(
    locks: &[LockName],
    path: &str,
    trouble: Option<&str>,
    command: &str,
    fleeting: bool,
) -> Vec<String> {
    let (path, command) = (whole(&escape::line(path)), whole(&escape::line(command)));
    let first = match trouble {
        None => format!("Terraform could not write the state; what it left is kept in {path}"),
        Some(trouble) => {
            format!(
                "Terraform could not write the state; what it left is still in {path}: {}",
                escape::line(trouble)
            )
        }
    };
    let mut sentences = vec![
        first,
        format!(
            "until it is pushed the backend does not know what this run changed, and {} recovery",
            match locks {
                [lock] => format!("lock {} needs", name(lock)),
                _ => format!("locks {} need", locks.iter().map(name).collect::<Vec<_>>().join(", ")),
            }
        ),
        format!("to push it: {command}"),
    ];
    if fleeting {
        sentences.push(
            "if this machine's files go away with the job, keep that file as a private artifact (a state holds \
             secrets, and some uploads leave hidden folders out), or give a --rescue-dir that stays"
                .to_owned(),
        );
    }
    sentences
}

fn signal(name: &str, action: SignalAction) -> String {
    match action {
        SignalAction::Passed => {
            format!("{name} received: the command was interrupted once and finishes what it has begun")
        }
        SignalAction::Swallowed => {
            format!(
                "{name} received: not passed on, the command is stopping already and a second signal could lose state"
            )
        }
        SignalAction::Cancelled => format!("{name} received: cancelled, nothing more is started"),
    }
}
