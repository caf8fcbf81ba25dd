//! One lock for people.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::view::View;
use super::words::{self, Tone};
use crate::cli::source::Sources;
use crate::escape;
use crate::history::words::outcome;
use crate::lease::{Holder, Mode, Record, Waiter};
use crate::report::{Look, human, wrap};

/// The style of text.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// With colour, or without.
    pub fn new(colour: bool) -> Self {
        Self(colour)
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// Heads of columns.
    pub fn head(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    /// What a lock is like.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Busy => AnsiColor::Yellow,
            Tone::Free => AnsiColor::Green,
            Tone::Bad => AnsiColor::Red,
        };
        self.with(colour.on_default(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Lines, each behind its label.
struct Sheet {
    text: String,
    paint: Paint,
    width: Option<usize>,
}

impl Sheet {
    fn line(&mut self, label: &str, text: &str) {
        self.text.push_str(&wrap::behind(&format!("{label:<7}"), text, self.width));
    }

    fn more(&mut self, text: &str) {
        self.line("", text);
    }

    fn less(&mut self, text: &str) {
        let dim = self.paint.dim(text);
        self.line("", &dim);
    }

    fn link(&mut self, identity: &crate::lease::Identity) {
        if let Some(link) = words::link(identity) {
            self.more(&link);
        }
    }
}

/// For people; every line ends with a newline. With colour what matters less is dim, and what
/// the lock is like has a colour.
pub fn text(view: View<'_>, look: Look) -> String {
    let mut sheet = Sheet { text: String::new(), paint: Paint::new(look.colour), width: look.width };
    sheet.line("lock", &escape::bounded(view.lock, 1024));
    sheet.line("store", &escape::line(view.store));
    if let Some(from) = from(view.sources) {
        let dim = sheet.paint.dim(&escape::line(&from));
        let label = sheet.paint.dim("from   ");
        sheet.text.push_str(&wrap::behind(&label, &dim, look.width));
    }
    let (tone, state) = state(view);
    let state = sheet.paint.tone(tone, &state);
    sheet.line("state", &format!("{state}{}", counted(view.record.ok().flatten())));
    if let Ok(Some(record)) = view.record {
        for holder in &record.holders {
            sheet.holder(holder, view.now);
        }
        for place in 0..record.queue.len() {
            sheet.waiter(view, record, place);
        }
        for rescued in &record.needs_recovery {
            let bad = sheet.paint.tone(Tone::Bad, &words::rescued(rescued, view.now));
            sheet.line("rescue", &format!("{bad}: {}", words::who(&rescued.identity)));
            sheet.link(&rescued.identity);
        }
        if let Some(last) = &record.last {
            let ending = words::ending(last, view.now);
            let ending = if last.needs_telling() { sheet.paint.tone(Tone::Bad, &ending) } else { ending };
            sheet.line("last", &format!("{ending}: {}", words::who(&last.identity)));
            sheet.link(&last.identity);
        }
    }
    sheet.text
}

/// Several, one after the other.
pub fn texts(views: &[View<'_>], look: Look) -> String {
    views.iter().map(|view| text(*view, look)).collect::<Vec<_>>().join("\n")
}

/// What the lock is like, in a clause: `held for 4m 31s, 2 waiting`.
pub fn state(view: View<'_>) -> (Tone, String) {
    let record = match view.record {
        Err(error) => return (Tone::Bad, format!("unreadable: {}", escape::line(&error.to_string()))),
        Ok(None) => return (Tone::Free, "free, never held".to_owned()),
        Ok(Some(record)) => record,
    };
    let since = record.holders.iter().map(|holder| holder.granted_at).min();
    let (mut tone, mut text) = match (record.holders.first(), since) {
        (Some(first), Some(since)) => {
            let since = human::since(since, view.now);
            let dead = record.holders.iter().all(|holder| holder.looks_dead(view.now));
            let text = match first.mode {
                Mode::Shared => format!("shared by {} for {since}", record.holders.len()),
                Mode::Exclusive => format!("held for {since}"),
            };
            if dead { (Tone::Bad, text + ", looks dead") } else { (Tone::Busy, text) }
        }
        _ => match &record.last {
            Some(last) => (Tone::Free, format!("free for {}", human::since(last.at, view.now))),
            None => (Tone::Free, "free".to_owned()),
        },
    };
    if let Some(last) = record.last.as_ref().filter(|last| record.is_free() && last.needs_telling()) {
        text.push_str(&format!(", the last run {}", outcome(last.outcome)));
        tone = Tone::Bad;
    }
    if !record.queue.is_empty() {
        text.push_str(&format!(", {} waiting", record.queue.len()));
    }
    if !record.needs_recovery.is_empty() {
        text.push_str(", needs recovery");
        tone = Tone::Bad;
    }
    (tone, text)
}

fn counted(record: Option<&Record>) -> String {
    record.map_or(String::new(), |record| format!(" (generation {})", record.generation))
}

impl Sheet {
    fn holder(&mut self, holder: &Holder, now: Timestamp) {
        self.line("holder", &words::who(&holder.identity));
        self.link(&holder.identity);
        let run = holder.run.map_or(String::new(), |run| format!("run {run} "));
        let since = words::instant(holder.granted_at);
        self.more(&format!("{run}{}, since {since}", words::progress(holder, now)));
        let pulse = words::pulse(holder, now);
        let pulse = if holder.looks_dead(now) { self.paint.tone(Tone::Bad, &pulse) } else { pulse };
        self.more(&pulse);
        if let Some(by) = &holder.revoked {
            let asked = format!("asked to stop by {}", words::intervention(by, now));
            let asked = self.paint.tone(Tone::Bad, &asked);
            self.more(&asked);
        }
        self.less(&format!("session {}", escape::field(&holder.session)));
    }

    fn waiter(&mut self, view: View<'_>, record: &Record, place: usize) {
        let Some(Waiter { session, mode, asked_at, identity, .. }) = record.queue.get(place) else { return };
        let mode = if *mode == Mode::Shared { ", to share it" } else { "" };
        self.line(&format!("wait {:<2}", place + 1), &format!("{}{mode}", words::who(identity)));
        self.link(identity);
        let turn = view.estimate(place).map_or(String::new(), |it| format!("; {}", words::turn(it)));
        self.more(&format!("for {}{turn}", human::since(*asked_at, view.now)));
        self.less(&format!("session {}", escape::field(session)));
    }
}

/// What came from where, one clause for each place. What is so by default is not told.
pub fn from(sources: &Sources) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::lease::RecordError;
    use crate::report::testing::at_every_look;
    use crate::status::document;
    use crate::status::testing::{self, now};

    static NONE: &Sources = &Sources::NONE;

    fn view<'a>(record: Result<Option<&'a Record>, &'a RecordError>) -> View<'a> {
        View {
            lock: "prod",
            store: "DynamoDB table t in eu-west-1",
            sources: NONE,
            record,
            past: None,
            now: now(),
        }
    }

    fn document(view: View<'_>) -> Value {
        let line = document::json(&[view]);
        let text = std::str::from_utf8(&line).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.trim_end().contains(escape::is_unsafe));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_held_lock_for_people() {
        let (record, past) = (testing::held(), testing::past());
        let view = View { past: Some(&past), ..view(Ok(Some(&record))) };
        assert_eq!(
            text(view, Look::PLAIN),
            "\
lock   prod
store  DynamoDB table t in eu-west-1
state  held for 4 min 31 s, 2 waiting (generation 100)
holder alice on runner-7, for #12, running `terraform apply -input=false -auto-approve`
       https://github.com/acme/infra/actions/runs/4711
       run 128 in phase apply for 1 min 12 s, holding for 4 min 31 s, since 1970-01-01 00:55:29Z
       last sign of life 12 s ago, 2 min 48 s of its lease of 3 min left
       session 01a1fc70-c8ee-73b7-87cb-204fcac11fa0
wait 1 bob on gl-3, for !12, running `terraform apply`
       https://gitlab.example.com/acme/network/-/jobs/92
       for 2 min 3 s; its turn in about 1 min 30 s, in 9 of 10 cases within 3 min (by 12 past runs)
       session 01a1fc70-d4a6-7065-94e7-6b879bcc9a88
wait 2 carol on laptop, to share it
       for 8 s; its turn in about 7 min 30 s, in 9 of 10 cases within 9 min 30 s (by 12 past runs)
       session 01a1fc70-d4a6-7065-94e7-6b879bcc9a88
last   run 127 released with exit code 0 after 5 min, 16 min 40 s ago: dave on runner-2
"
        );
    }

    #[test]
    fn locks_at_every_look() {
        let past = testing::past();
        let records = [testing::held(), testing::dead(), testing::needs_recovery(), testing::shared()];
        insta::assert_snapshot!(at_every_look(|look| {
            let views: Vec<View<'_>> =
                records.iter().map(|record| View { past: Some(&past), ..view(Ok(Some(record))) }).collect();
            texts(&views, look)
        }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let dead = testing::dead();
        let shown = text(view(Ok(Some(&dead))), Look::PLAIN);
        for part in [
            "state  held for 50 min, looks dead (generation 100)\n",
            "no sign of life for 41 min 40 s, its lease was 3 min: whoever waits takes over\n",
            "asked to stop by frank 1 min ago (\"stuck\")\n",
        ] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
        let rescued = testing::needs_recovery();
        let shown = text(view(Ok(Some(&rescued))), Look::PLAIN);
        for part in [
            "state  free for 10 min, the last run crashed, needs recovery (generation 100)\n",
            "rescue the state of run 127, 10 min ago, was not written and is kept in /srv/.tfguard/rescue/errored-1.tfstate: bob",
            "last   run 127 crashed with exit code 1 after 5 min, 10 min ago: bob on gl-3, for !12",
        ] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
        let shared = testing::shared();
        let shown = text(view(Ok(Some(&shared))), Look::PLAIN);
        assert!(shown.contains("state  shared by 2 for 40 s (generation 100)\n"), "{shown}");
    }

    #[test]
    fn colour_marks_the_state_and_dims_what_matters_less() {
        let record = testing::held();
        let plain = text(view(Ok(Some(&record))), Look::PLAIN);
        let shown = text(view(Ok(Some(&record))), Look { colour: true, width: None });
        assert!(
            shown.contains("state  \u{1b}[33mheld for 4 min 31 s, 2 waiting\u{1b}[0m (generation"),
            "{shown:?}"
        );
        assert!(shown.contains("\u{1b}[2msession 01a1"), "{shown:?}");
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), plain);
    }

    #[test]
    fn a_held_lock_for_programs() {
        let (mut record, past) = (testing::needs_recovery(), testing::past());
        let held = testing::held();
        (record.holders, record.queue) = (held.holders, held.queue);
        let document = document(View { past: Some(&past), ..view(Ok(Some(&record))) });
        assert_eq!((&document["lock"], &document["state"]), (&json!("prod"), &json!("held")));
        assert_eq!((&document["generation"], &document["runs"]), (&json!(100), &json!(127)));
        let holder = &document["holders"][0];
        assert_eq!((&holder["phase"], &holder["looks_dead"]), (&json!("active"), &json!(false)));
        assert_eq!((&holder["lease_ms"], &holder["lease_left_ms"]), (&json!(180_000), &json!(168_000)));
        assert_eq!(
            (&holder["identity"]["actor"], &holder["identity"]["reason"]),
            (&json!("alice"), &Value::Null)
        );
        assert_eq!(holder["granted_at"], "1970-01-01T00:55:29.000000Z");
        assert_eq!(holder["activity"], json!({"phase": "apply", "since": "1970-01-01T00:58:48.000000Z"}));
        assert_eq!(
            (&document["queue"][0]["position"], &document["queue"][1]["mode"]),
            (&json!(1), &json!("shared"))
        );
        assert_eq!(document["queue"][0]["estimate"]["runs"], 12);
        assert_eq!(
            (&document["last"]["outcome"], &document["last"]["exit_code"]),
            (&json!("crashed"), &json!(1))
        );
        assert_eq!(document["needs_recovery"][0]["path"], "/srv/.tfguard/rescue/errored-1.tfstate");
        assert_eq!(document["applied"]["generation"], 99);
    }

    #[test]
    fn free_never_held_and_unreadable() {
        let (never, free) = (Record::new(now()), testing::free());
        let unreadable = RecordError::Schema(9);
        for (record, state, shown) in [
            (Ok(None), "free", "state  free, never held\n"),
            (Ok(Some(&never)), "free", "state  free (generation 3600)\n"),
            (Ok(Some(&free)), "free", "state  free for 16 min 40 s (generation 100)\n"),
            (Err(&unreadable), "unreadable", "state  unreadable: its layout is number 9"),
        ] {
            let view = view(record);
            assert!(text(view, Look::PLAIN).contains(shown), "{}", text(view, Look::PLAIN));
            let document = document(view);
            assert_eq!((&document["state"], &document["holders"]), (&json!(state), &json!([])));
            assert_eq!(document["error"].is_string(), state == "unreadable");
        }
    }

    #[test]
    fn a_hostile_record_cannot_add_a_line_or_leave_its_string() {
        let record = testing::hostile();
        let view = View { lock: "a\u{202e}b", ..view(Ok(Some(&record))) };
        let shown = text(view, Look::PLAIN);
        assert_eq!(shown.lines().count(), 17, "{shown}");
        let labels = ["lock   ", "store  ", "state  ", "holder ", "       ", "wait ", "last   "];
        for line in shown.lines() {
            assert!(labels.iter().any(|label| line.starts_with(label)), "{line:?}");
            assert!(!line.contains(escape::is_unsafe) && !line.contains("##"), "{line:?}");
        }
        let document = document(view);
        assert!(!document["holders"][0]["identity"]["actor"].as_str().unwrap().contains('\u{1b}'));
        let rubbish = RecordError::Rubbish("\u{1b}[2J\n::error::".into());
        let unreadable = View { record: Err(&rubbish), ..view };
        assert_eq!(text(unreadable, Look::PLAIN).lines().count(), 3);
        assert!(!text(unreadable, Look::PLAIN).contains('\u{1b}'));
    }
}
