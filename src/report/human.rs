//! Durations, names and signals as people read them. Everything that comes from a record is
//! escaped here.

use std::time::Duration;

use jiff::Timestamp;

use super::event::Party;
use crate::escape;
use crate::history::Estimate;
use crate::lease::{Identity, Mode, Phase};

/// Two units at most: `340ms`, `12s`, `1m 12s`, `2h 5m`, `3d 4h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |big: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit} {small}{sub}"),
    };
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => pair(seconds / 60, "m", seconds % 60, "s"),
        3600..86400 => pair(seconds / 3600, "h", seconds / 60 % 60, "m"),
        _ => pair(seconds / 86400, "d", seconds / 3600 % 24, "h"),
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

/// How long a wait may take, as a clause.
pub fn estimate(estimate: Estimate) -> String {
    let Estimate { until, runs } = estimate;
    match until {
        Some(until) => format!(
            "probably ours in {}, in 9 of 10 cases within {} (by {runs} past runs)",
            rough(until.median),
            rough(until.p90)
        ),
        None => format!("held for longer than in any of {runs} past runs"),
    }
}

/// A length that is a guess: no seconds where there are minutes.
fn rough(length: Duration) -> String {
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

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, shown) in [
            (0, "0ms"),
            (340, "340ms"),
            (12_900, "12s"),
            (60_000, "1m"),
            (72_000, "1m 12s"),
            (3_600_000, "1h"),
            (7_500_000, "2h 5m"),
            (100_000_000, "1d 3h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_gives_no_nonsense() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(since(at(100), at(50)), "1s");
        assert_eq!(since(at(100), at(220)), "2m");
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
