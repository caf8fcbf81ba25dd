//! The page of a run, as Markdown for GitHub's step summary. Pure.

use std::fmt::Write;

use jiff::Timestamp;

use super::change::{Action, Change};
use super::command::place;
use super::diagnostic::Severity;
use super::markup;
use super::mermaid;
use super::note::{Note, Queue, Sum};
use crate::lease::Counts;
use crate::report::event::RunOutcome;
use crate::report::{Level, human};

/// Bytes of a page. GitHub takes no more than 1 MiB of one step, for all that it runs.
pub const MOST: usize = 512 * 1024;
/// What is kept free for the word that something is missing.
const RESERVE: usize = 300;

/// What the page is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// `apply` and the like.
    pub command: String,
    /// The directory, relative to the repository; empty: the repository itself.
    pub directory: String,
}

/// The page, in at most `budget` bytes; `None` where not even its head has room.
pub fn page(subject: &Subject, note: &Note, now: Timestamp, budget: usize) -> Option<String> {
    let mut page = Page { text: String::new(), budget: budget.min(MOST).checked_sub(RESERVE)?, left_out: 0 };
    if !page.add(&head(subject, note)) {
        return None;
    }
    page.add(&facts(subject, note));
    troubles(&mut page, subject, note);
    for queue in note.queues.values() {
        page.add(&waited(queue, now));
    }
    changes(&mut page, note);
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
}

fn head(subject: &Subject, note: &Note) -> String {
    let Subject { command, directory } = subject;
    let place = match directory.is_empty() {
        true => String::new(),
        false => format!(" in {}", markup::code(directory)),
    };
    let (sign, word) = match &note.sum {
        Some(sum) => verdict(command, sum),
        None => ("❌", "failed"),
    };
    let counts = note.sum.as_ref().and_then(|sum| sum.changes).filter(|counts| *counts != Counts::default());
    let counts = counts.map_or(String::new(), |counts| format!(" ({})", count(counts, word)));
    format!("### {sign} tfguard {}{place}: {word}{counts}\n\n", markup::text(command))
}

