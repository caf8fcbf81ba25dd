//! Events as NDJSON, in the envelope of Terraform's own machine-readable UI.

use std::borrow::Cow;
use std::io;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::event::{self, Ended, Event, HookEnd, HookReport, Level, Party};
use super::line::{
    Body, Holder, HolderPhase, HookResult, Line, Module, PhaseEnd, PhaseState, Said, Served, Severity,
};
use super::parts::{Stamp, Wait, field, millis};
use super::plain::is_plain;
use super::{human, text};
use crate::escape;
use crate::lease::{Identity, LockName, Phase};

/// `@module` of every line of ours.
pub const MODULE: &str = "tfguard";

/// The event as one line, with its newline.
pub fn line(event: &Event, at: Timestamp) -> Vec<u8> {
    document(&Line {
        level: event.level(),
        message: text::message(event, at).join("; ").into(),
        module: Module::Tfguard,
        timestamp: Stamp(at),
        body: body(event, at),
    })
}

/// RFC 3339 in UTC with microseconds.
pub fn timestamp(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// The event as it is written, with everything escaped that others have a hand in.
fn body(event: &Event, at: Timestamp) -> Body<'_> {
    match event {
        Event::RunStarted { session, pid, locks, command } => Body::RunStarted {
            session,
            pid: *pid,
            lock: joined(locks),
            locks,
            command: escape::line(command),
            version: env!("CARGO_PKG_VERSION"),
        },
        Event::LockWaiting { lock, session, position, holders, waited, estimate, .. } => Body::LockWaiting {
            lock,
            session,
            position: *position,
            holder: holders.first().map(holder),
            holders: holders.iter().map(holder).collect(),
            waited_ms: millis(*waited),
            estimate: estimate.map(Wait::from),
        },
        Event::LockAcquired { lock, session, store, generation, waited, mode, inherited } => {
            Body::LockAcquired {
                lock,
                session,
                store,
                generation: *generation,
                waited_ms: millis(*waited),
                mode: *mode,
                inherited: *inherited,
            }
        }
        Event::PreviousRun { .. } => {
            let mut sentences = text::message(event, at).into_iter();
            let summary = sentences.next().unwrap_or_default();
            diagnostic(event.level(), summary.into(), sentences.next().map(Cow::from))
        }
        Event::LockRenewed { lock, beat } => Body::LockRenewed { lock, beat: *beat },
        Event::LockAtRisk { lock, silent, stop_in, cause } => Body::LockAtRisk {
            lock,
            silent_ms: millis(*silent),
            stop_in_ms: millis(*stop_in),
            cause: cause.as_deref().map(escape::line),
        },
        Event::LockLost { lock, cause } => Body::LockLost { lock, cause: escape::line(cause) },
        Event::LockReleased { lock, held } => Body::LockReleased { lock, held_ms: millis(*held) },
        Event::ChildStarted { argv, pid } => Body::ChildStarted { argv, pid: *pid },
        Event::ChildExited { ended, argv } => {
            let (code, signal) = match *ended {
                Ended::Code(code) => (Some(code), None),
                Ended::Signal(signal) => (None, Some(signal)),
            };
            Body::ChildExited { argv, code, signal }
        }
        Event::CredentialsExpiring { credentials, expires, stop } => Body::CredentialsExpiring {
            credentials: escape::line(credentials),
            expires_at: Stamp(*expires),
            left_ms: millis(human::until(*expires, at)),
            stop_at: stop.map(Stamp),
        },
        Event::StateLockFreed { id, path, who, created } => Body::StateLockFreed {
            id: escape::field(id),
            path: escape::line(path),
            who: escape::field(who),
            created: Stamp(*created),
        },
        Event::Signal { name, action } => Body::Signal { name, action: *action },
        Event::StateRescued { locks, run, path, trouble, command, .. } => Body::StateRescued {
            lock: joined(locks),
            run: *run,
            path: escape::line(path),
            trouble: trouble.as_deref().map(escape::line),
            command: escape::line(command),
        },
        Event::Document { name, content } => Body::Document { name, content },
        Event::Diagnostic { level, summary, detail } => {
            diagnostic(*level, escape_lines(summary), detail.as_deref().map(escape_lines))
        }
        Event::PhaseBegan { phase } => Body::Phase { name: *phase, state: PhaseState::Started, end: None },
        Event::PhaseEnded { phase, result, code, took } => {
            let end = PhaseEnd { result: *result, code: *code, took_ms: millis(*took) };
            Body::Phase { name: *phase, state: PhaseState::Ended, end: Some(end) }
        }
        Event::Drift { drift } => Body::Drift(super::drift::Fields::new(drift.as_ref())),
        Event::HookFinished(report) => hook_finished(report),
        Event::RunSummary { session, locks, outcome, exit_code, waited, held, changes } => Body::RunSummary {
            session: session.as_deref(),
            lock: joined(locks.iter().map(|served| &served.lock)),
            generation: match locks.as_slice() {
                [only] => only.generation,
                _ => None,
            },
            locks: locks.iter().map(served).collect(),
            outcome: *outcome,
            exit_code: *exit_code,
            waited_ms: millis(*waited),
            held_ms: held.map(millis),
            changes: *changes,
        },
    }
}

