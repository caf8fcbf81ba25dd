//! The page of a run, for GitHub's step summary: HTML, as [`markup`] says why, and one picture. Pure.

use std::fmt::Write;
use std::time::Duration;

use super::change::{Action, Change};
use super::command::place;
use super::diagnostic::{Diagnostic, Severity};
use super::markup;
use super::mermaid;
use super::note::{Note, Queue, Sum};
use crate::error::exit;
use crate::lease::{Counts, Identity};
use crate::report::event::RunOutcome;
use crate::report::{Level, human};

/// Bytes of a page. GitHub takes no more than 1 MiB of one step, for all that it runs.
pub const MOST: usize = 512 * 1024;
/// What is kept free for the word that something is missing, and for what has to be closed.
const RESERVE: usize = 400;
/// A longer table is folded.
const OPEN: usize = 25;
/// A shorter wait is none.
const SHORT: Duration = Duration::from_secs(1);
/// Holders that are named beside the time that was waited for them.
const NAMED: usize = 3;

/// What the page is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// `apply` and the like; empty: not known.
    pub command: String,
    /// The directory, relative to the repository; empty: the repository itself.
    pub directory: String,
}

/// The page, in at most `budget` bytes; `None` where not even its head has room.
pub fn page(subject: &Subject, note: &Note, budget: usize) -> Option<String> {
    let mut page = Page { text: String::new(), budget: budget.min(MOST).checked_sub(RESERVE)?, left_out: 0 };
    if !page.add(&head(subject, note)) {
        return None;
    }
    page.add(&facts(subject, note));
    troubles(&mut page, subject, note);
    // What changed is looked for first, and may need all the room there is.
    let queues: Vec<String> = note.queues.values().map(waited).collect();
    let kept = queues.iter().map(String::len).sum::<usize>();
    page.budget = page.budget.saturating_sub(kept);
    changes(&mut page, note);
    page.budget += kept;
    for queue in &queues {
        page.add(queue);
    }
    if page.left_out > 0 {
        let lines = page.left_out;
        // Writing into a String cannot fail.
        let _ = write!(
            page.text,
            "\n> [!NOTE]\n> Cut at {} KiB: {lines} more are not shown; the log has them all.\n",
            budget.min(MOST) / 1024
        );
    }
    page.text.push('\n');
    Some(page.text)
}

/// A page with an end.
struct Page {
    text: String,
    budget: usize,
    left_out: u64,
}

impl Page {
    /// Adds it if there is room for the whole, and else counts it.
    fn add(&mut self, part: &str) -> bool {
        let fits = self.text.len() + part.len() <= self.budget;
        match fits {
            true => self.text.push_str(part),
            false => self.left_out += 1,
        }
        fits
    }

    /// Ends what was begun. There is room for it.
    fn close(&mut self, end: &str) {
        self.text.push_str(end);
    }
}

fn head(subject: &Subject, note: &Note) -> String {
    let Subject { command, directory } = subject;
    let place = match directory.is_empty() {
        true => String::new(),
        false => format!(" in {}", markup::code(directory)),
    };
    let (sign, word) = match &note.sum {
        Some(sum) => verdict(command, sum, note.ran),
        None => ("❌", "failed"),
    };
    let counts = note.sum.as_ref().and_then(|sum| sum.changes).filter(|counts| *counts != Counts::default());
    let planned = if matches!(word, "applied" | "destroyed" | "planned") { "" } else { "planned: " };
    let counts = counts.map_or(String::new(), |counts| format!(" ({planned}{})", count(counts, word)));
    let command = match command.is_empty() {
        true => String::new(),
        false => format!(" {}", markup::text(command)),
    };
    format!("<h3>{sign} tfguard{command}{place}: {word}{counts}</h3>\n\n")
}

