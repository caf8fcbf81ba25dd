//! Foreign text on its way to a terminal, a log, a page or a CI system.

use super::{assert_harmless, assert_json_line, now};
use crate::ci::diagnostic::{Diagnostic, Severity};
use crate::ci::{command, markup, section};
use crate::escape;
use crate::lease::LockName;
use crate::report::{Event, Level, Look, json, text as lines};
use crate::terraform::redact;

/// What comes out has nothing in it that a terminal, a browser or a CI system obeys, and is bounded.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    escaped(&text);
    marked_up(&text);
    commands(&text);
    events(&text);
    named(&text);
    redacted(&text);
}

fn escaped(text: &str) {
    for limit in [0, 1, 7, escape::FIELD, usize::MAX] {
        let shown = escape::bounded(text, limit);
        assert_one_line(&shown);
        // The longest way to write a character, and the sign that something is missing.
        let most = limit.min(text.chars().count()).saturating_mul("\\u{e007f}".len()) + 1;
        assert!(shown.chars().count() <= most, "{} characters of {limit}", shown.chars().count());
    }
    assert_eq!(escape::field(&escape::field(text)).chars().take(100).collect::<String>(), {
        escape::field(text).chars().take(100).collect::<String>()
    });
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        let document = serde_json::to_string_pretty(&value).unwrap();
        let shown = escape::in_json(&document);
        assert_harmless(&shown);
        // Not with `value`: serde_json may read what it wrote as the number next to it.
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(&document));
    }
}

fn marked_up(text: &str) {
    let plain = |made: &str| {
        assert_harmless(made);
        assert!(!made.contains(['<', '>', '"', '\'', '\n']), "markup: {made:?}");
    };
    plain(&markup::text(text));
    plain(&markup::label(text, 80));
    plain(&markup::lines(text).replace("<br>", ""));
    plain(markup::code(text).strip_prefix("<code>").and_then(|made| made.strip_suffix("</code>")).unwrap());
    let block = markup::block(text);
    assert_harmless(&block);
    assert_eq!(block.matches(['<', '>']).count(), 4, "markup: {block:?}");
    let link = markup::link(text, Some(text));
    assert_harmless(&link);
    assert!([0, 2].contains(&link.matches('<').count()) && [0, 2].contains(&link.matches('"').count()));
    assert!(!link.contains('<') || link.starts_with("<a href=\"http"), "{link:?}");
}

fn commands(text: &str) {
    assert_one_command(&command::group(text));
    for (severity, line) in [(Severity::Error, Some(3)), (Severity::Warning, None)] {
        let found =
            Diagnostic { severity, summary: text.into(), detail: text.into(), file: Some(text.into()), line };
        for file in [None, Some(text)] {
            assert_one_command(&command::annotation(&found, file));
        }
    }
    if let Some(place) = command::place("env/prod", text) {
        assert!(!place.starts_with('/') && place.split('/').all(|part| part != ".."), "{place:?}");
    }
    let begins = section::start(1, text, true, now());
    let marks = |c: char| begins.matches(c).count();
    assert_eq!((marks('\n'), marks('\r'), marks('\u{1b}')), (1, 1, 2), "{begins:?}");
}

/// One workflow command on one line, and nothing behind it.
pub(super) fn assert_one_command(made: &str) {
    let line = made.strip_suffix('\n').unwrap_or_else(|| panic!("no end: {made:?}"));
    assert!(["::group::", "::error ", "::warning "].iter().any(|begin| line.starts_with(begin)), "{made:?}");
    assert_one_line(line);
    // GitHub takes no more than that of one annotation.
    assert!(line.len() < 64 * 1024, "{} bytes", line.len());
}

fn assert_one_line(shown: &str) {
    assert_harmless(shown);
    assert!(!shown.contains('\n') && !shown.contains("##"), "a line of its own: {shown:?}");
}

fn events(text: &str) {
    let event = Event::say(Level::Warn, text);
    for look in [Look::PLAIN, Look { width: Some(0), colour: false }, Look { width: Some(60), colour: false }]
    {
        let shown = lines::lines(&event, now(), look);
        assert_harmless(&shown);
        assert!(shown.lines().all(|line| line.starts_with(lines::PREFIX)), "a forged line: {shown:?}");
        assert!(shown.is_empty() || shown.ends_with('\n'), "{shown:?}");
        assert!(!shown.contains("##"), "{shown:?}");
    }
    assert_json_line(&json::line(&event, now()));
}

/// A name that may be a lock's is the same again in every store.
fn named(text: &str) {
    let Ok(name) = LockName::new(text) else { return };
    assert!(!name.run_key(7).is_empty() && name.key().ends_with(text));
    assert_eq!(name.run_key(7).split('#').count(), 2, "another lock's history");
}

/// A flag that we do not know gives nothing away, however it is written.
fn redacted(text: &str) {
    let secret = "hunter2";
    if text.contains(secret) || text.contains('\0') {
        return;
    }
    let words = || text.lines().take(8).map(std::ffi::OsString::from);
    for flag in ["-var=x=hunter2", "--var=x=hunter2", "-token=hunter2", "-backend-config=hunter2=="] {
        let args: Vec<_> = words().chain([flag.into()]).collect();
        assert!(!redact::terraform(&args).concat().contains(secret), "{args:?}");
    }
}
