//! Events for the tests of both forms, and every look that a text has to be tried at.

use std::time::Duration;

use jiff::Timestamp;

use super::Look;
use super::event::{
    Ended, Event, Hook, HookEnd, HookReport, Level, Party, PhaseResult, RunOutcome, RunPhase, Served,
    SignalAction,
};
use crate::history::{Estimate, Span};
use crate::lease::{Activity, Counts, Identity, Intervention, Last, LockName, Mode, Outcome, Phase};
use crate::terraform::drift::{Action, Change, Drift, Drifted, Shown};

/// What `render` makes of a text for a file, and for terminals of 80 and 120 columns without and with
/// colour: one text for one snapshot. Escape characters are shown as `␛`; what is as it was in the part
/// before is left out.
pub(crate) fn at_every_look(render: impl Fn(Look) -> String) -> String {
    let look = |width, colour| Look { width, colour };
    let looks = [
        ("no terminal", Look::PLAIN),
        ("80 columns", look(Some(80), false)),
        ("120 columns", look(Some(120), false)),
        ("80 columns, colour", look(Some(80), true)),
        ("120 columns, colour", look(Some(120), true)),
    ];
    let mut shown = String::new();
    let mut known: Vec<(String, &str)> = Vec::new();
    for (title, look) in looks {
        let text = render(look).replace('\u{1b}', "␛");
        let same = known.iter().find(|(other, _)| *other == text).map(|(_, title)| *title);
        let body = same.map_or_else(|| text.clone(), |title| format!("(as with {title})\n"));
        shown.push_str(&format!("== {title}\n{body}\n"));
        known.push((text, title));
    }
    shown
}

/// Names every variant of [`Event`]: one that is new does not compile until it stands here, and
/// [`every_variant_has_an_example`] fails until it is in [`every_event`].
macro_rules! variants {
    ($($name:ident)*) => {
        const VARIANTS: &[&str] = &[$(stringify!($name)),*];

        fn variant(event: &Event) -> &'static str {
            match event {
                $(Event::$name { .. } => stringify!($name),)*
            }
        }
    };
}

variants! {
    RunStarted LockWaiting LockAcquired PreviousRun LockRenewed LockAtRisk LockLost LockReleased ChildStarted
    ChildExited CredentialsExpiring Signal StateRescued StateLockFreed Document PhaseBegan PhaseEnded Drift
    HookFinished Diagnostic RunSummary
}

#[test]
fn every_variant_has_an_example() {
    let shown: Vec<&str> = every_event().iter().map(variant).collect();
    let missing: Vec<&&str> = VARIANTS.iter().filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, [""; 0].iter().collect::<Vec<_>>());
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn alice() -> Identity {
    Identity {
        actor: Some("alice".into()),
        host: Some("ci-7".into()),
        url: Some("https://ci/1".into()),
        command: Some("terraform apply".into()),
        ..Identity::default()
    }
}

/// Everything that a log or a terminal could be attacked with, in every field.
pub(crate) fn mallory() -> Identity {
    let evil = || Some("x\n::error::pwned\r\u{1b}[2J\u{9b}\u{202e}##[error]\u{2028}".to_owned());
    Identity {
        actor: evil(),
        user: evil(),
        host: evil(),
        pid: None,
        url: evil(),
        repository: evil(),
        commit: evil(),
        change: evil(),
        command: evil(),
        reason: evil(),
    }
}

pub(crate) fn prod() -> LockName {
    LockName::new("prod").unwrap()
}

fn party(identity: Identity) -> Party {
    let phase = identity.actor.clone().filter(|actor| actor != "alice");
    Party {
        session: "s1".into(),
        mode: Mode::Exclusive,
        phase: Some(Phase::Active),
        since: at(30),
        activity: phase.map(|phase| Activity { phase, since: 90 }),
        identity,
    }
}

pub(crate) fn last(outcome: Outcome, identity: Identity) -> Last {
    let text = identity.actor.clone().unwrap_or_default();
    Last {
        run: Some(7),
        session: text.clone(),
        outcome,
        exit_code: Some(1),
        granted_at: None,
        at: at(30),
        by: Some(Intervention { by: text.clone(), reason: text, at: at(30) }),
        acknowledged: false,
        identity,
    }
}

fn argv() -> Vec<String> {
    vec!["terraform".into(), "apply".into()]
}

