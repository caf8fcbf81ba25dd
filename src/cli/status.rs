//! What `status` shows. Everything from the record is escaped: others can write to it.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::source::{Source, Sources};
use crate::escape;
use crate::history::words::outcome;
use crate::lease::{
    Activity, Applied, Holder, Identity, Intervention, Last, LockName, Mode, Phase, Record, RecordError,
    Rescued,
};
use crate::report::{human, json as ndjson};

/// A lock as it was found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// Its store in words.
    pub store: &'a str,
    /// Where lock, store and the like came from.
    pub sources: &'a Sources,
    /// Its record, `None` where it was never taken, or why it cannot be read.
    pub record: Result<Option<&'a Record>, &'a RecordError>,
    /// The time by this machine's wall clock.
    pub now: Timestamp,
}

/// For people; every line ends with a newline. With `colour` what matters less is dim.
pub fn text(view: View<'_>, colour: bool) -> String {
    let mut shown = String::new();
    let lock = escape::bounded(view.lock.as_str(), 1024);
    // Writing into a String cannot fail.
    let _ = writeln!(shown, "lock   {lock}\nstore  {}", escape::line(view.store));
    if let Some(from) = from(view.sources) {
        let style = if colour { anstyle::Style::new().dimmed() } else { anstyle::Style::new() };
        let _ = writeln!(shown, "{style}from   {}{style:#}", escape::line(&from));
    }
    match view.record {
        Err(error) => {
            let _ = writeln!(shown, "state  unreadable: {}", escape::line(&error.to_string()));
        }
        Ok(None) => shown.push_str("state  free, never held\n"),
        Ok(Some(record)) => record_text(&mut shown, record, view.now),
    }
    shown
}

