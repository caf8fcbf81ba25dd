//! An eye on the child's credentials while it runs.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::demands::Demands;
use super::outlook::{End, Outlook, Source};
use crate::clock::{Clock, SystemClock};
use crate::lease::{Instant, Now};
use crate::report::human;

/// The longest and the shortest pause between two looks at a profile whose keys run out.
const PAUSES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5));

/// The longest wait for a time of the calendar: whoever sets the wall clock does not wake us.
const RECKON: Duration = Duration::from_secs(60);

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The credentials expire soon, or have expired.
    Expiring {
        /// Which, in words.
        credentials: String,
        /// When.
        expires: Timestamp,
        /// When the child is stopped for it.
        stop: Option<Timestamp>,
    },
    /// Their source gave new ones, and so it will to the child.
    Renewed {
        /// Which, in words.
        credentials: String,
        /// Until when they last; `None`: no end is known.
        until: Option<Timestamp>,
    },
}

/// How much of the end was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Calm,
    Warned,
    Expired,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Tell,
    Ask,
    Wait(Timestamp),
    Nothing,
}

/// Follows one outlook. A source that renews is asked again before anybody is alarmed.
#[derive(Debug)]
pub struct Watch {
    demands: Demands,
    outlook: Outlook,
    stage: Stage,
    /// When the source was last asked, and whether it gave nothing newer then.
    asked: Option<(Timestamp, bool)>,
    asking: Option<JoinHandle<Option<Outlook>>>,
}

impl Watch {
    /// Begins with what was found before the run.
    pub fn new(demands: Demands, outlook: Outlook) -> Self {
        Self { demands, outlook, stage: Stage::Calm, asked: None, asking: None }
    }

    /// When the child must be stopped, by the monotonic clock; `None`: at no known time.
    pub fn stop_at(&self, now: Now) -> Option<Instant> {
        let End::At(expires) = self.outlook.end else { return None };
        let stop = self.demands.stop_at(expires)?;
        Some(now.mono + human::until(stop, now.wall))
    }

    /// Why no child may be started now, a sentence. A source that may have newer credentials than
    /// it had before is asked.
    pub async fn shortfall(&mut self, clock: &SystemClock) -> Option<String> {
        let short = self.demands.shortfall(&self.outlook, clock.now().wall);
        if short.is_none() || !self.renews() {
            return short;
        }
        let answer = Outlook::again(self.outlook.source.clone()).await;
        self.learn(answer, clock.now().wall);
        self.demands.shortfall(&self.outlook, clock.now().wall)
    }

    /// The next thing to tell; never comes when there is nothing. Nothing is lost when it is
    /// dropped and called again.
    pub async fn next(&mut self, clock: &SystemClock) -> Notice {
        loop {
            if let Some(task) = &mut self.asking {
                let answer = task.await.ok().flatten();
                self.asking = None;
                if let Some(notice) = self.learn(answer, clock.now().wall) {
                    return notice;
                }
            }
            let now = clock.now();
            match self.due(now.wall) {
                Due::Tell => return self.tell(now.wall),
                Due::Ask => self.asking = Some(tokio::spawn(Outlook::again(self.outlook.source.clone()))),
                Due::Wait(until) => {
                    clock.sleep_until(now.mono + human::until(until, now.wall).min(RECKON)).await;
                }
                Due::Nothing => std::future::pending().await,
            }
        }
    }

    fn renews(&self) -> bool {
        matches!(self.outlook.source, Source::Files(_))
    }

    fn due(&self, now: Timestamp) -> Due {
        let End::At(expires) = self.outlook.end else { return Due::Nothing };
        let warn = self.demands.warn_at(expires);
        if self.stage == Stage::Expired {
            return Due::Nothing;
        }
        if now < warn {
            return Due::Wait(warn);
        }
        let ask = self.renews().then(|| self.ask_at(expires, now));
        if ask.is_some_and(|ask| ask <= now) {
            return Due::Ask;
        }
        // Not in vain: its last answer was newer, and so will be the child's.
        let renewing = self.asked.is_some_and(|(_, in_vain)| !in_vain);
        if now >= expires || (self.stage == Stage::Calm && !renewing) {
            return Due::Tell;
        }
        Due::Wait(ask.map_or(expires, |ask| ask.min(expires)))
    }

    /// When a source that renews is asked next: in ever shorter pauses as the end comes nearer.
    fn ask_at(&self, expires: Timestamp, now: Timestamp) -> Timestamp {
        let Some((asked, _)) = self.asked else { return now };
        let end = self.demands.stop_at(expires).unwrap_or(expires);
        let (longest, shortest) = PAUSES;
        let pause = (human::until(end, asked) / 2).clamp(shortest, longest);
        asked.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }

