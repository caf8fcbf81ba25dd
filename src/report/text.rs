//! Events as lines for people, each starting with `tfguard: `.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::event::{Ended, Event, HookEnd, HookReport, Level, Party, SignalAction};
use super::human;
use crate::escape;
use crate::lease::{Last, LockName, Mode, Outcome};

/// What every line of ours starts with.
pub const PREFIX: &str = "tfguard: ";
/// Holders that are named; the others are counted.
const NAMED: usize = 3;
/// A wait that nobody noticed is not worth a word.
const UNNOTICED: Duration = Duration::from_secs(1);

/// The event's lines, each with its newline.
pub fn lines(event: &Event, now: Timestamp, colour: bool) -> String {
    let mut shown = String::new();
    for (index, sentence) in message(event, now).iter().enumerate() {
        let mark = if index == 0 { mark(event.level(), colour) } else { String::new() };
        // Writing into a String cannot fail.
        let _ = writeln!(shown, "{PREFIX}{mark}{sentence}");
    }
    shown
}

/// The lines of an error that ends the run, for when there is no reporter.
pub fn error_lines(error: &crate::error::Error, colour: bool) -> String {
    let event = Event::say(Level::Error, error.to_string());
    lines(&event, Timestamp::UNIX_EPOCH, colour)
}

fn mark(level: Level, colour: bool) -> String {
    let (word, colour_of) = match level {
        Level::Debug | Level::Info => return String::new(),
        Level::Warn => ("warning", AnsiColor::Yellow),
        Level::Error => ("error", AnsiColor::Red),
    };
    let style = if colour { Style::new().bold().fg_color(Some(colour_of.into())) } else { Style::new() };
    format!("{style}{word}:{style:#} ")
}

/// What the event says, a sentence a line, without control characters.
pub fn message(event: &Event, now: Timestamp) -> Vec<String> {
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
                true => "the child is being stopped".to_owned(),
                false => format!("unless one does, the child is stopped in {}", human::duration(*stop_in)),
            };
            let cause = cause.as_deref().map_or(String::new(), |cause| format!(" ({})", escape::line(cause)));
            one(format!(
                "no heartbeat of lock {} has reached the store for {}{cause}; {next}",
                name(lock),
                human::duration(*silent)
            ))
        }
        Event::LockLost { lock, cause } => {
            one(format!("lock {} is lost: {}; the child is being stopped", name(lock), escape::line(cause)))
        }
        Event::LockReleased { lock, held } => {
            one(format!("lock {} released after {}", name(lock), human::duration(*held)))
        }
        Event::ChildStarted { argv, pid } => one(format!("running `{}` (pid {pid})", command(argv))),
        Event::ChildExited { ended: Ended::Code(code), argv } => {
            one(format!("`{}` exited with code {code}", command(argv)))
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
            let code = code.map_or(String::new(), |code| format!(" with code {code}"));
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
    let took = human::duration(report.took);
    let how = match &report.end {
        HookEnd::Code(0) => format!("is done after {took}"),
        HookEnd::Code(code) => format!("failed with exit code {code} after {took}"),
        HookEnd::Signal(number) => format!("was ended by {} after {took}", human::signal(*number)),
        HookEnd::TimedOut => format!("was killed after {took}: it took too long (--hook-timeout)"),
        HookEnd::Stopped => format!("was killed after {took}: the run is over"),
        HookEnd::NotStarted(why) => format!("could not be started: {}", escape::line(why)),
        HookEnd::NotRun => "was not run: the run was over before".to_owned(),
    };
    let mut sentences =
        vec![format!("hook {} ({}) {how}", report.hook.as_str(), escape::field(&report.program))];
    if report.omitted > 0 {
        sentences.push(format!("hook {}: … {} bytes before", report.hook.as_str(), report.omitted));
    }
    let said = |line: &String| format!("hook {}: {}", report.hook.as_str(), escape::line(line));
    sentences.extend(report.output.iter().map(said));
    sentences
}

