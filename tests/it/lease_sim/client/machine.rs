//! Machines that are suspended, processes that are stopped, and what their clocks show meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tfguard::clock::{Clock, SLICE};
use tfguard::lease::Now;

use super::super::clock::{LocalClock, Nanos};

/// A span of true time: from its first moment until before its second.
pub(super) type Span = (Nanos, Nanos);

/// True time, counted from the start of the world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch(tokio::time::Instant);

impl Epoch {
    /// A world that starts now.
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(super) fn now(self) -> Nanos {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }

    pub(super) async fn until(self, at: Nanos) {
        tokio::time::sleep_until(self.0 + Duration::from_nanos(at)).await;
    }

    pub(super) async fn after(self, span: Nanos) {
        self.until(self.now() + span).await;
    }
}

/// One process, which stands still while it is stopped and while its machine is suspended. All of that is known from
/// the start.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) epoch: Epoch,
    pub(super) clock: LocalClock,
    /// When its machine is suspended: timers stand still, the clock goes on.
    pub(super) suspended: Vec<Span>,
    /// When it is stopped: timers go on.
    pub(super) stopped: Vec<Span>,
    /// What is broken in it.
    pub(super) flaw: Option<Flaw>,
}

/// A rule that is broken: the judge must find it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Nobody kills a child.
    NoKill,
    /// Guardians do not see that a supervisor is frozen.
    NoVigil,
    /// Who sleeps does not look at the clock before a minute is over.
    LongSleep,
    /// The clock stands still during suspend, as `CLOCK_MONOTONIC` does on Linux.
    ClockStops,
    /// A supervisor that is told to stop releases while its child still runs.
    EarlyRelease,
}

impl Process {
    /// The first moment from `at` on at which it runs.
    pub(super) fn thaw(&self, at: Nanos) -> Nanos {
        let ends = |at: Nanos| {
            let spans = self.suspended.iter().chain(&self.stopped);
            spans.filter(|(from, until)| (*from..*until).contains(&at)).map(|(_, until)| *until).max()
        };
        std::iter::successors(Some(at), |at| ends(*at)).last().unwrap_or(at)
    }

    /// Whether it runs all the time.
    pub(super) fn runs_through(&self, from: Nanos, until: Nanos) -> bool {
        self.suspended.iter().chain(&self.stopped).all(|(first, end)| *end <= from || until < *first)
    }

    /// How long its machine was suspended until `now`.
    fn slept(&self, now: Nanos) -> Nanos {
        self.suspended.iter().map(|(from, until)| now.min(*until).saturating_sub(*from)).sum()
    }

    /// Waits until the process runs.
    pub(super) async fn runs(&self) {
        loop {
            let now = self.epoch.now();
            let at = self.thaw(now);
            if at == now {
                return;
            }
            self.epoch.until(at).await;
        }
    }

    /// When a timer comes that is set now. It counts by the machine's clock, and not during suspend.
    fn timer(&self, span: Duration) -> Nanos {
        let from = self.epoch.now();
        let mut at = from + self.clock.span(span);
        for (first, end) in &self.suspended {
            if *end > from && *first < at {
                at += end - first.max(&from);
            }
        }
        at
    }
}

/// The clock that a process sees.
#[derive(Debug, Clone)]
pub(super) struct SimClock(pub(super) Arc<Process>);

impl Clock for SimClock {
    fn now(&self) -> Now {
        let now = self.0.epoch.now();
        if self.0.flaw == Some(Flaw::ClockStops) {
            return self.0.clock.now(now - self.0.slept(now));
        }
        self.0.clock.now(now)
    }

    async fn sleep(&self, span: Duration) {
        let long = span == SLICE && self.0.flaw == Some(Flaw::LongSleep);
        let span = if long { span * 60 } else { span };
        self.0.epoch.until(self.0.timer(span)).await;
        self.0.runs().await;
    }
}
