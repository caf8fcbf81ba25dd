//! Locks for the tests of text, tables and screens.

use jiff::Timestamp;

use crate::lease::{
    Activity, Applied, Holder, Identity, Intervention, Last, Mode, Outcome, Phase, Record, Rescued, Waiter,
};
use crate::report::testing::at;

/// The instant at which everything is looked at: 1970-01-01 01:00:00.
pub(crate) const NOW: i64 = 3600;

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn person(actor: &str, host: &str) -> Identity {
    Identity { actor: Some(actor.into()), host: Some(host.into()), ..Identity::default() }
}

pub(crate) fn alice() -> Identity {
    Identity {
        url: Some("https://github.com/acme/infra/actions/runs/4711".into()),
        change: Some("#12".into()),
        command: Some("terraform apply -input=false -auto-approve".into()),
        ..person("alice", "runner-7")
    }
}

pub(crate) fn bob() -> Identity {
    Identity {
        url: Some("https://gitlab.example.com/acme/network/-/jobs/92".into()),
        change: Some("!12".into()),
        command: Some("terraform apply".into()),
        ..person("bob", "gl-3")
    }
}

pub(crate) fn holder(identity: Identity, since: i64) -> Holder {
    Holder {
        session: "01a1fc70-c8ee-73b7-87cb-204fcac11fa0".into(),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 3,
        lease_ms: 180_000,
        generation: 100,
        run: Some(128),
        changes: true,
        revoked: None,
        asked_at: at(since - 5),
        granted_at: at(since),
        renewed_at: at(NOW - 12),
        activity: None,
        identity,
    }
}

pub(crate) fn waiter(identity: Identity, since: i64) -> Waiter {
    Waiter {
        session: "01a1fc70-d4a6-7065-94e7-6b879bcc9a88".into(),
        mode: Mode::Exclusive,
        lease_ms: 180_000,
        asked_at: at(since),
        identity,
    }
}

pub(crate) fn last(identity: Identity, outcome: Outcome, code: i32, from: i64, to: i64) -> Last {
    Last {
        run: Some(127),
        session: "01a1fc70-0000-7065-94e7-6b879bcc9a88".into(),
        outcome,
        exit_code: Some(code),
        granted_at: Some(at(from)),
        at: at(to),
        by: None,
        acknowledged: false,
        identity,
    }
}

/// Held by alice, who applies; bob and carol wait.
pub(crate) fn held() -> Record {
    let mut record = free();
    let mut alice = holder(alice(), NOW - 271);
    alice.activity = Some(Activity { phase: "apply".into(), since: NOW - 72 });
    record.holders.push(alice);
    record.queue.push(waiter(bob(), NOW - 123));
    record.queue.push(Waiter { mode: Mode::Shared, ..waiter(person("carol", "laptop"), NOW - 8) });
    record.runs = 128;
    record
}

/// Free; dave was the last.
pub(crate) fn free() -> Record {
    let mut record = Record::new(at(100));
    record.stamp = "s".into();
    record.last = Some(last(person("dave", "runner-2"), Outcome::Released, 0, NOW - 1300, NOW - 1000));
    record.runs = 127;
    record
}

/// Held by a plan of erin's that has shown no sign of life for long, and was asked to stop.
pub(crate) fn dead() -> Record {
    let mut record = free();
    let mut erin = holder(person("erin", "runner-4"), NOW - 3000);
    erin.renewed_at = at(NOW - 2500);
    erin.revoked = Some(Intervention { by: "frank".into(), reason: "stuck".into(), at: at(NOW - 60) });
    record.holders.push(erin);
    record
}

/// Shared by two plans.
pub(crate) fn shared() -> Record {
    let mut record = free();
    for (actor, since) in [("grace", NOW - 40), ("heidi", NOW - 20)] {
        let one = holder(person(actor, "runner-9"), since);
        record.holders.push(Holder {
            mode: Mode::Shared,
            session: actor.into(),
            activity: Some(Activity { phase: "plan".into(), since }),
            ..one
        });
    }
    record
}

/// Free, and its last run's state waits to be pushed.
pub(crate) fn needs_recovery() -> Record {
    let mut record = free();
    record.last = Some(last(bob(), Outcome::Crashed, 1, NOW - 900, NOW - 600));
    record.needs_recovery.push(Rescued {
        run: Some(127),
        session: "s".into(),
        path: "/srv/.tfguard/rescue/errored-1.tfstate".into(),
        at: at(NOW - 600),
        identity: bob(),
    });
    record.applied = Some(Applied { generation: 99, run: Some(127), at: at(NOW - 600), identity: bob() });
    record
}

/// What a hostile writer could put anywhere.
pub(crate) fn hostile() -> Record {
    let evil = crate::report::testing::mallory();
    let mut record = held();
    record.holders[0].identity = evil.clone();
    record.holders[0].activity = Some(Activity { phase: "\u{1b}[2J\n".into(), since: 90 });
    record.holders[0].session = "\u{1b}]0;x\u{7}".into();
    record.queue[0].identity = evil.clone();
    record.last = Some(last(evil, Outcome::Forced, 1, 3, 4));
    record
}

/// How long the lock was held before.
pub(crate) fn past() -> crate::history::Past {
    use crate::lease::transition::Ending;
    use crate::lease::{PastRun, Teller};
    let runs: Vec<PastRun> = (0..12)
        .filter_map(|number| {
            let from = holder(alice(), 100);
            let ending = Ending::new(Outcome::Released, Some(0));
            PastRun::of(&from, &ending, Teller::Run, at(100 + 240 + 20 * number))
        })
        .collect();
    crate::history::Past::of(&runs)
}
