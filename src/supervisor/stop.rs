//! When a running child is interrupted and when it is killed. Pure: told what happened and when,
//! it answers with what to do.
//!
//! # The signal policy
//! Terraform counts signals: the first SIGINT or SIGTERM stops it gracefully, a second one of
//! either kind makes it drop its state. So exactly one signal of ours ever reaches it, whoever asks
//! and however often, and it is a SIGINT, which its provider plugins ignore.
//!
//! - Off a terminal a signal that reaches us is passed on as that one SIGINT, after a pause of up
//!   to one second: some CI runners signal every process, and where Terraform says `Interrupt
//!   received` by itself ours would be its second.
//! - At a terminal the child is in the foreground and gets its Ctrl-C from the terminal. A signal
//!   that reaches us there was meant for us alone and is passed on, after a moment in which the word
//!   of a Ctrl-C just before it can still arrive.
//! - A lease that is at risk for L/2, or lost, a deadline, credentials that are about to expire and
//!   a closed terminal are interrupts too: the same one.
//! - 0.9 L after the newest heartbeat that took effect, or when a stop takes longer than
//!   `--stop-timeout`, what is left of the child is killed.
//! - With `--on-lease-lost continue` the lease neither interrupts nor kills: it is said, loudly, and
//!   the child goes on beside whoever takes the lock next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lease::{Deadlines, Instant};
use crate::report::event::SignalAction;

/// How long Terraform has to show that it was interrupted by someone else.
const MARKER_WAIT: Duration = Duration::from_secs(1);
/// How long the word of a Ctrl-C may be on its way from the child's group.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// Something that bears on the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A signal reached us.
    Signal(&'static str),
    /// The child showed that it was interrupted.
    Marker,
    /// The lease lasts this long from now on.
    Lease(Deadlines),
    /// The child's credentials require it to be stopped at this instant; `None`: at no known one.
    Credentials(Option<Instant>),
    /// The lock is not ours any more.
    Lost,
    /// The child was stopped because it reached for a terminal that it does not have.
    Frozen,
    /// The supervisor is dead: what a guardian finds.
    Orphaned,
    /// Time has passed.
    Tick,
}

/// What to do to the child, or to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the one SIGINT.
    Interrupt(Why),
    /// Kill what is left of the child.
    Kill(Why),
    /// Say what became of a signal.
    Signal(&'static str, SignalAction),
    /// Say that the heartbeat has not taken effect for a while.
    AtRisk,
    /// Say that the child goes on without a lease that protects it.
    Continue(Why),
}

/// Why a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A signal reached us.
    Signal(&'static str),
    /// The heartbeat has not taken effect for half a lease.
    AtRisk,
    /// The lock is not ours any more.
    Lost,
    /// `--deadline` has come.
    Deadline,
    /// `--stop-before-expiry` has come.
    Expiry,
    /// The stop took longer than `--stop-timeout`.
    StopTimeout,
    /// It cannot go on without a terminal.
    Frozen,
    /// Its supervisor is dead.
    Orphaned,
}

impl Why {
    /// For people. `None` for a signal, whose own event says it.
    pub fn because(self) -> Option<&'static str> {
        Some(match self {
            Self::Signal(_) => return None,
            Self::AtRisk => "the heartbeat has not reached the lock store for too long",
            Self::Lost => "the lock is not ours any more",
            Self::Deadline => "the run's --deadline has come",
            Self::Expiry => "its AWS credentials are about to expire (--stop-before-expiry)",
            Self::StopTimeout => "it did not stop within --stop-timeout",
            Self::Frozen => "it reaches for the terminal, which a run in the background does not have",
            Self::Orphaned => "its supervisor was killed",
        })
    }
}

/// How stopping goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// A signal arrived; the child may know already.
    Listening {
        signal: &'static str,
        until: Instant,
    },
    /// It knows, by our interrupt or by someone else's.
    Stopping {
        since: Instant,
    },
    Killed,
}

