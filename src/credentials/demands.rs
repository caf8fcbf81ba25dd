//! What the user asks of the child's credentials. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::outlook::{End, Outlook, Source};
use crate::report::human;

/// How long before their end, or before the stop that comes with it, the user is warned.
const WARNING: Duration = Duration::from_secs(10 * 60);

/// `--min-session` and `--stop-before-expiry`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demands {
    /// Nothing is started with credentials that are known to expire sooner.
    pub min_session: Option<Duration>,
    /// The child is stopped this long before they are known to expire.
    pub stop_before: Option<Duration>,
}

impl Demands {
    /// Whether the user wants to know so much that credentials may be asked for.
    pub fn asks(&self) -> bool {
        self.min_session.is_some() || self.stop_before.is_some()
    }

    /// Why nothing may be started at `now`, a sentence.
    pub fn shortfall(&self, outlook: &Outlook, now: Timestamp) -> Option<String> {
        let (needed, option) = self.needed()?;
        let End::At(expires) = outlook.end else { return None };
        let left = human::until(expires, now);
        if left >= needed {
            return None;
        }
        let when = if left.is_zero() {
            format!("expired {} ago ({})", human::since(expires, now), human::time(expires, now))
        } else {
            format!("expire in {} ({})", human::duration(left), human::time(expires, now))
        };
        let mend = match outlook.source {
            Source::Environment => {
                "log in again, or let the CI mint ones that last longer (role-duration-seconds, and the \
                 role's maximum session duration)"
            }
            Source::Files(_) => {
                "log in again, or let the profile ask for a longer session (duration_seconds)"
            }
            Source::Elsewhere => "get ones that last longer",
        };
        Some(format!(
            "the AWS credentials that the command would use, {}, {when}, and {option} asks for {}; {mend}",
            outlook.source.describe(),
            human::duration(needed)
        ))
    }

    /// Why the user's wish cannot be checked, a sentence; `None` when it can, or is none.
    pub fn uncheckable(&self, outlook: &Outlook) -> Option<String> {
        let (_, option) = self.needed()?;
        let End::Unknown(why) = &outlook.end else { return None };
        Some(format!(
            "{option} has no effect: it is not known when the AWS credentials of the command expire, {} ({why})",
            outlook.source.describe()
        ))
    }

    /// When the user is to be warned of an end.
    pub(super) fn warn_at(&self, expires: Timestamp) -> Timestamp {
        before(expires, self.stop_before.unwrap_or_default().saturating_add(WARNING))
    }

    /// When the child is to be stopped for it.
    pub(super) fn stop_at(&self, expires: Timestamp) -> Option<Timestamp> {
        self.stop_before.map(|margin| before(expires, margin))
    }

    /// The longer of the two: what would be stopped at once need not be started.
    fn needed(&self) -> Option<(Duration, &'static str)> {
        let session = self.min_session.map(|needed| (needed, "--min-session"));
        let margin = self.stop_before.map(|needed| (needed, "--stop-before-expiry"));
        session.into_iter().chain(margin).max_by_key(|(needed, _)| *needed)
    }
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    // What is too long for a calendar is as good as for ever.
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn until(minutes: i64) -> Outlook {
        Outlook { source: Source::Environment, end: End::At(at(minutes)) }
    }

    #[test]
    fn a_session_that_is_too_short_is_named_with_what_to_do() {
        let demands = Demands { min_session: Some(30 * MINUTE), stop_before: None };
        assert_eq!(demands.shortfall(&until(30), at(0)), None);
        let text = demands.shortfall(&until(29), at(0)).unwrap();
        for part in ["AWS_SESSION_TOKEN", "29 min", "08:29:00 UTC", "--min-session asks for 30 min", "log in"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(demands.shortfall(&until(-5), at(0)).unwrap().contains("expired 5 min ago"));
    }

    #[test]
    fn nothing_is_started_that_would_be_stopped_at_once() {
        let demands = Demands { min_session: Some(MINUTE), stop_before: Some(5 * MINUTE) };
        assert!(demands.shortfall(&until(4), at(0)).unwrap().contains("--stop-before-expiry"));
        assert_eq!(demands.shortfall(&until(6), at(0)), None);
    }

    #[test]
    fn only_what_is_known_and_asked_for_is_held_against_a_run() {
        assert_eq!(Demands::default().shortfall(&until(-1), at(0)), None);
        let demands = Demands { min_session: Some(MINUTE), stop_before: None };
        let open = Outlook { source: Source::Elsewhere, end: End::Open };
        let unknown = Outlook { source: Source::Environment, end: End::Unknown("no time".into()) };
        assert_eq!((demands.shortfall(&open, at(0)), demands.shortfall(&unknown, at(0))), (None, None));
        assert_eq!((demands.uncheckable(&open), Demands::default().uncheckable(&unknown)), (None, None));
        let text = demands.uncheckable(&unknown).unwrap();
        assert!(text.contains("--min-session has no effect") && text.contains("no time"), "{text}");
    }

    #[test]
    fn a_margin_moves_the_warning_ahead_of_itself() {
        let demands = Demands { min_session: None, stop_before: Some(5 * MINUTE) };
        assert_eq!((demands.warn_at(at(60)), demands.stop_at(at(60))), (at(45), Some(at(55))));
        assert_eq!((Demands::default().warn_at(at(60)), Demands::default().stop_at(at(60))), (at(50), None));
        let endless = Demands { min_session: None, stop_before: Some(Duration::MAX) };
        assert_eq!(endless.stop_at(at(0)), Some(Timestamp::MIN));
    }
}