fn verdict(command: &str, sum: &Sum, ran: bool) -> (&'static str, &'static str) {
    let nothing = sum.changes == Some(Counts::default());
    match (sum.outcome, command) {
        (RunOutcome::NoChanges, _) => ("✅", "no changes"),
        (RunOutcome::Succeeded, "plan" | "apply" | "destroy") if nothing => ("✅", "no changes"),
        (RunOutcome::Succeeded, "apply" | "run") => ("✅", "applied"),
        (RunOutcome::Succeeded, "destroy") => ("✅", "destroyed"),
        (RunOutcome::Succeeded, "plan") => ("📝", "planned"),
        (RunOutcome::Succeeded, "drift") => ("✅", "no drift"),
        (RunOutcome::Succeeded, _) => ("✅", "succeeded"),
        (RunOutcome::Drift, _) => ("🔎", "drift"),
        (RunOutcome::Declined, _) => ("✋", "declined, nothing was applied"),
        (RunOutcome::Cancelled, _) if !ran => ("🚫", "cancelled, nothing was run"),
        (RunOutcome::Cancelled, _) => ("🚫", "cancelled"),
        (RunOutcome::NotAcquired, _) => ("⏳", "lock not got, nothing was run"),
        (RunOutcome::Refused, _) => ("⛔", "refused, nothing was run"),
        (RunOutcome::Lost, _) => ("❌", "lock lost"),
        (RunOutcome::Failed, _) if !ran => ("⛔", "nothing was run"),
        (RunOutcome::Failed, _) => ("❌", "failed"),
    }
}

/// What an exit code of our own means; nothing for those of the child.
fn meaning(code: u8) -> &'static str {
    match code {
        exit::USAGE => ": wrong usage",
        exit::NO_INPUT => ": nothing to work on",
        exit::UNAVAILABLE => ": a service cannot be reached",
        exit::SOFTWARE => ": a bug in tfguard",
        exit::CREDENTIALS => ": credentials",
        exit::CONFIG => ": wrong set-up",
        exit::CANNOT_RUN => ": the command cannot be run",
        exit::NOT_FOUND => ": the command cannot be found",
        _ => "",
    }
}

fn count(counts: Counts, word: &str) -> String {
    let Counts { add, change, destroy, import } = counts;
    if matches!(word, "applied" | "destroyed") {
        let import = if import > 0 { format!("{import} imported, ") } else { String::new() };
        return format!("{import}{add} added, {change} changed, {destroy} destroyed");
    }
    let import = if import > 0 { format!("{import} to import, ") } else { String::new() };
    format!("{import}{add} to add, {change} to change, {destroy} to destroy")
}

fn facts(subject: &Subject, note: &Note) -> String {
    let Some(sum) = &note.sum else { return String::new() };
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(rows, "<tr><th align=\"left\">{name}</th><td>{value}</td></tr>");
    };
    for served in &sum.locks {
        let mut value = markup::code(served.lock.as_str());
        if let Some(got) = note.got.get(served.lock.as_str()) {
            match got.inherited {
                true => value.push_str(", of the tfguard that started this one"),
                false => {
                    let _ = write!(value, " in {}", markup::text(&got.store));
                }
            }
        }
        if let Some(generation) = served.generation {
            let _ = write!(value, ", generation {generation}");
        }
        if let Some(held) = served.held.filter(|_| sum.locks.len() > 1) {
            let _ = write!(value, ", held {}", human::duration(held));
        }
        row("Lock", &value);
    }
    if !sum.locks.is_empty() {
        let waited = match sum.waited < SHORT {
            true => "less than a second".to_owned(),
            false => human::duration(sum.waited),
        };
        row("Waited", &(waited + &waited_for(note)));
    }
    if let Some(held) = sum.held {
        row("Held", &human::duration(held));
    }
    for (phase, result, took) in &note.phases {
        let name = format!("Phase {}", phase.as_str());
        row(&name, &format!("{}, {}", result.as_str().replace('_', " "), human::duration(*took)));
    }
    // 2 is no fault where it was asked for.
    if sum.exit_code != 0 || subject.command == "drift" {
        let meaning = if note.ran { "" } else { meaning(sum.exit_code) };
        row("Exit code", &format!("{}{meaning}", sum.exit_code));
    }
    match rows.is_empty() {
        true => rows,
        false => format!("<table>\n{rows}</table>\n\n"),
    }
}