/// What a lease that is lost, or at risk for too long, means for the child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLeaseLost {
    /// It is interrupted, and killed before anyone else may have the lock.
    #[default]
    Stop,
    /// It goes on, perhaps beside another run.
    Continue,
}

/// The options that bear on stopping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long a stop may take before the child is killed.
    pub stop_timeout: Option<Duration>,
    /// Whether the lease stops the child.
    pub on_lease_lost: OnLeaseLost,
    /// When the run is to be stopped.
    pub deadline: Option<Instant>,
}

/// The state of stopping, over all the children of one run.
#[derive(Debug)]
pub struct Stop {
    limits: Limits,
    stage: Stage,
    lease: Option<Deadlines>,
    /// When the credentials require a stop.
    expiry: Option<Instant>,
    warned: bool,
    /// Terraform showed that it was interrupted.
    marker: bool,
    why: Option<Why>,
    lease_failed: bool,
    lost: bool,
    /// It was said that the child goes on.
    continued: bool,
}

impl Stop {
    /// Nothing has happened yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stage: Stage::Running,
            lease: None,
            expiry: None,
            warned: false,
            marker: false,
            why: None,
            lease_failed: false,
            lost: false,
            continued: false,
        }
    }

    /// Why no further child may be started, if that is so.
    pub fn reason(&self) -> Option<Why> {
        match self.stage {
            Stage::Listening { signal, .. } => Some(Why::Signal(signal)),
            _ => self.why,
        }
    }

    /// The signal that cancelled the run, if one did.
    pub fn cancelled_by(&self) -> Option<&'static str> {
        match self.reason() {
            Some(Why::Signal(name)) => Some(name),
            _ => None,
        }
    }

    /// The child has ended by itself. A signal that was still held back needs no passing on.
    pub fn child_ended(&mut self, now: Instant) -> Option<Effect> {
        if self.lease.is_some_and(|lease| now >= lease.stop) {
            // It was not we who stopped it, and perhaps we were the ones who slept.
            self.lease_failed = true;
        }
        let Stage::Listening { signal, .. } = self.stage else { return None };
        self.why = Some(Why::Signal(signal));
        self.stage = Stage::Stopping { since: now };
        Some(Effect::Signal(signal, SignalAction::Swallowed))
    }

    /// Another child was started: it has shown nothing yet.
    pub fn next_child(&mut self) {
        self.marker = false;
    }

    /// Takes in what happened while no child runs: whatever follows, follows at the next start.
    pub fn note(&mut self, happening: Happening, now: Instant) {
        // There is nobody whose word could still be on its way.
        self.take(happening, Duration::ZERO, now);
    }

    /// Whether the lease was lost, or at risk for so long that the child had to be stopped.
    pub fn lease_failed(&self) -> bool {
        self.lease_failed
    }

    /// Whether the child was killed rather than stopped.
    pub fn killed(&self) -> bool {
        self.stage == Stage::Killed
    }

    /// When to hand in [`Happening::Tick`], at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        let kill = match (self.stage, self.limits.stop_timeout) {
            (Stage::Stopping { since }, Some(timeout)) => Some(since + timeout),
            _ => None,
        };
        let listening = match self.stage {
            Stage::Listening { until, .. } => Some(until),
            _ => None,
        };
        let running = self.stage == Stage::Running;
        let deadline = self.limits.deadline.filter(|_| running);
        let expiry = self.expiry.filter(|_| running);
        let lease = self.lease.filter(|_| !self.killed()).and_then(|lease| match self.stage {
            _ if !self.warned && !self.lost => Some(lease.warn),
            _ if self.goes_on() => (!self.continued).then_some(lease.stop),
            Stage::Running | Stage::Listening { .. } => Some(lease.stop),
            Stage::Stopping { .. } | Stage::Killed => Some(lease.kill),
        });
        [kill, listening, deadline, expiry, lease].into_iter().flatten().min()
    }

    /// What follows. `terminal`: the child has the terminal.
    pub fn handle(&mut self, happening: Happening, terminal: bool, now: Instant) -> Vec<Effect> {
        self.take(happening, if terminal { KEY_WAIT } else { MARKER_WAIT }, now)
    }

    /// `pause`: how long a signal is held back for the child's own word that it was interrupted.
    fn take(&mut self, happening: Happening, pause: Duration, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match happening {
            Happening::Signal(name) => self.signal(name, pause, now, &mut effects),
            Happening::Marker => self.mark(now, &mut effects),
            Happening::Lease(deadlines) => {
                // What the old lease demands by now is done first: after a sleep the new one says
                // nothing about the time in between.
                self.look_at_the_clock(now, &mut effects);
                self.lease = Some(deadlines);
                self.warned &= now >= deadlines.warn;
                self.continued &= now >= deadlines.stop;
            }
            Happening::Credentials(at) => self.expiry = at,
            Happening::Lost => {
                self.lost = true;
                self.continued = false;
                self.lease_fails(Why::Lost, now, &mut effects);
            }
            Happening::Frozen => self.interrupt(Why::Frozen, now, &mut effects),
            Happening::Orphaned => self.interrupt(Why::Orphaned, now, &mut effects),
            Happening::Tick => {}
        }
        self.look_at_the_clock(now, &mut effects);
        effects
    }

    fn signal(&mut self, name: &'static str, pause: Duration, now: Instant, effects: &mut Vec<Effect>) {
        match self.stage {
            Stage::Running if self.marker => {
                self.why = Some(Why::Signal(name));
                self.stage = Stage::Stopping { since: now };
                effects.push(Effect::Signal(name, SignalAction::Swallowed));
            }
            Stage::Running if pause.is_zero() => {
                effects.push(Effect::Signal(name, SignalAction::Passed));
                self.interrupt(Why::Signal(name), now, effects);
            }
            Stage::Running => self.stage = Stage::Listening { signal: name, until: now + pause },
            Stage::Listening { .. } | Stage::Stopping { .. } | Stage::Killed => {
                effects.push(Effect::Signal(name, SignalAction::Swallowed));
            }
        }
    }

    /// The child knows: it needs no signal of ours any more.
    fn mark(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.marker = true;
        if let Stage::Listening { signal, .. } = self.stage {
            self.why = Some(Why::Signal(signal));
            self.stage = Stage::Stopping { since: now };
            effects.push(Effect::Signal(signal, SignalAction::Swallowed));
        }
    }

    fn goes_on(&self) -> bool {
        self.limits.on_lease_lost == OnLeaseLost::Continue
    }

    fn lease_fails(&mut self, why: Why, now: Instant, effects: &mut Vec<Effect>) {
        self.lease_failed = true;
        if !self.goes_on() {
            self.interrupt(why, now, effects);
        } else if !std::mem::replace(&mut self.continued, true) {
            effects.push(Effect::Continue(why));
        }
    }

    fn interrupt(&mut self, why: Why, now: Instant, effects: &mut Vec<Effect>) {
        if let Stage::Running | Stage::Listening { .. } = self.stage {
            self.why = Some(why);
            self.stage = Stage::Stopping { since: now };
            if !self.marker {
                effects.push(Effect::Interrupt(why));
            }
        }
    }

    fn look_at_the_clock(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(lease) = self.lease {
            if now >= lease.warn && !self.warned && !self.lost && !self.killed() {
                self.warned = true;
                effects.push(Effect::AtRisk);
            }
            if now >= lease.stop && !self.killed() {
                self.lease_fails(Why::AtRisk, now, effects);
            }
            if now >= lease.kill && !self.goes_on() {
                self.kill(if self.lost { Why::Lost } else { Why::AtRisk }, effects);
            }
        }
        if let Stage::Listening { signal, until } = self.stage
            && now >= until
        {
            effects.push(Effect::Signal(signal, SignalAction::Passed));
            self.interrupt(Why::Signal(signal), now, effects);
        }
        if self.limits.deadline.is_some_and(|deadline| now >= deadline) {
            self.interrupt(Why::Deadline, now, effects);
        }
        if self.expiry.is_some_and(|expiry| now >= expiry) {
            self.interrupt(Why::Expiry, now, effects);
        }
        if let (Stage::Stopping { since }, Some(timeout)) = (self.stage, self.limits.stop_timeout)
            && now >= since + timeout
        {
            self.kill(Why::StopTimeout, effects);
        }
    }

    fn kill(&mut self, why: Why, effects: &mut Vec<Effect>) {
        if self.stage != Stage::Killed {
            self.stage = Stage::Killed;
            self.why.get_or_insert(why);
            effects.push(Effect::Kill(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Lease;

    const T0: Instant = Instant::from_nanos(1_000_000_000_000);

    fn at(seconds: f64) -> Instant {
        T0 + Duration::from_secs_f64(seconds)
    }

    /// A run whose lease of 100 s was renewed at the start.
    fn leased(limits: Limits) -> Stop {
        let mut stop = Stop::new(limits);
        let lease = Lease::new(Duration::from_secs(100)).unwrap();
        assert_eq!(stop.handle(Happening::Lease(lease.deadlines(T0)), false, T0), []);
        stop
    }

    fn interrupts(effects: &[Effect]) -> usize {
        effects.iter().filter(|effect| matches!(effect, Effect::Interrupt(_))).count()
    }

    #[test]
    fn a_signal_off_a_terminal_is_passed_on_once_after_a_second_of_silence() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Signal("SIGTERM"), false, at(1.0)), []);
        assert_eq!(stop.wake_at(), Some(at(2.0)));
        assert_eq!(stop.reason(), Some(Why::Signal("SIGTERM")));
        assert_eq!(stop.handle(Happening::Tick, false, at(1.9)), []);
        assert_eq!(
            stop.handle(Happening::Tick, false, at(2.0)),
            [Effect::Signal("SIGTERM", SignalAction::Passed), Effect::Interrupt(Why::Signal("SIGTERM"))]
        );
    }

    #[test]
    fn a_second_signal_is_swallowed_and_said() {
        let mut stop = leased(Limits::default());
        stop.handle(Happening::Signal("SIGINT"), false, at(1.0));
        let second = stop.handle(Happening::Signal("SIGTERM"), false, at(1.5));
        assert_eq!(second, [Effect::Signal("SIGTERM", SignalAction::Swallowed)]);
        assert_eq!(interrupts(&stop.handle(Happening::Tick, false, at(2.0))), 1);
        let third = stop.handle(Happening::Signal("SIGTERM"), false, at(9.0));
        assert_eq!(third, [Effect::Signal("SIGTERM", SignalAction::Swallowed)]);
    }

    #[test]
    fn nothing_is_sent_where_terraform_shows_that_it_knows() {
        let mut stop = leased(Limits::default());
        stop.handle(Happening::Signal("SIGTERM"), false, at(1.0));
        let effects = stop.handle(Happening::Marker, false, at(1.2));
        assert_eq!(effects, [Effect::Signal("SIGTERM", SignalAction::Swallowed)]);
        assert_eq!(stop.handle(Happening::Tick, false, at(30.0)), []);
        // Not even when the lease fails later.
        assert_eq!(interrupts(&stop.handle(Happening::Lost, false, at(31.0))), 0);
    }

    #[test]
    fn a_marker_before_the_signal_counts_too() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Marker, false, at(0.5)), []);
        let effects = stop.handle(Happening::Signal("SIGTERM"), false, at(1.0));
        assert_eq!(effects, [Effect::Signal("SIGTERM", SignalAction::Swallowed)]);
        assert_eq!(stop.handle(Happening::Tick, false, at(20.0)), []);
    }

    #[test]
    fn at_a_terminal_a_signal_for_us_is_passed_on_unless_the_key_came_before_it() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Signal("SIGTERM"), true, at(1.0)), []);
        assert_eq!(stop.wake_at(), Some(at(1.1)));
        assert_eq!(interrupts(&stop.handle(Happening::Tick, true, at(1.1))), 1);

        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Signal("SIGHUP"), true, at(1.0)), []);
        let swallowed = [Effect::Signal("SIGHUP", SignalAction::Swallowed)];
        assert_eq!(stop.handle(Happening::Marker, true, at(1.05)), swallowed);
        assert_eq!(stop.handle(Happening::Tick, true, at(1.2)), []);
    }

    #[test]
    fn the_lease_warns_then_stops_then_kills_by_the_clock_alone() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.wake_at(), Some(at(100.0 / 3.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(33.4)), [Effect::AtRisk]);
        assert_eq!(stop.wake_at(), Some(at(50.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(50.0)), [Effect::Interrupt(Why::AtRisk)]);
        assert!(stop.lease_failed());
        assert_eq!(stop.wake_at(), Some(at(90.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(90.0)), [Effect::Kill(Why::AtRisk)]);
        assert!(stop.killed());
        assert_eq!(stop.wake_at(), None);
        assert_eq!(stop.handle(Happening::Tick, false, at(99.0)), []);
    }

    #[test]
    fn a_wake_up_after_a_long_suspend_does_everything_that_is_due_at_once() {
        let mut stop = leased(Limits::default());
        let effects = stop.handle(Happening::Tick, false, at(1000.0));
        assert_eq!(effects, [Effect::AtRisk, Effect::Interrupt(Why::AtRisk), Effect::Kill(Why::AtRisk)]);
    }

    #[test]
    fn a_heartbeat_that_gets_through_moves_the_deadlines_and_warns_anew() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Tick, false, at(40.0)), [Effect::AtRisk]);
        let lease = Lease::new(Duration::from_secs(100)).unwrap();
        assert_eq!(stop.handle(Happening::Lease(lease.deadlines(at(39.0))), false, at(41.0)), []);
        assert_eq!(stop.handle(Happening::Tick, false, at(60.0)), []);
        assert_eq!(stop.handle(Happening::Tick, false, at(75.0)), [Effect::AtRisk]);
    }

    #[test]
    fn a_lost_lock_interrupts_at_once_and_kills_at_the_same_deadline() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Lost, false, at(5.0)), [Effect::Interrupt(Why::Lost)]);
        assert_eq!(stop.wake_at(), Some(at(90.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(90.0)), [Effect::Kill(Why::Lost)]);
    }

    #[test]
    fn a_heartbeat_that_lands_after_a_long_sleep_does_not_hide_the_sleep() {
        let mut stop = leased(Limits::default());
        let lease = Lease::new(Duration::from_secs(100)).unwrap();
        let effects = stop.handle(Happening::Lease(lease.deadlines(at(300.0))), false, at(300.0));
        assert_eq!(effects, [Effect::AtRisk, Effect::Interrupt(Why::AtRisk), Effect::Kill(Why::AtRisk)]);
        assert!(stop.lease_failed());
    }

    #[test]
    fn a_child_that_ended_while_we_slept_ended_under_a_lease_at_risk() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.child_ended(at(49.0)), None);
        assert!(!stop.lease_failed());
        stop.child_ended(at(51.0));
        assert!(stop.lease_failed());
    }

    fn continuing() -> Stop {
        leased(Limits { on_lease_lost: OnLeaseLost::Continue, ..Limits::default() })
    }

    #[test]
    fn with_continue_the_lease_is_complained_of_and_the_child_goes_on() {
        let mut stop = continuing();
        assert_eq!(stop.handle(Happening::Tick, false, at(34.0)), [Effect::AtRisk]);
        assert_eq!(stop.wake_at(), Some(at(50.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(50.0)), [Effect::Continue(Why::AtRisk)]);
        assert_eq!(stop.wake_at(), None);
        assert_eq!(stop.handle(Happening::Tick, false, at(95.0)), []);
        assert_eq!(stop.handle(Happening::Lost, false, at(120.0)), [Effect::Continue(Why::Lost)]);
        assert_eq!(stop.handle(Happening::Tick, false, at(500.0)), []);
        assert!(stop.lease_failed() && !stop.killed());
    }

    #[test]
    fn with_continue_a_signal_still_stops_the_child() {
        let mut stop = continuing();
        stop.handle(Happening::Lost, false, at(5.0));
        stop.handle(Happening::Signal("SIGTERM"), true, at(6.0));
        assert_eq!(interrupts(&stop.handle(Happening::Tick, true, at(7.0))), 1);
        assert_eq!(stop.handle(Happening::Tick, true, at(95.0)), []);
    }

    #[test]
    fn with_continue_a_lease_that_recovers_is_complained_of_anew() {
        let mut stop = continuing();
        stop.handle(Happening::Tick, false, at(50.0));
        let lease = Lease::new(Duration::from_secs(100)).unwrap();
        assert_eq!(stop.handle(Happening::Lease(lease.deadlines(at(59.0))), false, at(60.0)), []);
        assert_eq!(stop.wake_at(), Some(at(59.0 + 100.0 / 3.0)));
        let effects = stop.handle(Happening::Tick, false, at(110.0));
        assert_eq!(effects, [Effect::AtRisk, Effect::Continue(Why::AtRisk)]);
    }

    #[test]
    fn a_stop_that_takes_too_long_is_ended() {
        let limits = Limits { stop_timeout: Some(Duration::from_secs(5)), ..Limits::default() };
        let mut stop = leased(limits);
        stop.handle(Happening::Signal("SIGINT"), true, at(0.5));
        stop.handle(Happening::Tick, true, at(1.0));
        assert_eq!(stop.wake_at(), Some(at(6.0)));
        assert_eq!(stop.handle(Happening::Tick, true, at(6.0)), [Effect::Kill(Why::StopTimeout)]);
    }

    #[test]
    fn a_child_that_ends_by_itself_within_the_pause_needs_no_signal() {
        let mut stop = leased(Limits::default());
        stop.handle(Happening::Signal("SIGTERM"), false, at(1.0));
        let effect = stop.child_ended(at(1.3));
        assert_eq!(effect, Some(Effect::Signal("SIGTERM", SignalAction::Swallowed)));
        assert_eq!(stop.cancelled_by(), Some("SIGTERM"));
        assert_eq!(stop.child_ended(at(1.4)), None);
    }

    #[test]
    fn a_deadline_interrupts_once() {
        let limits = Limits { deadline: Some(at(7.0)), ..Limits::default() };
        let mut stop = leased(limits);
        assert_eq!(stop.wake_at(), Some(at(7.0)));
        assert_eq!(stop.handle(Happening::Tick, false, at(7.0)), [Effect::Interrupt(Why::Deadline)]);
        assert_eq!(stop.handle(Happening::Tick, false, at(8.0)), []);
        let effects = stop.handle(Happening::Signal("SIGTERM"), false, at(8.0));
        assert_eq!(effects, [Effect::Signal("SIGTERM", SignalAction::Swallowed)]);
    }

    #[test]
    fn credentials_that_run_out_interrupt_once_unless_they_are_renewed() {
        let mut stop = leased(Limits::default());
        assert_eq!(stop.handle(Happening::Credentials(Some(at(7.0))), false, at(1.0)), []);
        assert_eq!(stop.wake_at(), Some(at(7.0)));
        assert_eq!(stop.handle(Happening::Credentials(Some(at(9.0))), false, at(6.0)), []);
        assert_eq!(stop.handle(Happening::Tick, false, at(8.0)), []);
        assert_eq!(stop.handle(Happening::Tick, false, at(9.0)), [Effect::Interrupt(Why::Expiry)]);
        assert_eq!(stop.handle(Happening::Tick, false, at(10.0)), []);
        assert_eq!(stop.reason(), Some(Why::Expiry));
        assert!(!stop.lease_failed());
    }
}