pub(crate) fn every_event() -> Vec<Event> {
    let lock = prod;
    let seconds = Duration::from_secs;
    vec![
        Event::RunStarted {
            session: "01-s".into(),
            pid: 11,
            locks: vec![lock(), LockName::new("staging").unwrap()],
            command: "terraform apply".into(),
        },
        Event::LockWaiting {
            lock: lock(),
            session: "01-s".into(),
            position: 2,
            holders: vec![party(alice())],
            waited: Duration::from_millis(61_500),
            estimate: Some(Estimate {
                until: Some(Span { median: seconds(240), p90: seconds(540) }),
                runs: 12,
            }),
            news: true,
        },
        Event::LockAcquired {
            lock: lock(),
            session: "01-s".into(),
            store: "dynamodb table t".into(),
            generation: 42,
            waited: Duration::ZERO,
            mode: Mode::Exclusive,
            inherited: false,
        },
        Event::PreviousRun { lock: lock(), last: last(Outcome::Crashed, alice()) },
        Event::LockRenewed { lock: lock(), beat: 5 },
        Event::LockAtRisk {
            lock: lock(),
            silent: seconds(60),
            stop_in: seconds(30),
            cause: Some("timed out".into()),
        },
        Event::LockLost { lock: lock(), cause: "revoked".into() },
        Event::LockReleased { lock: lock(), held: seconds(123) },
        Event::ChildStarted { argv: argv(), pid: 12 },
        Event::ChildExited { ended: Ended::Code(2), argv: argv() },
        Event::ChildExited { ended: Ended::Signal(9), argv: argv() },
        Event::CredentialsExpiring {
            credentials: "the session in AWS_SESSION_TOKEN".into(),
            expires: at(750),
            stop: Some(at(150)),
        },
        Event::Signal { name: "SIGINT", action: SignalAction::Passed },
        Event::Signal { name: "SIGTERM", action: SignalAction::Swallowed },
        Event::Signal { name: "SIGHUP", action: SignalAction::Cancelled },
        Event::Diagnostic {
            level: Level::Warn,
            summary: "lock prod: odd".into(),
            detail: Some("look here\nand there".into()),
        },
        Event::say(Level::Error, "broken"),
        Event::Document { name: "backend.tf", content: "terraform {\n}\n".into() },
        Event::StateRescued {
            locks: vec![lock()],
            run: Some(7),
            path: "/srv/.tfguard/rescue/errored-1.tfstate".into(),
            trouble: None,
            command: "tfguard exec -- terraform state push /srv/.tfguard/rescue/errored-1.tfstate".into(),
            fleeting: true,
        },
        Event::StateLockFreed {
            id: "6f1c9a5e-2b1d".into(),
            path: "s3://states/prod.tfstate".into(),
            who: "runner@ci-7".into(),
            created: at(30),
        },
        Event::RunSummary {
            session: Some("01-s".into()),
            locks: vec![Served { lock: lock(), generation: Some(42), held: Some(seconds(2)) }],
            outcome: RunOutcome::NotAcquired,
            exit_code: 75,
            waited: seconds(1),
            held: Some(seconds(2)),
            changes: Some(Counts { add: 1, ..Counts::default() }),
        },
        Event::PhaseBegan { phase: RunPhase::Plan },
        Event::PhaseEnded {
            phase: RunPhase::Plan,
            result: PhaseResult::NoChanges,
            code: None,
            took: seconds(3),
        },
        Event::PhaseEnded {
            phase: RunPhase::Apply,
            result: PhaseResult::Failed,
            code: Some(1),
            took: seconds(3),
        },
        Event::Drift { drift: None },
        Event::HookFinished(HookReport {
            hook: Hook::Released,
            lock: lock(),
            program: "/srv/notify.sh".into(),
            end: HookEnd::Code(22),
            took: seconds(1),
            output: vec!["curl: (22) The requested URL returned error: 404".into()],
            omitted: 512,
        }),
    ]
}

/// Events in which all that others wrote is hostile.
pub(crate) fn hostile() -> Vec<Event> {
    let text = mallory().actor.unwrap_or_default();
    let mut events = vec![
        Event::LockWaiting {
            // A name has no control characters, and may have these.
            lock: LockName::new("a\u{202e}b\u{2028}c").unwrap(),
            session: "01-s".into(),
            position: 0,
            holders: vec![Party { session: text.clone(), ..party(mallory()) }; 5],
            waited: Duration::ZERO,
            estimate: None,
            news: true,
        },
        Event::LockAtRisk {
            lock: prod(),
            silent: Duration::ZERO,
            stop_in: Duration::ZERO,
            cause: Some(text.clone()),
        },
        Event::LockLost { lock: prod(), cause: text.clone() },
        Event::RunStarted { session: "01-s".into(), pid: 1, locks: vec![prod()], command: text.clone() },
        Event::ChildStarted { argv: vec![text.clone()], pid: 1 },
        Event::StateRescued {
            locks: vec![prod()],
            run: None,
            path: text.clone(),
            trouble: Some(text.clone()),
            command: text.clone(),
            fleeting: false,
        },
        Event::Drift { drift: Some(hostile_drift(&text)) },
        Event::CredentialsExpiring { credentials: text.clone(), expires: at(9999), stop: None },
        Event::CredentialsExpiring { credentials: text.clone(), expires: at(0), stop: None },
        Event::Document { name: "backend.tf", content: text.clone() },
        Event::HookFinished(HookReport {
            hook: Hook::Waiting,
            lock: prod(),
            program: text.clone(),
            end: HookEnd::NotStarted(text.clone()),
            took: Duration::ZERO,
            output: vec![text.clone()],
            omitted: 0,
        }),
        Event::Diagnostic { level: Level::Info, summary: text.clone(), detail: Some(text) },
    ];
    for outcome in [Outcome::Released, Outcome::Crashed, Outcome::Expired, Outcome::Forced] {
        events.push(Event::PreviousRun { lock: prod(), last: last(outcome, mallory()) });
    }
    events
}

fn hostile_drift(text: &str) -> Drift {
    let value = || Shown::Value(text.into());
    let change = Change { path: text.into(), before: value(), after: value() };
    let drifted = Drifted { address: text.into(), action: Action::Updated, changes: vec![change] };
    Drift { resources: vec![drifted.clone()], outputs: vec![drifted] }
}