fn hook_finished(report: &HookReport) -> Body<'_> {
    let (result, code, signal, error) = match &report.end {
        HookEnd::Code(0) => (HookResult::Succeeded, Some(0), None, None),
        HookEnd::Code(code) => (HookResult::Failed, Some(*code), None, None),
        HookEnd::Signal(number) => (HookResult::Failed, None, Some(*number), None),
        HookEnd::TimedOut => (HookResult::TimedOut, None, None, None),
        HookEnd::Stopped => (HookResult::Stopped, None, None, None),
        HookEnd::NotStarted(why) => (HookResult::NotStarted, None, None, Some(escape::line(why))),
        HookEnd::NotRun => (HookResult::NotRun, None, None, None),
    };
    Body::HookFinished {
        hook: report.hook,
        lock: &report.lock,
        program: escape::line(&report.program),
        result,
        code,
        signal,
        error,
        took_ms: millis(report.took),
        output: &report.output,
        omitted_bytes: report.omitted,
    }
}

/// The names of a run's locks, as its child finds them in `TFGUARD_LOCK_NAME`.
fn joined<'a>(locks: impl IntoIterator<Item = &'a LockName>) -> Option<String> {
    let names: Vec<&str> = locks.into_iter().map(LockName::as_str).collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn served(served: &event::Served) -> Served<'_> {
    Served { lock: &served.lock, generation: served.generation, held_ms: served.held.map(millis) }
}

/// The object that Terraform's own diagnostics have, so that one reader does for both.
fn diagnostic<'a>(level: Level, summary: Cow<'a, str>, detail: Option<Cow<'a, str>>) -> Body<'a> {
    let severity = match level {
        Level::Debug | Level::Info => Severity::Info,
        Level::Warn => Severity::Warning,
        Level::Error => Severity::Error,
    };
    Body::Diagnostic { diagnostic: Said { severity, summary, detail: detail.unwrap_or_default() } }
}

/// Our own texts may have several lines; nothing else in them is special.
fn escape_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\n') {
        Cow::Owned(text.lines().map(escape::line).collect::<Vec<_>>().join("\n"))
    } else {
        escape::line(text)
    }
}

fn holder(party: &Party) -> Holder {
    let Identity { actor, host, url, command, .. } = &party.identity;
    let phase = match party.phase {
        None => HolderPhase::Waiting,
        Some(Phase::Granted) => HolderPhase::Granted,
        Some(Phase::Active) => HolderPhase::Active,
    };
    Holder {
        session: escape::field(&party.session).into_owned(),
        actor: field(actor.as_deref()),
        host: field(host.as_deref()),
        url: field(url.as_deref()),
        command: field(command.as_deref()),
        mode: party.mode,
        phase,
        since: Stamp(party.since),
        activity: field(party.activity.as_ref().map(|activity| activity.phase.as_str())),
    }
}

/// One JSON document on one line, with its newline. Keys are in alphabetical order.
pub(crate) fn document(value: &impl Serialize) -> Vec<u8> {
    // Our documents have string keys and nothing in them that fails.
    let sorted = serde_json::to_value(value).unwrap_or_default();
    let mut line = to_bytes(&sorted);
    line.push(b'\n');
    line
}

/// Compact JSON in which nothing is left that a terminal or a CI could take for a command, even
/// where the value has to stay as it is.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    write(&mut bytes, value);
    bytes
}

/// As [`to_bytes`], behind what `bytes` holds already.
pub(super) fn write(bytes: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Our values have string keys only and writing to memory does not fail, so neither does this.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(bytes, Careful));
}

/// Escapes, besides what JSON demands, everything that [`escape`] would.
struct Careful;