/// What came from where, one clause for each place. What is so by default is not told.
fn from(sources: &Sources) -> Option<String> {
    let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
    for source in sources.iter().filter(|source| source.from != "default") {
        let name = match source.name {
            // These follow from what is told anyway.
            "store" | "backend" => continue,
            "endpoint_url" => "endpoint",
            "role_arn" => "role",
            "local_dir" => "folder",
            name => name,
        };
        match places.iter_mut().find(|(place, _)| *place == source.from) {
            Some((_, names)) => names.push(name),
            None => places.push((&source.from, vec![name])),
        }
    }
    let clauses: Vec<String> = places
        .iter()
        .map(|(place, names)| format!("{}: {}", names.join(", "), escape::field(place)))
        .collect();
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

fn record_text(shown: &mut String, record: &Record, now: Timestamp) {
    let recovery = if record.needs_recovery.is_empty() { "" } else { ", needs recovery" };
    let _ = match record.holders.first() {
        None => writeln!(shown, "state  free (generation {}){recovery}", record.generation),
        Some(first) => {
            let mode = if first.mode == Mode::Shared { ", shared" } else { "" };
            writeln!(shown, "state  held{mode} (generation {}){recovery}", record.generation)
        }
    };
    for holder in &record.holders {
        let _ = writeln!(shown, "holder {}", human::identity(&holder.identity));
        let _ = writeln!(shown, "       {}", holder_facts(holder, now));
        if let Some(activity) = &holder.activity {
            let _ = writeln!(shown, "       {}", activity_text(activity, now));
        }
        if let Some(by) = &holder.revoked {
            let _ = writeln!(shown, "       asked to stop by {}", intervention(by, now));
        }
        let _ = writeln!(shown, "       session {}", escape::field(&holder.session));
    }
    for (index, waiter) in record.queue.iter().enumerate() {
        let mode = if waiter.mode == Mode::Shared { ", shared" } else { "" };
        let _ = writeln!(
            shown,
            "wait {:<2}{}{mode}, for {}\n       session {}",
            index + 1,
            human::identity(&waiter.identity),
            human::since(waiter.asked_at, now),
            escape::field(&waiter.session)
        );
    }
    for rescued in &record.needs_recovery {
        let _ = writeln!(shown, "rescue {}", rescued_text(rescued, now));
    }
    if let Some(last) = &record.last {
        let _ = writeln!(shown, "last   {}", last_text(last, now));
    }
}

fn holder_facts(holder: &Holder, now: Timestamp) -> String {
    let phase = match holder.phase {
        Phase::Granted => "granted, about to start",
        Phase::Active => "active",
    };
    let run = holder.run.map_or(String::new(), |run| format!(", run {run}"));
    let dead = if holder.looks_dead(now) { ", which looks dead" } else { "" };
    format!(
        "{phase}{run}, since {} ({}), last sign of life {} ago{dead} (lease {})",
        holder.granted_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        human::since(holder.granted_at, now),
        human::since(holder.renewed_at, now),
        human::duration(Duration::from_millis(holder.lease_ms))
    )
}

/// What a holder is doing, where it tells.
fn activity_text(activity: &Activity, now: Timestamp) -> String {
    format!("in phase {} for {}", escape::field(&activity.phase), human::since(activity.since(), now))
}

/// A state that could not be written and has not been pushed yet.
fn rescued_text(rescued: &Rescued, now: Timestamp) -> String {
    let run = rescued.run.map_or(String::new(), |run| format!("run {run}, "));
    format!(
        "the state of {run}{} ago, was not written and is kept in {}: {}",
        human::since(rescued.at, now),
        escape::line(&rescued.path),
        human::identity(&rescued.identity)
    )
}

fn last_text(last: &Last, now: Timestamp) -> String {
    let run = last.run.map_or(String::new(), |run| format!("run {run} "));
    let code = last.exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
    let by = last.by.as_ref().map_or(String::new(), |by| format!(" by {}", intervention(by, now)));
    format!(
        "{run}{}{code}{by}, {} ago: {}",
        outcome(last.outcome),
        human::since(last.at, now),
        human::identity(&last.identity)
    )
}

fn intervention(by: &Intervention, now: Timestamp) -> String {
    format!("{} {} ago (\"{}\")", escape::field(&by.by), human::since(by.at, now), escape::field(&by.reason))
}

/// Several for people, one after the other.
pub fn texts(views: &[View<'_>], colour: bool) -> String {
    views.iter().map(|view| text(*view, colour)).collect::<Vec<_>>().join("\n")
}

/// One JSON document on one line, with its newline: that of the only lock, or, where several were
/// asked for, an object whose `locks` has that of each.
pub fn json(views: &[View<'_>]) -> Vec<u8> {
    let mut documents: Vec<Value> = views.iter().map(|view| document(*view)).collect();
    let whole = match documents.len() {
        1 => documents.remove(0),
        _ => json!({ "locks": documents }),
    };
    let mut line = ndjson::to_bytes(&whole);
    line.push(b'\n');
    line
}

/// A lock as a JSON document. Stable: fields are added, never changed.
///
/// `lock`, `store`, `state` (`free`, `held`, `unreadable`), `error` (`unreadable` only),
/// `generation`, `runs`, `holders[]` (`session`, `mode`, `phase`, `run`, `generation`, `beat`,
/// `lease_ms`, `asked_at`, `granted_at`, `renewed_at`, `looks_dead`, `activity` (`phase`, `since`),
/// `revoked`, `identity`),
/// `queue[]` (`position`, `session`, `mode`, `asked_at`, `identity`), `last` (`run`, `session`,
/// `outcome`, `exit_code`, `at`, `by`, `acknowledged`, `identity`), `needs_recovery[]` (`run`,
/// `session`, `path`, `at`, `identity`), `applied` (`generation`, `run`, `at`, `identity`), `origins`. What is
/// unknown is `null`.
///
/// `origins` has an object for each of these that takes part: `lock`, `workspace`, `backend` (its type), `store`
/// (`dynamodb`, `s3`, `local`), `table`, `bucket`, `region`, `endpoint_url`, `profile`, `role_arn`, `local_dir`. In each
/// there is the `value` and `from`: the option, the variable, `tfguard.toml: key` with its path, the file of the backend,
/// `-backend-config…`, or `default`.
fn document(view: View<'_>) -> Value {
    let mut document = json!({
        "lock": view.lock,
        "store": escape::line(view.store),
        "state": "free",
        "generation": null,
        "holders": [],
        "queue": [],
        "last": null,
        "needs_recovery": [],
        "applied": null,
        "runs": 0,
        "origins": origins_json(view.sources),
    });
    if let Some(origin) = document["origins"].get_mut("lock") {
        // One of several that were named in one place.
        origin["value"] = escape::bounded(view.lock.as_str(), 1024).into();
    }
    match view.record {
        Err(error) => {
            document["state"] = "unreadable".into();
            document["error"] = escape::line(&error.to_string()).into();
        }
        Ok(None) => {}
        Ok(Some(record)) => {
            document["state"] = if record.is_free() { "free" } else { "held" }.into();
            document["generation"] = record.generation.into();
            document["runs"] = record.runs.into();
            document["holders"] = record.holders.iter().map(|holder| holder_json(holder, view.now)).collect();
            let queue = record.queue.iter().enumerate().map(|(index, waiter)| {
                json!({
                    "position": index + 1,
                    "session": escape::field(&waiter.session),
                    "mode": waiter.mode,
                    "asked_at": ndjson::timestamp(waiter.asked_at),
                    "identity": identity_json(&waiter.identity),
                })
            });
            document["queue"] = queue.collect();
            document["needs_recovery"] = record.needs_recovery.iter().map(rescued_json).collect();
            document["applied"] = record.applied.as_ref().map_or(Value::Null, applied_json);
            document["last"] = record.last.as_ref().map_or(Value::Null, last_json);
        }
    }
    document
}

fn origins_json(sources: &Sources) -> Value {
    let one = |source: &Source| {
        let value =
            json!({ "value": escape::bounded(&source.value, 1024), "from": escape::field(&source.from) });
        (source.name.to_owned(), value)
    };
    Value::Object(sources.iter().map(one).collect())
}

fn holder_json(holder: &Holder, now: Timestamp) -> Value {
    json!({
        "session": escape::field(&holder.session),
        "mode": holder.mode,
        "phase": holder.phase,
        "run": holder.run,
        "generation": holder.generation,
        "beat": holder.beat,
        "lease_ms": holder.lease_ms,
        "asked_at": ndjson::timestamp(holder.asked_at),
        "granted_at": ndjson::timestamp(holder.granted_at),
        "renewed_at": ndjson::timestamp(holder.renewed_at),
        "looks_dead": holder.looks_dead(now),
        "activity": holder.activity.as_ref().map(|activity| json!({
            "phase": escape::field(&activity.phase),
            "since": ndjson::timestamp(activity.since()),
        })),
        "revoked": holder.revoked.as_ref().map(intervention_json),
        "identity": identity_json(&holder.identity),
    })
}

fn rescued_json(rescued: &Rescued) -> Value {
    json!({
        "run": rescued.run,
        "session": escape::field(&rescued.session),
        "path": escape::line(&rescued.path),
        "at": ndjson::timestamp(rescued.at),
        "identity": identity_json(&rescued.identity),
    })
}

fn applied_json(applied: &Applied) -> Value {
    json!({
        "generation": applied.generation,
        "run": applied.run,
        "at": ndjson::timestamp(applied.at),
        "identity": identity_json(&applied.identity),
    })
}

fn last_json(last: &Last) -> Value {
    json!({
        "run": last.run,
        "session": escape::field(&last.session),
        "outcome": outcome(last.outcome),
        "exit_code": last.exit_code,
        "at": ndjson::timestamp(last.at),
        "by": last.by.as_ref().map(intervention_json),
        "acknowledged": last.acknowledged,
        "identity": identity_json(&last.identity),
    })
}

pub(super) fn intervention_json(by: &Intervention) -> Value {
    json!({
        "by": escape::field(&by.by),
        "reason": escape::field(&by.reason),
        "at": ndjson::timestamp(by.at),
    })
}

pub(super) fn identity_json(identity: &Identity) -> Value {
    let known = |text: &Option<String>| text.as_deref().map(|text| escape::field(text).into_owned());
    json!({
        "actor": known(&identity.actor),
        "host": known(&identity.host),
        "pid": identity.pid,
        "url": known(&identity.url),
        "repository": known(&identity.repository),
        "commit": known(&identity.commit),
        "change": known(&identity.change),
        "command": known(&identity.command),
        "reason": known(&identity.reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Outcome;
    use crate::lease::Waiter;
    use crate::report::testing::{alice, at, last, mallory, prod};

    static NONE: &Sources = &Sources::NONE;

    fn record(identity: Identity) -> Record {
        let session = identity.actor.clone().unwrap_or_default();
        let mut record = Record::new(at(100));
        record.stamp = "s".into();
        record.holders.push(Holder {
            session: session.clone(),
            mode: Mode::Exclusive,
            phase: Phase::Active,
            beat: 3,
            lease_ms: 180_000,
            generation: 100,
            run: Some(8),
            changes: true,
            revoked: None,
            asked_at: at(100),
            granted_at: at(100),
            renewed_at: at(190),
            activity: None,
            identity: identity.clone(),
        });
        record.queue.push(Waiter {
            session: session.clone() + "2",
            mode: Mode::Shared,
            lease_ms: 180_000,
            asked_at: at(140),
            identity: identity.clone(),
        });
        record.last = Some(last(Outcome::Crashed, identity.clone()));
        record.needs_recovery.push(Rescued {
            run: Some(7),
            session: session.clone(),
            path: format!("/x/{session}.tfstate"),
            at: at(140),
            identity: identity.clone(),
        });
        record.applied = Some(Applied { generation: 99, run: Some(7), at: at(140), identity });
        record.runs = 8;
        record
    }

    fn view<'a>(lock: &'a LockName, record: Result<Option<&'a Record>, &'a RecordError>) -> View<'a> {
        View { lock, store: "dynamodb table t in eu-west-1", sources: NONE, record, now: at(200) }
    }

    fn document(view: View<'_>) -> Value {
        let line = json(&[view]);
        let text = std::str::from_utf8(&line).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.trim_end().contains(escape::is_unsafe));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_held_lock_for_people() {
        let (lock, record) = (prod(), record(alice()));
        assert_eq!(
            text(view(&lock, Ok(Some(&record))), false),
            "\
lock   prod
store  dynamodb table t in eu-west-1
state  held (generation 100), needs recovery
holder alice on ci-7 (https://ci/1), running `terraform apply`
       active, run 8, since 1970-01-01 00:01:40Z (1 min 40 s), last sign of life 10 s ago (lease 3 min)
       session alice
wait 1 alice on ci-7 (https://ci/1), running `terraform apply`, shared, for 1 min
       session alice2
rescue the state of run 7, 1 min ago, was not written and is kept in /x/alice.tfstate: alice on ci-7 (https://ci/1), running `terraform apply`
last   run 7 crashed with exit code 1 by alice 2 min 50 s ago (\"alice\"), 2 min 50 s ago: alice on ci-7 (https://ci/1), running `terraform apply`
"
        );
    }

    #[test]
    fn a_held_lock_for_programs() {
        let (lock, record) = (prod(), record(alice()));
        let document = document(view(&lock, Ok(Some(&record))));
        assert_eq!(document["lock"], "prod");
        assert_eq!(document["state"], "held");
        assert_eq!(document["generation"], 100);
        assert_eq!(document["runs"], 8);
        assert_eq!(document["holders"][0]["phase"], "active");
        assert_eq!(document["holders"][0]["identity"]["actor"], "alice");
        assert_eq!(document["holders"][0]["identity"]["reason"], Value::Null);
        assert_eq!(document["holders"][0]["looks_dead"], false);
        assert_eq!(document["holders"][0]["granted_at"], "1970-01-01T00:01:40.000000Z");
        assert_eq!(document["queue"][0]["position"], 1);
        assert_eq!(document["queue"][0]["mode"], "shared");
        assert_eq!(document["last"]["outcome"], "crashed");
        assert_eq!(document["last"]["exit_code"], 1);
        assert_eq!(document["needs_recovery"][0]["path"], "/x/alice.tfstate");
        assert_eq!(document["needs_recovery"][0]["identity"]["actor"], "alice");
        assert_eq!(document["applied"]["generation"], 99);
    }

    #[test]
    fn free_never_held_and_unreadable() {
        let lock = prod();
        let free = Record::new(at(100));
        let unreadable = RecordError::Schema(9);
        for (record, state, shown) in [
            (Ok(None), "free", "state  free, never held\n"),
            (Ok(Some(&free)), "free", "state  free (generation 100)\n"),
            (Err(&unreadable), "unreadable", "state  unreadable: its layout is number 9"),
        ] {
            let view = view(&lock, record);
            assert!(text(view, false).contains(shown), "{}", text(view, false));
            let document = document(view);
            assert_eq!(document["state"], state);
            assert_eq!(document["holders"], json!([]));
            assert_eq!(document["error"].is_string(), state == "unreadable");
        }
    }

    #[test]
    fn a_hostile_record_cannot_add_a_line_or_leave_its_string() {
        let lock = LockName::new("a\u{202e}b").unwrap();
        let record = record(mallory());
        let view = view(&lock, Ok(Some(&record)));
        let shown = text(view, false);
        assert_eq!(shown.lines().count(), 10, "{shown}");
        let labels = ["lock   ", "store  ", "state  ", "holder ", "       ", "wait 1 ", "rescue ", "last   "];
        for line in shown.lines() {
            assert!(labels.iter().any(|label| line.starts_with(label)), "{line:?}");
            assert!(!line.contains(escape::is_unsafe) && !line.contains("##"), "{line:?}");
        }
        let document = document(view);
        assert!(!document["holders"][0]["identity"]["actor"].as_str().unwrap().contains('\u{1b}'));
        let rubbish = RecordError::Rubbish("\u{1b}[2J\n::error::".into());
        let unreadable = View { record: Err(&rubbish), ..view };
        assert_eq!(text(unreadable, false).lines().count(), 3);
        assert!(!text(unreadable, false).contains('\u{1b}'));
    }
}