fn expiring(credentials: &str, expires: Timestamp, stop: Option<Timestamp>, now: Timestamp) -> Vec<String> {
    let credentials = escape::line(credentials);
    if expires <= now {
        return vec![
            format!(
                "the command's AWS credentials expired {} ago ({expires:.0}): {credentials}",
                human::since(expires, now)
            ),
            "its requests to AWS fail from now on, the writing of its state among them; should it leave an \
             errored.tfstate behind, keep it: it is pushed with `terraform state push errored.tfstate`"
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
    vec![format!("the command's AWS credentials expire in {left} ({expires:.0}): {credentials}; {next}")]
}

fn name(lock: &LockName) -> String {
    escape::bounded(lock.as_str(), 1024).into_owned()
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
    let code = last.exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
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
    let (path, command) = (escape::line(path), escape::line(command));
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
            format!("{name} received: the child was interrupted once and finishes what it has begun")
        }
        SignalAction::Swallowed => {
            format!(
                "{name} received: not passed on, the child is stopping already and a second signal could lose state"
            )
        }
        SignalAction::Cancelled => format!("{name} received: cancelled, nothing more is started"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{alice, at, every_event, hostile, last, prod};

    fn shown(event: &Event) -> String {
        lines(event, at(150), false)
    }

    #[test]
    fn each_event_as_people_read_it() {
        let all: String = every_event().iter().map(shown).collect();
        assert_eq!(
            all.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            "\
tfguard: about to run `terraform apply` (tfguard VERSION, session 01-s, pid 11)
tfguard: waiting for lock prod, position 2, 1m 1s so far; held by alice on ci-7 (https://ci/1), running `terraform apply`, for 2m; probably ours in 4m, in 9 of 10 cases within 9m (by 12 past runs)
tfguard: lock prod acquired (dynamodb table t, generation 42)
tfguard: warning: the previous run 7 under lock prod was killed before it could finish with exit code 1, 2m ago: alice on ci-7 (https://ci/1), running `terraform apply`
tfguard: its changes may be half made: read its log, look for a state lock or an errored.tfstate that it left, and read the plan of this run with care
tfguard: lock prod renewed (beat 5)
tfguard: warning: no heartbeat of lock prod has reached the store for 1m (timed out); unless one does, the child is stopped in 30s
tfguard: error: lock prod is lost: revoked; the child is being stopped
tfguard: lock prod released after 2m 3s
tfguard: running `terraform apply` (pid 12)
tfguard: `terraform apply` exited with code 2
tfguard: `terraform apply` was ended by SIGKILL
tfguard: warning: the command's AWS credentials expire in 10m (1970-01-01T00:12:30Z): the session in AWS_SESSION_TOKEN; it is being stopped
tfguard: SIGINT received: the child was interrupted once and finishes what it has begun
tfguard: SIGTERM received: not passed on, the child is stopping already and a second signal could lose state
tfguard: SIGHUP received: cancelled, nothing more is started
tfguard: error: broken
tfguard: here is backend.tf
tfguard: error: Terraform could not write the state; what it left is kept in /srv/.tfguard/rescue/errored-1.tfstate
tfguard: until it is pushed the backend does not know what this run changed, and lock prod needs recovery
tfguard: to push it: tfguard exec -- terraform state push /srv/.tfguard/rescue/errored-1.tfstate
tfguard: if this machine's files go away with the job, keep that file as a private artifact (a state holds secrets, and some uploads leave hidden folders out), or give a --rescue-dir that stays
tfguard: warning: freed Terraform's own lock on the state s3://states/prod.tfstate (ID 6f1c9a5e-2b1d), which runner@ci-7 took 2m ago and left when it died
tfguard: not acquired: exit code 75, waited 1s, held 2s
tfguard: phase plan begins
tfguard: phase plan ended after 3s: no changes
tfguard: phase apply ended after 3s: failed with code 1
tfguard: no drift
tfguard: warning: hook released (/srv/notify.sh) failed with exit code 22 after 1s
tfguard: hook released: … 512 bytes before
tfguard: hook released: curl: (22) The requested URL returned error: 404
"
        );
    }

    #[test]
    fn variants_of_waiting_and_getting() {
        let acquired = |mode, inherited, waited| Event::LockAcquired {
            lock: prod(),
            session: "s".into(),
            store: "files in /x".into(),
            generation: 3,
            waited: Duration::from_secs(waited),
            mode,
            inherited,
        };
        assert_eq!(
            shown(&acquired(Mode::Shared, false, 72)),
            "tfguard: lock prod, shared, acquired after 1m 12s (files in /x, generation 3)\n"
        );
        assert_eq!(
            shown(&acquired(Mode::Exclusive, true, 0)),
            "tfguard: running under lock prod of the tfguard that started this one (generation 3)\n"
        );
        let observing = Event::LockWaiting {
            lock: prod(),
            session: "s".into(),
            position: 0,
            holders: Vec::new(),
            waited: Duration::ZERO,
            estimate: None,
            news: true,
        };
        assert_eq!(shown(&observing), "tfguard: lock prod looks abandoned, watching it\n");
    }

    #[test]
    fn an_operators_hand_is_named() {
        let forced = shown(&Event::PreviousRun { lock: prod(), last: last(Outcome::Forced, alice()) });
        assert!(
            forced.contains("was removed by alice (\"alice\") while it held the lock, 2m ago"),
            "{forced}"
        );
        let expired = shown(&Event::PreviousRun { lock: prod(), last: last(Outcome::Expired, alice()) });
        assert!(expired.contains("stopped giving signs of life"), "{expired}");
    }

    #[test]
    fn a_hostile_record_cannot_make_a_line_of_its_own() {
        for event in hostile() {
            let shown = shown(&event);
            assert!(shown.ends_with('\n'));
            for line in shown.lines() {
                assert!(line.starts_with(PREFIX), "{line:?}");
                assert!(!line.contains(escape::is_unsafe), "{line:?}");
                assert!(!line.contains("##"), "{line:?}");
            }
        }
    }

    #[test]
    fn colour_is_for_the_mark_alone() {
        let event = Event::say(Level::Warn, "mind the gap");
        assert_eq!(
            lines(&event, at(0), true),
            "tfguard: \u{1b}[1m\u{1b}[33mwarning:\u{1b}[0m mind the gap\n"
        );
        let info = Event::say(Level::Info, "fine");
        assert_eq!(lines(&info, at(0), true), "tfguard: fine\n");
    }

    #[test]
    fn an_error_of_several_lines_is_ours_on_each() {
        let error = crate::error::Error::Usage("wrong\n\nUsage: tfguard".into());
        assert_eq!(error_lines(&error, false), "tfguard: error: wrong\ntfguard: \ntfguard: Usage: tfguard\n");
    }
}
