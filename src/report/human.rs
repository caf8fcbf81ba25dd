//! Durations, names and signals as people read them. Everything that comes from a record is
//! escaped here.

use std::time::Duration;

use jiff::Timestamp;

use super::event::Party;
use crate::escape;
use crate::history::Estimate;
use crate::lease::{Identity, Mode, Phase};

/// Two units at most: `0.3 s`, `12 s`, `1 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |big: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {sub}"),
    };
    match seconds {
        0 if duration.is_zero() => "0 s".to_owned(),
        0 => format!("0.{} s", (duration.subsec_millis() / 100).max(1)),
        1..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86400 => pair(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => pair(seconds / 86400, "d", seconds / 3600 % 24, "h"),
    }
}

/// A time of day, in UTC since those who read it may be anywhere, with the day where that is not
/// today's: `14:03:12 UTC`, `2026-11-20 14:03:12 UTC`.
pub fn time(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%F").to_string();
    match day(at) == day(now) {
        true => at.strftime("%T UTC").to_string(),
        false => at.strftime("%F %T UTC").to_string(),
    }
}

/// How long ago, by wall clocks that may differ: never less than nothing.
pub fn since(then: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(then)).unwrap_or_default();
    duration(Duration::from_secs(passed.as_secs()).max(Duration::from_secs(1)))
}

/// How long from now, by the wall clock; zero when it is past.
pub fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

/// `alice on host (https://…), running `terraform apply``; what is unknown is left out.
pub fn identity(identity: &Identity) -> String {
    let known = |text: &Option<String>| {
        text.as_deref().filter(|text| !text.is_empty()).map(|text| escape::field(text).into_owned())
    };
    let mut shown = known(&identity.actor).unwrap_or_else(|| "someone".into());
    if let Some(host) = known(&identity.host) {
        shown.push_str(&format!(" on {host}"));
    }
    if let Some(url) = known(&identity.url) {
        shown.push_str(&format!(" ({url})"));
    }
    if let Some(change) = known(&identity.change) {
        shown.push_str(&format!(", for {change}"));
    }
    if let Some(command) = known(&identity.command) {
        shown.push_str(&format!(", running `{command}`"));
    }
    if let Some(reason) = known(&identity.reason) {
        shown.push_str(&format!(", because \"{reason}\""));
    }
    shown
}

/// A holder with the time it has held for.
pub fn holder(party: &Party, now: Timestamp) -> String {
    let shared = if party.mode == Mode::Shared { ", shared" } else { "" };
    let granted = if party.phase == Some(Phase::Granted) { ", about to start" } else { "" };
    let phase = party.activity.as_ref().map_or(String::new(), |activity| {
        let phase = escape::field(&activity.phase);
        format!(", in phase {phase} for {}", since(activity.since(), now))
    });
    format!("{}{shared}{granted}, for {}{phase}", identity(&party.identity), since(party.since, now))
}

/// A holder in a few words: for how long, who, in which phase.
pub fn holder_in_short(party: &Party, now: Timestamp) -> String {
    let known = |text: &Option<String>| {
        text.as_deref().filter(|text| !text.is_empty()).map(|text| escape::field(text).into_owned())
    };
    let Identity { actor, host, .. } = &party.identity;
    let who = known(actor).or_else(|| known(host)).unwrap_or_else(|| "someone".into());
    let phase = party.activity.as_ref().map(|activity| format!(", in {}", escape::field(&activity.phase)));
    format!("held {} by {who}{}", since(party.since, now), phase.unwrap_or_default())
}

/// How long a wait may take, as a clause that says what it rests on.
pub fn estimate(estimate: Estimate) -> String {
    let Estimate { until, runs } = estimate;
    let by = format!("(going by {runs} past runs)");
    match until.map(|until| (rough(until.median), rough(until.p90))) {
        Some((median, p90)) if median == p90 => format!("ours in about {median} {by}"),
        Some((median, p90)) => format!("ours in about {median}, 9 times in 10 within {p90} {by}"),
        None => format!("held for longer than in any of {runs} past runs"),
    }
}

/// The same in a few words.
pub fn estimate_in_short(estimate: Estimate) -> String {
    match estimate.until {
        Some(until) => format!("ours in about {}", rough(until.median)),
        None => "held longer than usual".to_owned(),
    }
}

/// A length that is a guess: no seconds where there are minutes.
pub fn rough(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    let whole = |unit: u32| Duration::from_secs((seconds / f64::from(unit)).round() as u64 * u64::from(unit));
    duration(match seconds {
        ..60.0 => whole(5).max(Duration::from_secs(5)),
        ..600.0 => whole(30),
        ..7200.0 => whole(60),
        _ => whole(600),
    })
}

/// The usual name of a signal, or its number.
pub fn signal(number: i32) -> String {
    let name = match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Span;

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, shown) in [
            (0, "0 s"),
            (4, "0.1 s"),
            (340, "0.3 s"),
            (12_900, "12 s"),
            (60_000, "1 min"),
            (72_000, "1 min 12 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (100_000_000, "1 d 3 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_gives_no_nonsense() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(since(at(100), at(50)), "1 s");
        assert_eq!(since(at(100), at(220)), "2 min");
    }

    #[test]
    fn a_time_of_another_day_has_its_day() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(time(at(3_723), at(0)), "01:02:03 UTC");
        assert_eq!(time(at(3_723), at(90_000)), "1970-01-01 01:02:03 UTC");
    }

    #[test]
    fn a_guess_is_no_finer_than_it_can_be() {
        let of = |median, p90, runs| {
            let second = Duration::from_secs;
            let until = Some(Span { median: second(median), p90: second(p90) });
            estimate(Estimate { until, runs })
        };
        assert_eq!(of(0, 0, 3), "ours in about 5 s (going by 3 past runs)");
        assert_eq!(of(13, 70, 9), "ours in about 15 s, 9 times in 10 within 1 min (going by 9 past runs)");
        assert_eq!(
            of(247, 9_100, 20),
            "ours in about 4 min, 9 times in 10 within 2 h 30 min (going by 20 past runs)"
        );
        let beyond = Estimate { until: None, runs: 20 };
        assert_eq!(estimate(beyond), "held for longer than in any of 20 past runs");
    }

    #[test]
    fn an_identity_says_what_is_known() {
        assert_eq!(identity(&Identity::default()), "someone");
        let full = Identity {
            actor: Some("alice".into()),
            host: Some("ci-7".into()),
            url: Some("https://ci/1".into()),
            change: Some("#12".into()),
            command: Some("terraform apply".into()),
            reason: Some("hotfix".into()),
            ..Identity::default()
        };
        assert_eq!(
            identity(&full),
            "alice on ci-7 (https://ci/1), for #12, running `terraform apply`, because \"hotfix\""
        );
    }
}