/// Those who held the locks meanwhile, with links.
fn waited_for(note: &Note) -> String {
    let met: Vec<&Identity> =
        note.queues.values().flat_map(|queue| &queue.met).map(|met| &met.identity).collect();
    if met.is_empty() {
        return String::new();
    }
    let mut links: Vec<String> = met
        .iter()
        .take(NAMED)
        .map(|identity| markup::link(name(identity), identity.url.as_deref()))
        .collect();
    if let Some(more @ 1..) = met.len().checked_sub(NAMED) {
        links.push(format!("{more} more"));
    }
    format!(", for {}", links.join(", "))
}

fn name(identity: &Identity) -> &str {
    identity.actor.as_deref().or(identity.host.as_deref()).unwrap_or("someone")
}

fn troubles(page: &mut Page, subject: &Subject, note: &Note) {
    let terraforms = note.diagnostics.iter().map(|found| (found.severity, diagnostic(subject, found)));
    let own = note.said.iter().map(|(level, text)| {
        let severity = if *level == Level::Error { Severity::Error } else { Severity::Warning };
        (severity, format!("<ul><li>{}</li></ul>\n\n", markup::lines(text)))
    });
    let all: Vec<(Severity, String)> = terraforms.chain(own).collect();
    for (severity, title) in [(Severity::Error, "❌ Errors"), (Severity::Warning, "⚠️ Warnings")] {
        let mut titled = false;
        for (_, text) in all.iter().filter(|(of, _)| *of == severity) {
            let heading = if titled { String::new() } else { format!("<h4>{title}</h4>\n\n") };
            titled |= page.add(&format!("{heading}{text}"));
        }
    }
    page.left_out += note.more;
}

/// One of Terraform's, unfolded where it is an error.
fn diagnostic(subject: &Subject, found: &Diagnostic) -> String {
    let at = match (&found.file, found.line) {
        (Some(file), Some(line)) => {
            let file = place(&subject.directory, file).unwrap_or_else(|| file.clone());
            format!(" {}", markup::code(&format!("{file}:{line}")))
        }
        _ => String::new(),
    };
    let summary = format!("<b>{}</b>{at}", markup::text(&found.summary));
    if found.detail.is_empty() {
        return format!("<ul><li>{summary}</li></ul>\n\n");
    }
    let open = if found.severity == Severity::Error { " open" } else { "" };
    let detail = markup::block(&found.detail);
    format!("<details{open}><summary>{summary}</summary>\n{detail}\n</details>\n\n")
}

fn waited(queue: &Queue) -> String {
    let lock = markup::code(queue.lock.as_str());
    let mut text =
        format!("<h4>The queue of {lock} when this run came</h4>\n\n{}\n", mermaid::picture(queue));
    if queue.met.is_empty() {
        return text;
    }
    text.push_str("Held meanwhile by\n\n<ul>\n");
    for met in &queue.met {
        let identity = &met.identity;
        let name = name(identity);
        let mut line = markup::link(name, identity.url.as_deref());
        if let Some(host) = identity.host.as_deref().filter(|host| *host != name) {
            let _ = write!(line, " on {}", markup::text(host));
        }
        if let Some(change) = &identity.change {
            let _ = write!(line, ", for {}", markup::text(change));
        }
        if let Some(command) = &identity.command {
            let _ = write!(line, ", running {}", markup::code(command));
        }
        if let Some(reason) = &identity.reason {
            let _ = write!(line, ", because “{}”", markup::text(reason));
        }
        let since = met.since.strftime("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(text, "<li>{line}, since {since}</li>");
    }
    text.push_str("</ul>\n\n");
    text
}

/// A colour that is known from code reviews.
const fn sign(action: Action) -> &'static str {
    match action {
        Action::Delete => "🟥",
        Action::Replace => "🟧",
        Action::Update => "🟨",
        Action::Create => "🟩",
        Action::Import => "🟦",
        Action::Move | Action::Forget => "⬜",
    }
}