    fn learn(&mut self, answer: Option<Outlook>, now: Timestamp) -> Option<Notice> {
        let newer = answer.filter(|answer| match (&self.outlook.end, &answer.end) {
            (End::At(known), End::At(told)) => told > known,
            (End::At(_), End::Open) => true,
            _ => false,
        });
        self.asked = Some((now, newer.is_none()));
        self.outlook = newer?;
        self.stage = Stage::Calm;
        let until = match self.outlook.end {
            End::At(until) => Some(until),
            End::Unknown(_) | End::Open => None,
        };
        Some(Notice::Renewed { credentials: self.outlook.source.describe(), until })
    }

    fn tell(&mut self, now: Timestamp) -> Notice {
        let expires = match self.outlook.end {
            End::At(expires) => expires,
            End::Unknown(_) | End::Open => now,
        };
        self.stage = if now >= expires { Stage::Expired } else { Stage::Warned };
        let credentials = self.outlook.source.describe();
        Notice::Expiring { credentials, expires, stop: self.demands.stop_at(expires) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn watch(source: Source, margin: Option<u64>) -> Watch {
        let demands = Demands { min_session: None, stop_before: margin.map(Duration::from_secs) };
        Watch::new(demands, Outlook { source, end: End::At(at(3600)) })
    }

    fn until(seconds: i64) -> Option<Outlook> {
        Some(Outlook { source: Source::Files(None), end: End::At(at(seconds)) })
    }

    #[test]
    fn keys_in_the_environment_are_told_of_twice_and_no_more() {
        let mut watch = watch(Source::Environment, None);
        assert_eq!(watch.due(at(0)), Due::Wait(at(3000)));
        assert_eq!(watch.due(at(3000)), Due::Tell);
        let credentials = Source::Environment.describe();
        let notice = Notice::Expiring { credentials, expires: at(3600), stop: None };
        assert_eq!(watch.tell(at(3000)), notice);
        assert_eq!(watch.due(at(3001)), Due::Wait(at(3600)));
        assert_eq!(watch.due(at(3600)), Due::Tell);
        assert_eq!(watch.tell(at(3600)), notice);
        assert_eq!(watch.due(at(9000)), Due::Nothing);
    }

    #[test]
    fn a_profile_that_renews_alarms_nobody() {
        let mut watch = watch(Source::Files(None), Some(60));
        assert_eq!(watch.due(at(2940)), Due::Ask);
        let notice = watch.learn(until(7200), at(2941));
        assert!(matches!(notice, Some(Notice::Renewed { until: Some(_), .. })), "{notice:?}");
        assert_eq!(watch.due(at(2941)), Due::Wait(at(6540)));
    }

    #[test]
    fn short_keys_that_are_renewed_are_asked_for_at_intervals() {
        let mut watch = watch(Source::Files(None), None);
        watch.learn(until(3900), at(3400));
        assert_eq!(watch.due(at(3400)), Due::Wait(at(3460)));
        assert_eq!(watch.due(at(3460)), Due::Ask);
    }

    #[test]
    fn a_profile_that_does_not_renew_is_told_of_and_asked_again_until_the_end() {
        let mut watch = watch(Source::Files(None), None);
        assert_eq!(watch.due(at(3000)), Due::Ask);
        assert_eq!(watch.learn(until(3600), at(3001)), None);
        assert_eq!(watch.due(at(3001)), Due::Tell);
        watch.tell(at(3001));
        assert_eq!(watch.due(at(3001)), Due::Wait(at(3061)));
        assert_eq!(watch.due(at(3061)), Due::Ask);
        // Half of what is left.
        assert_eq!(watch.learn(until(3600), at(3580)), None);
        assert_eq!(watch.due(at(3580)), Due::Wait(at(3590)));
        // A new login in mid-run.
        assert!(watch.learn(until(7200), at(3590)).is_some());
        assert_eq!(watch.due(at(3590)), Due::Wait(at(6600)));
    }

    #[test]
    fn a_source_that_fails_leaves_what_is_known() {
        let mut watch = watch(Source::Files(None), Some(60));
        for answer in [None, Some(Outlook { source: Source::Files(None), end: End::Unknown("x".into()) })] {
            assert_eq!(watch.learn(answer, at(3000)), None);
            let now = Now { mono: Instant::from_nanos(0), wall: at(3000) };
            assert_eq!(watch.stop_at(now), Some(Instant::from_nanos(0) + Duration::from_secs(540)));
        }
    }
}