fn verdict(command: &str, sum: &Sum) -> (&'static str, &'static str) {
    let nothing = sum.changes == Some(Counts::default());
    match (sum.outcome, command) {
        (RunOutcome::NoChanges, _) => ("✅", "no changes"),
        (RunOutcome::Succeeded, "plan" | "apply" | "destroy") if nothing => ("✅", "no changes"),
        (RunOutcome::Succeeded, "apply" | "run") => ("✅", "applied"),
        (RunOutcome::Succeeded, "destroy") => ("✅", "destroyed"),
        (RunOutcome::Succeeded, "plan") => ("📝", "planned"),
        // With -detailed-exitcode.
        (RunOutcome::Failed, "plan") if sum.exit_code == 2 && sum.changes.is_some() => ("📝", "planned"),
        (RunOutcome::Succeeded, "drift") => ("✅", "no drift"),
        (RunOutcome::Succeeded, _) => ("✅", "succeeded"),
        (RunOutcome::Drift, _) => ("🔎", "drift"),
        (RunOutcome::Declined, _) => ("✋", "declined, nothing was applied"),
        (RunOutcome::Cancelled, _) => ("🚫", "cancelled"),
        (RunOutcome::NotAcquired, _) => ("⏳", "lock not got, nothing was run"),
        (RunOutcome::Refused, _) => ("⛔", "refused, nothing was run"),
        (RunOutcome::Lost, _) => ("❌", "lock lost"),
        (RunOutcome::Failed, _) => ("❌", "failed"),
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
    let mut rows = String::from("| | |\n|---|---|\n");
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(rows, "| {name} | {value} |");
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
    row("Waited", &human::duration(sum.waited));
    if let Some(held) = sum.held {
        row("Held", &human::duration(held));
    }
    for (phase, result, took) in &note.phases {
        let name = format!("Phase {}", phase.as_str());
        row(&name, &format!("{}, {}", result.as_str().replace('_', " "), human::duration(*took)));
    }
    // 2 is no fault where it was asked for.
    if sum.exit_code != 0 || subject.command == "drift" {
        row("Exit code", &sum.exit_code.to_string());
    }
    rows.push('\n');
    rows
}

fn troubles(page: &mut Page, subject: &Subject, note: &Note) {
    let terraforms = note.diagnostics.iter().map(|found| {
        let at = match (&found.file, found.line) {
            (Some(file), Some(line)) => {
                let file = place(&subject.directory, file).unwrap_or_else(|| file.clone());
                format!(" ({})", markup::code(&format!("{file}:{line}")))
            }
            _ => String::new(),
        };
        let detail = match found.detail.is_empty() {
            true => String::new(),
            false => format!("<br>{}", markup::block(&found.detail)),
        };
        (found.severity, format!("**{}**{at}{detail}", markup::text(&found.summary)))
    });
    let own = note.said.iter().map(|(level, text)| {
        let severity = if *level == Level::Error { Severity::Error } else { Severity::Warning };
        (severity, markup::block(text))
    });
    let all: Vec<(Severity, String)> = terraforms.chain(own).collect();
    for (severity, title) in [(Severity::Error, "Errors"), (Severity::Warning, "Warnings")] {
        let mut titled = false;
        for (_, text) in all.iter().filter(|(of, _)| *of == severity) {
            let heading = if titled { String::new() } else { format!("#### {title}\n\n") };
            titled |= page.add(&format!("{heading}- {text}\n"));
        }
        if titled {
            page.add("\n");
        }
    }
    page.left_out += note.more;
}

fn waited(queue: &Queue, now: Timestamp) -> String {
    let lock = markup::code(queue.lock.as_str());
    let mut text = format!("#### The queue of {lock} when this run came\n\n{}\n", mermaid::picture(queue));
    if !queue.met.is_empty() {
        text.push_str("Held meanwhile by:\n\n");
    }
    for met in &queue.met {
        let identity = &met.identity;
        let name = identity.actor.as_deref().or(identity.host.as_deref()).unwrap_or("someone");
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
        let _ = writeln!(text, "- {line}, since {} ago", human::since(met.since, now));
    }
    text.push('\n');
    text
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
    let each: Vec<String> = each.iter().map(|(action, count)| format!("{count} {}", action.word())).collect();
    let applies = all.iter().any(|change| change.done);
    let (column, rule) = if applies { (" Done |", "---|") } else { ("", "") };
    let head =
        format!("#### Changes: {}\n\n| Action | Resource |{column}\n|---|---|{rule}\n", each.join(", "));
    if page.add(&head) {
        for change in all {
            let done = match (applies, change.done) {
                (false, _) => "",
                (true, true) => " ✓ |",
                (true, false) => " no |",
            };
            page.add(&format!("| {} | {} |{done}\n", change.action.word(), markup::code(&change.address)));
        }
    }
    page.left_out += note.changes.more();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    fn shown(subject: &Subject, note: &Note) -> String {
        page(subject, note, Timestamp::from_second(240).unwrap(), MOST).unwrap()
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
                "### ✅ tfguard apply in <code>env/prod</code>: applied (1 added, 0 changed, 0 destroyed)",
            ),
            (
                "apply",
                RunOutcome::Succeeded,
                0,
                counts(0),
                "### ✅ tfguard apply in <code>env/prod</code>: no changes",
            ),
            (
                "plan",
                RunOutcome::Failed,
                2,
                counts(1),
                "### 📝 tfguard plan in <code>env/prod</code>: planned (1 to add, 0 to change, 0 to destroy)",
            ),
            ("plan", RunOutcome::Failed, 1, None, "### ❌ tfguard plan in <code>env/prod</code>: failed"),
            (
                "run",
                RunOutcome::NoChanges,
                0,
                None,
                "### ✅ tfguard run in <code>env/prod</code>: no changes",
            ),
            (
                "run",
                RunOutcome::Cancelled,
                143,
                None,
                "### 🚫 tfguard run in <code>env/prod</code>: cancelled",
            ),
            (
                "exec",
                RunOutcome::NotAcquired,
                75,
                None,
                "### ⏳ tfguard exec in <code>env/prod</code>: lock not got, nothing was run",
            ),
        ] {
            let shown = shown(&subject(command), &noted(&[summed(outcome, code, changes)]));
            assert!(shown.starts_with(&format!("{head}\n")), "{shown}");
        }
    }

    #[test]
    fn all_that_was_noted_is_there() {
        let mut note = noted(&[summed(RunOutcome::Failed, 1, None), Event::say(Level::Warn, "mind <b>")]);
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
            "| Lock | <code>prod</code>, generation 7 |\n| Waited | 1m 12s |\n| Held | 5s |\n| Exit code | 1 |",
            "#### Errors\n\n- **Bad** (<code>env/prod/main.tf&#58;3</code>)<br>It is<br>bad\n",
            "#### Warnings\n\n- mind &#60;b&#62;\n",
            "```mermaid\n",
            "- [alice](https://ci.example/1), since 4m ago\n",
            "#### Changes: 1 destroy, 1 create\n",
            "| destroy | <code>a.c&#91;&#34;&#124;&#34;&#93;</code> | no |\n| create | <code>a.b</code> | ✓ |\n",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
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
        assert!(whole.contains("> Cut at 512 KiB: 1"), "{}", &whole[whole.len() - 300..]);
        let small = page(&subject("plan"), &note, Timestamp::UNIX_EPOCH, 4000).unwrap();
        assert!(small.len() <= 4000 && small.contains("Cut at 3 KiB"), "{small}");
        assert_eq!(page(&subject("plan"), &note, Timestamp::UNIX_EPOCH, 310), None);
    }
}