fn changes(page: &mut Page, note: &Note) {
    let mut all: Vec<&Change> = note.changes.all().iter().collect();
    if all.is_empty() {
        return;
    }
    // What takes something away comes first; among equals the order in which it was told.
    all.sort_by_key(|change| change.action);
    let mut each: Vec<(Action, usize)> = Vec::new();
    for change in &all {
        match each.last_mut() {
            Some((action, count)) if *action == change.action => *count += 1,
            _ => each.push((change.action, 1)),
        }
    }
    let each: Vec<String> =
        each.iter().map(|(action, count)| format!("{} {count} {}", sign(*action), action.word())).collect();
    let applies = all.iter().any(|change| change.done);
    let column = if applies { "<th>Done</th>" } else { "" };
    let open = if all.len() <= OPEN { " open" } else { "" };
    let head = format!(
        "<h4>Changes</h4>\n\n<details{open}><summary>{}</summary>\n\n<table>\n\
         <tr><th align=\"left\">Action</th><th align=\"left\">Resource</th>{column}</tr>\n",
        each.join(", ")
    );
    if page.add(&head) {
        for change in all {
            let done = match (applies, change.done) {
                (false, _) => "",
                (true, true) => "<td>✓</td>",
                (true, false) => "<td>no</td>",
            };
            let (sign, word) = (sign(change.action), change.action.word());
            let address = markup::code(&change.address);
            page.add(&format!("<tr><td>{sign} {word}</td><td>{address}</td>{done}</tr>\n"));
        }
        page.close("</table>\n\n</details>\n\n");
    }
    page.left_out += note.changes.more();
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ci::change::Told;
    use crate::ci::diagnostic::Diagnostic;
    use crate::ci::note::testing;
    use crate::lease::LockName;
    use crate::report::event::{Event, Served};

    fn subject(command: &str) -> Subject {
        Subject { command: command.into(), directory: "env/prod".into() }
    }

    fn summed(outcome: RunOutcome, exit_code: u8, changes: Option<Counts>) -> Event {
        let lock = LockName::new("prod").unwrap();
        Event::RunSummary {
            session: Some("01-s".into()),
            locks: vec![Served { lock, generation: Some(7), held: None }],
            outcome,
            exit_code,
            waited: Duration::from_secs(72),
            held: Some(Duration::from_secs(5)),
            changes,
        }
    }

    fn noted(events: &[Event]) -> Note {
        let mut note = Note::default();
        events.iter().for_each(|event| note.event(event, Timestamp::UNIX_EPOCH));
        note
    }

    /// With a child.
    fn ran(events: &[Event]) -> Note {
        Note { ran: true, ..noted(events) }
    }

    fn shown(subject: &Subject, note: &Note) -> String {
        page(subject, note, MOST).unwrap()
    }

    #[test]
    fn the_head_says_what_came_of_it() {
        let counts = |add| Some(Counts { add, ..Counts::default() });
        for (command, outcome, code, changes, head) in [
            (
                "apply",
                RunOutcome::Succeeded,
                0,
                counts(1),
                "✅ tfguard apply in <code>env/prod</code>: applied (1 added, 0 changed, 0 destroyed)",
            ),
            (
                "apply",
                RunOutcome::Succeeded,
                0,
                counts(0),
                "✅ tfguard apply in <code>env/prod</code>: no changes",
            ),
            (
                "plan",
                RunOutcome::Succeeded,
                2,
                counts(1),
                "📝 tfguard plan in <code>env/prod</code>: planned (1 to add, 0 to change, 0 to destroy)",
            ),
            ("plan", RunOutcome::Failed, 1, None, "❌ tfguard plan in <code>env/prod</code>: failed"),
            ("run", RunOutcome::NoChanges, 0, None, "✅ tfguard run in <code>env/prod</code>: no changes"),
            ("run", RunOutcome::Cancelled, 143, None, "🚫 tfguard run in <code>env/prod</code>: cancelled"),
            (
                "exec",
                RunOutcome::NotAcquired,
                75,
                None,
                "⏳ tfguard exec in <code>env/prod</code>: lock not got, nothing was run",
            ),
        ] {
            let shown = shown(&subject(command), &ran(&[summed(outcome, code, changes)]));
            assert!(shown.starts_with(&format!("<h3>{head}</h3>\n\n")), "{shown}");
        }
    }

    #[test]
    fn all_that_was_noted_is_there() {
        let mut note = ran(&[summed(RunOutcome::Failed, 1, None), Event::say(Level::Warn, "mind <b>")]);
        note.diagnostic(Diagnostic {
            severity: Severity::Error,
            summary: "Bad".into(),
            detail: "It is\nbad".into(),
            file: Some("main.tf".into()),
            line: Some(3),
        });
        note.queues.insert("prod".into(), testing::queue(2, &["alice"]));
        note.changes.note(Told::Planned("a.b".into(), Action::Create));
        note.changes.note(Told::Planned("a.c[\"|\"]".into(), Action::Delete));
        note.changes.note(Told::Done("a.b".into(), Action::Create));
        let shown = shown(&subject("apply"), &note);
        for part in [
            "<tr><th align=\"left\">Lock</th><td><code>prod</code>, generation 7</td></tr>\n",
            "Waited</th><td>1 min 12 s, for <a href=\"https://ci.example/1\">alice</a></td></tr>\n",
            "Held</th><td>5 s</td></tr>\n",
            "Exit code</th><td>1</td></tr>\n</table>\n\n",
            "<h4>❌ Errors</h4>\n\n<details open><summary><b>Bad</b> <code>env/prod/main.tf:3</code></summary>\n\n\
             <pre>It is\nbad</pre>\n\n</details>\n\n",
            "<h4>⚠️ Warnings</h4>\n\n<ul><li>mind &lt;b&gt;</li></ul>\n\n",
            "\n\n```mermaid\n",
            "<li><a href=\"https://ci.example/1\">alice</a>, since 1970-01-01 00:00 UTC</li>\n",
            "<summary>🟥 1 destroy, 🟩 1 create</summary>",
            "<tr><td>🟥 destroy</td><td><code>a.c[&quot;|&quot;]</code></td><td>no</td></tr>\n\
             <tr><td>🟩 create</td><td><code>a.b</code></td><td>✓</td></tr>\n</table>\n\n</details>\n",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }

    #[test]
    fn what_was_refused_before_it_began_says_why() {
        let note = noted(&[
            Event::say(Level::Error, "no option --lokc"),
            Event::RunSummary {
                session: None,
                locks: Vec::new(),
                outcome: RunOutcome::Failed,
                exit_code: 64,
                waited: Duration::ZERO,
                held: None,
                changes: None,
            },
        ]);
        assert_eq!(
            page(&Subject::default(), &note, MOST).unwrap(),
            "<h3>⛔ tfguard: nothing was run</h3>\n\n<table>\n<tr><th align=\"left\">Exit code</th><td>64: wrong \
             usage</td></tr>\n</table>\n\n<h4>❌ Errors</h4>\n\n<ul><li>no option --lokc</li></ul>\n\n\n"
        );
    }

    #[test]
    fn a_page_that_is_too_long_says_so() {
        let mut note = noted(&[summed(RunOutcome::Succeeded, 0, None)]);
        for number in 0..20_000 {
            note.changes
                .note(Told::Planned(format!("module.{}.a.b{number}", "x".repeat(100)), Action::Create));
        }
        let whole = shown(&subject("plan"), &note);
        assert!(whole.len() <= MOST && whole.len() > MOST - 1000, "{}", whole.len());
        let end = &whole[whole.len() - 300..];
        assert!(end.contains("</tr>\n</table>\n\n</details>\n\n\n> [!NOTE]\n> Cut at 512 KiB: 1"), "{end}");
        assert!(whole.contains("<details><summary>"), "folded");
        let small = page(&subject("plan"), &note, 4000).unwrap();
        assert!(small.len() <= 4000 && small.contains("Cut at 3 KiB"), "{small}");
        assert_eq!(page(&subject("plan"), &note, RESERVE + 10), None);
    }
}