impl Formatter for Careful {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly every text is this plain.
        if is_plain(fragment.as_bytes()) || !(fragment.contains(escape::is_unsafe) || fragment.contains("##"))
        {
            return writer.write_all(fragment.as_bytes());
        }
        let mut before = '\0';
        for c in fragment.chars() {
            if escape::is_unsafe(c) || (c == '#' && before == '#') {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            before = c;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::report::testing::{at, every_event, hostile};

    fn parsed(event: &Event) -> Value {
        let line = line(event, at(90));
        let text = std::str::from_utf8(&line).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.ends_with('\n'));
        assert!(!text.trim_end().contains(escape::is_unsafe), "{text:?}");
        assert!(!text.contains("##"), "{text:?}");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_event_has_the_envelope_and_its_type() {
        for event in every_event() {
            let line = parsed(&event);
            assert_eq!(line["@module"], "tfguard");
            assert_eq!(line["@timestamp"], "1970-01-01T00:01:30.000000Z");
            assert_eq!(line["type"], event.kind());
            assert!(["debug", "info", "warn", "error"].contains(&line["@level"].as_str().unwrap()));
            assert!(!line["@message"].as_str().unwrap().is_empty(), "{line}");
        }
    }

    #[test]
    fn fields_are_those_of_the_contract() {
        let of = |kind: &str| {
            let event = every_event().into_iter().find(|event| event.kind() == kind).unwrap();
            let mut line = parsed(&event);
            for envelope in ["@level", "@message", "@module", "@timestamp", "type"] {
                line.as_object_mut().unwrap().remove(envelope);
            }
            line
        };
        let alice = json!({
            "session": "s1", "actor": "alice", "host": "ci-7", "url": "https://ci/1",
            "command": "terraform apply", "mode": "exclusive", "phase": "active",
            "since": "1970-01-01T00:00:30.000000Z", "activity": null,
        });
        assert_eq!(
            of("run_started"),
            json!({"session": "01-s", "pid": 11, "lock": "prod,staging", "locks": ["prod", "staging"],
                   "command": "terraform apply", "version": env!("CARGO_PKG_VERSION")})
        );
        assert_eq!(
            of("lock_waiting"),
            json!({
                "lock": "prod", "session": "01-s", "position": 2, "holder": alice, "holders": [alice],
                "waited_ms": 61_500, "estimate": {"median_ms": 240_000, "p90_ms": 540_000, "runs": 12}
            })
        );
        assert_eq!(
            of("lock_acquired"),
            json!({"lock": "prod", "session": "01-s", "store": "dynamodb table t", "generation": 42, "waited_ms": 0,
                   "mode": "exclusive", "inherited": false})
        );
        assert_eq!(of("lock_renewed"), json!({"lock": "prod", "beat": 5}));
        assert_eq!(
            of("lock_at_risk"),
            json!({"lock": "prod", "silent_ms": 60_000, "stop_in_ms": 30_000, "cause": "timed out"})
        );
        assert_eq!(of("lock_lost"), json!({"lock": "prod", "cause": "revoked"}));
        assert_eq!(of("lock_released"), json!({"lock": "prod", "held_ms": 123_000}));
        assert_eq!(of("child_started"), json!({"argv": ["terraform", "apply"], "pid": 12}));
        assert_eq!(of("child_exited"), json!({"code": 2, "argv": ["terraform", "apply"]}));
        assert_eq!(
            of("credentials_expiring"),
            json!({"credentials": "the session in AWS_SESSION_TOKEN", "left_ms": 660_000,
                   "expires_at": "1970-01-01T00:12:30.000000Z", "stop_at": "1970-01-01T00:02:30.000000Z"})
        );
        assert_eq!(of("signal"), json!({"name": "SIGINT", "action": "passed"}));
        let path = "/srv/.tfguard/rescue/errored-1.tfstate";
        assert_eq!(
            of("state_rescued"),
            json!({"lock": "prod", "run": 7, "path": path, "trouble": null,
                   "command": format!("tfguard exec -- terraform state push {path}")})
        );
        assert_eq!(
            of("run_summary"),
            json!({"session": "01-s", "lock": "prod", "generation": 42, "outcome": "not_acquired", "exit_code": 75,
                   "locks": [{"lock": "prod", "generation": 42, "held_ms": 2000}],
                   "waited_ms": 1000, "held_ms": 2000,
                   "changes": {"add": 1, "change": 0, "destroy": 0, "import": 0}})
        );
        assert_eq!(of("phase"), json!({"name": "plan", "state": "started"}));
        assert_eq!(of("drift"), json!({"drifted": false, "resources": [], "outputs": []}));
    }

    #[test]
    fn a_summary_of_several_locks_has_each_of_them() {
        let served = |name: &str, generation| event::Served {
            lock: LockName::new(name).unwrap(),
            generation: Some(generation),
            held: Some(Duration::from_secs(1)),
        };
        let event = Event::RunSummary {
            session: None,
            locks: vec![served("a", 7), served("b", 9)],
            outcome: event::RunOutcome::Succeeded,
            exit_code: 0,
            waited: Duration::ZERO,
            held: Some(Duration::from_secs(1)),
            changes: None,
        };
        let line = parsed(&event);
        assert_eq!((&line["lock"], &line["generation"]), (&json!("a,b"), &Value::Null));
        assert_eq!(line["locks"][1], json!({"lock": "b", "generation": 9, "held_ms": 1000}));
    }

    #[test]
    fn a_diagnostic_has_the_shape_of_terraforms() {
        let event = Event::Diagnostic {
            level: Level::Warn,
            summary: "odd".into(),
            detail: Some("look\nhere".into()),
        };
        let line = parsed(&event);
        assert_eq!(
            line["diagnostic"],
            json!({"severity": "warning", "summary": "odd", "detail": "look\nhere"})
        );
        assert_eq!(line["@message"], "odd; look; here");
    }

    #[test]
    fn a_hostile_record_stays_inside_its_strings() {
        for event in hostile() {
            let line = parsed(&event);
            let message = line["@message"].as_str().unwrap();
            assert!(!message.contains(escape::is_unsafe), "{message:?}");
        }
    }

    #[test]
    fn what_json_may_hold_and_a_log_may_not_is_escaped_and_comes_back() {
        let value = "a\u{9b}b\u{202e}c##[d]\u{e0041}";
        let bytes = to_bytes(&value);
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), "\"a\\u009bb\\u202ec#\\u0023[d]\\udb40\\udc41\"");
        assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), value);
    }
}
