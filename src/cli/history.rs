//! What `history` shows. Everything from the store is escaped: others can write to it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tabled::builder::Builder;
use tabled::settings::Style;

use super::status::{identity_json, intervention_json, outcome};
use crate::escape;
use crate::lease::{Counts, Found, Holder, Identity, LockName, Outcome, PastRun, RecordError};
use crate::report::{human, json as ndjson};

/// One run of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there are as many as are shown")]
pub enum Row {
    /// It is over.
    Over(PastRun),
    /// It holds the lock.
    Running(Holder),
    /// Its item cannot be read.
    Unreadable(u64, RecordError),
}

impl Row {
    /// The run's number.
    pub fn run(&self) -> u64 {
        match self {
            Self::Over(past) => past.run,
            Self::Running(holder) => holder.run.unwrap_or_default(),
            Self::Unreadable(run, _) => *run,
        }
    }
}

impl From<Found> for Row {
    fn from(found: Found) -> Self {
        match found.past {
            Ok(past) => Self::Over(past),
            Err(error) => Self::Unreadable(found.run, error),
        }
    }
}

/// The runs of a lock as they were found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// Its store in words.
    pub store: &'a str,
    /// Runs that became active, ever.
    pub total: u64,
    /// The newest first.
    pub rows: &'a [Row],
    /// The time by this machine's wall clock.
    pub now: Timestamp,
}

const HEAD: [&str; 9] = ["RUN", "STARTED", "WHO", "COMMAND", "WAITED", "HELD", "OUTCOME", "CHANGES", "LINK"];

/// For people: a table. Nothing where there are no runs.
pub fn text(view: View<'_>) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let mut table = Builder::default();
    table.push_record(HEAD);
    for row in view.rows {
        table.push_record(cells(row, view.now));
    }
    let mut table = table.build();
    let mut shown = String::new();
    for line in table.with(Style::empty()).to_string().lines() {
        shown.push_str(line.trim());
        shown.push('\n');
    }
    shown
}

fn cells(row: &Row, now: Timestamp) -> [String; 9] {
    let number = row.run().to_string();
    match row {
        Row::Over(past) => {
            let [who, command, link] = names(&past.identity);
            [
                number,
                when(past.active_at.unwrap_or(past.granted_at)),
                who,
                command,
                span(past.waited_ms),
                span(past.held_ms),
                ending(past),
                changes(past),
                link,
            ]
        }
        Row::Running(holder) => {
            let [who, command, link] = names(&holder.identity);
            let waited = holder.granted_at.duration_since(holder.asked_at);
            [
                number,
                when(holder.granted_at),
                who,
                command,
                human::duration(Duration::try_from(waited).unwrap_or_default()),
                human::since(holder.granted_at, now),
                "running".to_owned(),
                String::new(),
                link,
            ]
        }
        Row::Unreadable(_, error) => {
            let mut cells: [String; 9] = std::array::from_fn(|_| String::new());
            cells[0] = number;
            cells[6] = "unreadable".to_owned();
            cells[8] = escape::line(&error.to_string()).into_owned();
            cells
        }
    }
}

