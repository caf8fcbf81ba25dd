//! The phrases of which text and screens are made. What comes from a record is escaped.

use std::time::Duration;

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::escape;
use crate::history::{Estimate, words::outcome};
use crate::lease::{Activity, Holder, Identity, Intervention, Last, Phase, Rescued};
use crate::report::human;

/// How a lock is meant to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Somebody holds it.
    Busy,
    /// Nobody does.
    Free,
    /// Something is wrong.
    Bad,
}

/// How long ago, in few columns: `12s`, `1m 12s`, `2h 5m`, `3d 4h`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(then)).unwrap_or_default().as_secs();
    let pair = |big: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit} {small}{sub}"),
    };
    match passed.max(1) {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ 60..3600 => pair(seconds / 60, "m", seconds % 60, "s"),
        seconds @ 3600..86400 => pair(seconds / 3600, "h", seconds / 60 % 60, "m"),
        seconds => pair(seconds / 86400, "d", seconds / 3600 % 24, "h"),
    }
}

fn known(text: &Option<String>) -> Option<String> {
    text.as_deref().filter(|text| !text.is_empty()).map(|text| escape::field(text).into_owned())
}

/// `alice on runner-7`.
pub fn name(identity: &Identity) -> String {
    let actor = known(&identity.actor).unwrap_or_else(|| "someone".into());
    match known(&identity.host) {
        Some(host) => format!("{actor} on {host}"),
        None => actor,
    }
}

/// All but the link: `alice on runner-7, for #12, running `terraform apply``.
pub fn who(identity: &Identity) -> String {
    human::identity(&Identity { url: None, ..identity.clone() })
}

/// The link to the job, where there is one.
pub fn link(identity: &Identity) -> Option<String> {
    known(&identity.url)
}

/// `2026-11-21 04:50:12Z`
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How far a holder has come: `in phase apply for 1m 12s, holding for 4m 31s`.
pub fn progress(holder: &Holder, now: Timestamp) -> String {
    if holder.phase == Phase::Granted {
        return format!("granted {} ago, about to start", human::since(holder.granted_at, now));
    }
    let held = human::since(holder.granted_at, now);
    match &holder.activity {
        Some(activity) => format!("{}, holding for {held}", activity_for(activity, now)),
        None => format!("running, holding for {held}"),
    }
}

/// `in phase apply for 1m 12s`
pub fn activity_for(activity: &Activity, now: Timestamp) -> String {
    format!("in phase {} for {}", escape::field(&activity.phase), human::since(activity.since(), now))
}

/// How long the holder's lease lasts from now on, by wall clocks that may differ.
pub fn lease_left(holder: &Holder, now: Timestamp) -> Duration {
    let end = holder.renewed_at.checked_add(Duration::from_millis(holder.lease_ms));
    end.map(|end| human::until(end, now)).unwrap_or_default()
}

/// `last sign of life 12s ago, 2m 48s of its lease of 3m left`.
pub fn pulse(holder: &Holder, now: Timestamp) -> String {
    let silent = human::since(holder.renewed_at, now);
    let lease = human::duration(Duration::from_millis(holder.lease_ms));
    if holder.looks_dead(now) {
        return format!("no sign of life for {silent}, its lease was {lease}: whoever waits takes over");
    }
    match lease_left(holder, now) {
        Duration::ZERO => format!("last sign of life {silent} ago: its lease of {lease} is over"),
        left => format!(
            "last sign of life {silent} ago, {} of its lease of {lease} left",
            human::duration(Duration::from_secs(left.as_secs().max(1)))
        ),
    }
}

/// When the turn of a waiter comes.
pub fn turn(estimate: Estimate) -> String {
    let runs = estimate.runs;
    match estimate.until {
        Some(until) => format!(
            "its turn in about {}, in 9 of 10 cases within {} (by {runs} past runs)",
            human::rough(until.median),
            human::rough(until.p90)
        ),
        None => format!("the lock is held for longer than in any of {runs} past runs"),
    }
}

/// The same where there is little room.
pub fn turn_in_short(estimate: Estimate) -> String {
    match estimate.until {
        Some(until) => format!("in ~{} (≤ {})", human::rough(until.median), human::rough(until.p90)),
        None => "longer than ever".to_owned(),
    }
}

/// `bob 4s ago ("wrong branch")`
pub fn intervention(by: &Intervention, now: Timestamp) -> String {
    format!("{} {} ago (\"{}\")", escape::field(&by.by), human::since(by.at, now), escape::field(&by.reason))
}

/// How the last holder ended: `run 7 released with exit code 0 after 4m 12s, 3h ago`.
pub fn ending(last: &Last, now: Timestamp) -> String {
    let run = last.run.map_or(String::new(), |run| format!("run {run} "));
    let code = last.exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
    let by = last.by.as_ref().map_or(String::new(), |by| format!(" by {}", intervention(by, now)));
    let held =
        last.granted_at.map_or(String::new(), |from| format!(" after {}", human::since(from, last.at)));
    format!("{run}{}{code}{by}{held}, {} ago", outcome(last.outcome), human::since(last.at, now))
}

/// A state that could not be written and has not been pushed yet.
pub fn rescued(rescued: &Rescued, now: Timestamp) -> String {
    let run = rescued.run.map_or(String::new(), |run| format!("run {run}, "));
    format!(
        "the state of {run}{} ago, was not written and is kept in {}",
        human::since(rescued.at, now),
        escape::line(&rescued.path)
    )
}

/// How many columns a character takes.
pub fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// At most `width` columns, cut at the end.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let wide = columns(*c);
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    if width > 0 {
        shown.push('…');
    }
    shown
}

/// At most `width` columns, cut at the beginning: the end of a lock's name tells it apart.
pub fn cut_front(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let wide = columns(*c);
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    let mut kept: Vec<char> = text.chars().rev().take_while(fits).collect();
    if width > 0 {
        kept.push('…');
    }
    kept.iter().rev().collect()
}

/// Lines of at most `width` columns, broken between words where that is possible.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() <= width {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if line.width() + columns(c) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns_and_not_by_characters() {
        assert_eq!((cut("abc", 3), cut("abcd", 3), cut("abcd", 0)), ("abc".into(), "ab…".into(), "".into()));
        assert_eq!((cut_front("abc", 3), cut_front("abcd", 3)), ("abc".into(), "…cd".into()));
        for width in 0..8 {
            assert!(cut("日本語ab日", width).width() <= width);
            assert!(cut_front("日本語ab日", width).width() <= width);
        }
    }

    #[test]
    fn lines_break_between_words_or_where_they_must() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a abcdefgh b", 4), ["a", "abcd", "efgh", "b"]);
        assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