fn names(identity: &Identity) -> [String; 3] {
    [&identity.actor, &identity.command, &identity.url]
        .map(|text| text.as_deref().map(|text| escape::field(text).into_owned()).unwrap_or_default())
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn span(millis: u64) -> String {
    human::duration(Duration::from_millis(millis))
}

/// In a few words: what came of the command, or how the hold ended where that says more.
fn ending(past: &PastRun) -> String {
    let word = match (past.outcome, &past.result) {
        (Outcome::Released, Some(result)) => escape::field(result).into_owned(),
        (Outcome::Crashed, Some(result)) => format!("{}, crashed", escape::field(result)),
        (other, _) => outcome(other).to_owned(),
    };
    let code = match past.exit_code {
        Some(code) if code != 0 => format!(" ({code})"),
        _ => String::new(),
    };
    let by = past.by.as_ref().map(|by| format!(", by {}", escape::field(&by.by))).unwrap_or_default();
    let kept = if past.rescued.is_some() { ", state kept" } else { "" };
    format!("{word}{code}{by}{kept}")
}

/// `+1 ~2 -3` as Terraform said; `?` where the run may have changed something and nobody knows what.
fn changes(past: &PastRun) -> String {
    match past.counts {
        Some(Counts { add, change, destroy, import: 0 }) => format!("+{add} ~{change} -{destroy}"),
        Some(Counts { add, change, destroy, import }) => {
            format!("+{add} ~{change} -{destroy}, {import} imported")
        }
        None if past.changed => "?".to_owned(),
        None => "none".to_owned(),
    }
}

/// One JSON document on one line, with its newline. Stable: fields are added, never changed.
///
/// `lock`, `store`, `total` (runs ever), `runs[]`, the newest first: `run`, `state` (`over`,
/// `running`, `unreadable`), `error` (`unreadable` only), and else `generation`, `session`, `mode`,
/// `identity`, `asked_at`, `granted_at`, `active_at`, `ended_at`, `waited_ms`, `held_ms`,
/// `outcome` (`released`, `crashed`, `expired`, `forced`), `result` (`succeeded`, `failed`,
/// `cancelled`, `lost`, `refused`), `exit_code`, `changed`, `counts` (`add`, `change`, `destroy`,
/// `import`), `rescued`, `by`, `told_by` (`run`, `guardian`, `other`). What is unknown is `null`.
pub fn json(view: View<'_>) -> Vec<u8> {
    let document = json!({
        "lock": view.lock,
        "store": escape::line(view.store),
        "total": view.total,
        "runs": view.rows.iter().map(row_json).collect::<Value>(),
    });
    let mut line = ndjson::to_bytes(&document);
    line.push(b'\n');
    line
}

fn row_json(row: &Row) -> Value {
    match row {
        Row::Over(past) => json!({
            "run": past.run,
            "state": "over",
            "generation": past.generation,
            "session": escape::field(&past.session),
            "mode": past.mode,
            "identity": identity_json(&past.identity),
            "asked_at": ndjson::timestamp(past.asked_at),
            "granted_at": ndjson::timestamp(past.granted_at),
            "active_at": past.active_at.map(ndjson::timestamp),
            "ended_at": ndjson::timestamp(past.ended_at),
            "waited_ms": past.waited_ms,
            "held_ms": past.held_ms,
            "outcome": outcome(past.outcome),
            "result": past.result.as_deref().map(escape::field),
            "exit_code": past.exit_code,
            "changed": past.changed,
            "counts": past.counts,
            "rescued": past.rescued.as_deref().map(escape::line),
            "by": past.by.as_ref().map(intervention_json),
            "told_by": past.told_by,
        }),
        Row::Running(holder) => json!({
            "run": holder.run,
            "state": "running",
            "generation": holder.generation,
            "session": escape::field(&holder.session),
            "mode": holder.mode,
            "identity": identity_json(&holder.identity),
            "asked_at": ndjson::timestamp(holder.asked_at),
            "granted_at": ndjson::timestamp(holder.granted_at),
            "active_at": null,
            "ended_at": null,
            "waited_ms": null,
            "held_ms": null,
            "outcome": null,
            "result": null,
            "exit_code": null,
            "changed": null,
            "counts": null,
            "rescued": null,
            "by": null,
            "told_by": null,
        }),
        Row::Unreadable(run, error) => json!({
            "run": run,
            "state": "unreadable",
            "error": escape::line(&error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::transition::Ending;
    use crate::lease::{Intervention, Mode, Phase, Teller};
    use crate::report::testing::{alice, at, mallory, prod};

    fn holder(run: u64, identity: Identity) -> Holder {
        Holder {
            session: identity.actor.clone().unwrap_or_default(),
            mode: Mode::Exclusive,
            phase: Phase::Active,
            beat: 3,
            lease_ms: 180_000,
            generation: 100,
            run: Some(run),
            changes: true,
            revoked: None,
            asked_at: at(95),
            granted_at: at(100),
            renewed_at: at(190),
            activity: None,
            identity,
        }
    }

    fn past(run: u64, identity: Identity, outcome: Outcome, code: Option<i32>) -> PastRun {
        let ending = Ending { changed: true, ..Ending::new(outcome, code) };
        PastRun::of(&holder(run, identity), &ending, Teller::Run, at(172)).unwrap()
    }

    fn rows(identity: &Identity) -> Vec<Row> {
        let who = || identity.clone();
        let text = identity.actor.clone().unwrap();
        let by = Intervention { by: text.clone(), reason: text.clone(), at: at(150) };
        let counts = Some(Counts { add: 1, change: 2, destroy: 3, import: 0 });
        vec![
            Row::Running(holder(9, who())),
            Row::Unreadable(8, RecordError::Rubbish(text.clone())),
            Row::Over(past(7, who(), Outcome::Forced, None).with_operator(&by)),
            Row::Over(PastRun { rescued: Some(text.clone()), ..past(6, who(), Outcome::Crashed, Some(1)) }),
            Row::Over(PastRun {
                counts,
                ..past(5, who(), Outcome::Released, Some(0)).with_result("succeeded")
            }),
        ]
    }

    fn view<'a>(lock: &'a LockName, rows: &'a [Row]) -> View<'a> {
        View { lock, store: "folder /x", total: 9, rows, now: at(200) }
    }

    #[test]
    fn a_history_for_people() {
        let (lock, rows) = (prod(), rows(&alice()));
        assert_eq!(
            text(view(&lock, &rows)),
            "\
RUN  STARTED               WHO    COMMAND          WAITED  HELD        OUTCOME                  CHANGES   LINK
9    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 40 s  running                            https://ci/1
8                                                                      unreadable                         it is not a lock record: alice
7    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  forced, by alice         ?         https://ci/1
6    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  crashed (1), state kept  ?         https://ci/1
5    1970-01-01 00:01:40Z  alice  terraform apply  5 s     1 min 12 s  succeeded                +1 ~2 -3  https://ci/1
"
        );
        assert_eq!(text(view(&lock, &[])), "");
    }

    #[test]
    fn a_history_for_programs() {
        let (lock, rows) = (prod(), rows(&alice()));
        let document: Value = serde_json::from_slice(&json(view(&lock, &rows))).unwrap();
        assert_eq!(document["total"], 9);
        let states: Vec<_> = document["runs"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
        assert_eq!(states, ["running", "unreadable", "over", "over", "over"]);
        let newest = &document["runs"][4];
        assert_eq!(newest["counts"], json!({"add": 1, "change": 2, "destroy": 3, "import": 0}));
        assert_eq!(newest["outcome"], "released");
        assert_eq!(newest["held_ms"], 72_000);
        assert_eq!(newest["granted_at"], "1970-01-01T00:01:40.000000Z");
        assert_eq!(newest["by"], Value::Null);
        assert_eq!(document["runs"][2]["by"]["by"], "alice");
        // Whoever reads one kind of run by its fields may read the other.
        let fields = |index: usize| -> Vec<String> {
            document["runs"][index].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(fields(0), fields(4));
    }

    #[test]
    fn a_hostile_history_cannot_add_a_line_or_leave_its_string() {
        let lock = LockName::new("a\u{202e}b").unwrap();
        let rows = rows(&mallory());
        let shown = text(view(&lock, &rows));
        assert_eq!(shown.lines().count(), 6, "{shown}");
        let bytes = json(view(&lock, &rows));
        for text in [shown.as_str(), std::str::from_utf8(&bytes).unwrap()] {
            assert!(!text.contains(|c| c != '\n' && escape::is_unsafe(c)), "{text:?}");
        }
    }
}
