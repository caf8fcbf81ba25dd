//! One session's way through a lock, without I/O: it is told what happened and when, and answers
//! with the next request and the next deadline.
//!
//! The session is level-triggered. Whatever arrives, it looks at the newest record and at what it
//! wants (to get the lock, to keep it, to be out of it) and derives the next write from the two.
//! A lost answer, a rival's write or a late landing therefore need no cases of their own: the
//! record shows the effect, or it does not.
//!
//! # Order of calls
//! [`Session::new`], then [`Session::poll`] until it returns `None`; then wait for the first of an
//! answer, [`Session::deadline`], a wish of the caller or a change in the store; tell the session
//! ([`Session::answered`], [`Session::tick`], [`Session::release`], [`Session::leave`],
//! [`Session::changed`]) and poll again. At most one request is under way: a new one replaces the
//! one before, whose answer must no longer be handed in. After [`Output::Finished`] the session is
//! over.

#[cfg(test)]
mod canonical;
mod exchange;
mod hold;
mod leave;
mod seek;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::exchange::{Answer, Finish, Loss, Notice, Output, Params, Request, Tenure, Wait};
use super::observer::Observer;
use super::record::{Activity, Holder, Phase, Record, Standing};
use super::time::{Deadlines, Instant, Now};
use super::transition::Ending;
use super::writes::{Claim, Condition, Unanswered};

/// What the session is after.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one exists per session")]
enum Intent {
    Seek,
    Hold(Held),
    Leave(Leaving),
    Over,
}

/// The lock as we hold it.
#[derive(Debug, Clone)]
struct Held {
    tenure: Tenure,
    /// We know that it is not ours any more.
    lost: bool,
    /// It was told that the record vanished and is being put back.
    returning: bool,
}

/// On the way out.
#[derive(Debug, Clone)]
struct Leaving {
    /// How the run ended, when there was one.
    ending: Option<Ending>,
    /// What to report once we are out.
    then: Finish,
    /// When to give up.
    until: Instant,
}

/// What to do when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Decide,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Session {
    params: Params,
    rng: fastrand::Rng,
    started: Instant,
    intent: Intent,
    /// The condition of the write under way; a read has none.
    in_flight: Option<Option<Condition>>,
    /// The record that the write under way would make.
    proposed: Option<Record>,
    timer: Option<(Instant, Next)>,
    /// The newest record that we know to have stood, once we know any.
    view: Option<Option<Record>>,
    unanswered: Unanswered,
    claim: Option<Claim>,
    /// Holders that the newest write of ours takes out, until it is known whether it did.
    evicting: Vec<Holder>,
    observer: Observer,
    /// Above every generation that we have seen.
    generation: u64,
    /// Set while a conflict's pause lasts, so that a wake-up does not end it.
    pausing: bool,
    /// The store told of a change while a request was under way.
    changed_meanwhile: bool,
    /// What the next heartbeat shows of what we do.
    activity: Option<Activity>,
    conflicts: u32,
    failures: u32,
    failing_since: Option<Instant>,
    stamps: u64,
    seek: seek::Seeking,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session that wants the lock. Its first request waits in [`Session::poll`].
    pub fn new(params: Params, now: Now) -> Self {
        let rng = fastrand::Rng::with_seed(params.seed);
        let mut session = Self {
            params,
            rng,
            started: now.mono,
            intent: Intent::Seek,
            in_flight: None,
            proposed: None,
            timer: None,
            view: None,
            unanswered: Unanswered::default(),
            claim: None,
            evicting: Vec::new(),
            observer: Observer::default(),
            generation: 0,
            pausing: false,
            changed_meanwhile: false,
            activity: None,
            conflicts: 0,
            failures: 0,
            failing_since: None,
            stamps: 0,
            seek: seek::Seeking::default(),
            outputs: VecDeque::new(),
        };
        session.send_read(now);
        session
    }

    /// A session that goes on for one whose process died while it held the lock.
    pub fn resume(params: Params, tenure: Tenure, now: Now) -> Self {
        let mut session = Self::new(params, now);
        session.intent = Intent::Hold(Held { tenure, lost: false, returning: false });
        session
    }

    /// The next thing to be done, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Session::tick`], at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(at, _)| at)
    }

    /// The lock as we hold it; `None` while we do not.
    pub fn tenure(&self) -> Option<&Tenure> {
        match &self.intent {
            Intent::Hold(held) => Some(&held.tenure),
            _ => None,
        }
    }

    /// The deadlines of the lease while we hold the lock.
    pub fn deadlines(&self) -> Option<Deadlines> {
        self.tenure().map(Tenure::deadlines)
    }

    /// The answer to the request under way has arrived at `now`.
    pub fn answered(&mut self, answer: Answer, now: Now) {
        let Some(sent) = self.in_flight.take() else { return };
        let proposed = self.proposed.take();
        match answer {
            Answer::Read(record) => {
                self.succeeded();
                self.learn(record, now);
                self.decide(now);
            }
            Answer::Written => {
                self.succeeded();
                self.conflicts = 0;
                self.tell_evicted(proposed.as_ref(), true);
                self.learn(proposed, now);
                self.decide(now);
            }
            Answer::Conflict(record) => {
                self.succeeded();
                self.learn(record, now);
                if self.stands_among_holders() {
                    self.decide(now);
                } else {
                    self.pause(now);
                }
            }
            Answer::Failed { refused, transient } => {
                if let (Some(condition), false) = (sent, refused) {
                    self.unanswered.push(condition);
                }
                self.failed(transient, now);
            }
        }
        if std::mem::take(&mut self.changed_meanwhile) && self.in_flight.is_none() {
            self.changed(now);
        }
    }

    /// The timer of [`Session::deadline`] may have fired.
    pub fn tick(&mut self, now: Now) {
        let Some((at, next)) = self.timer else { return };
        if now.mono < at {
            return;
        }
        self.timer = None;
        self.pausing = false;
        match next {
            Next::Read => self.send_read(now),
            Next::Decide => self.decide(now),
        }
    }

    /// The store says that the record may have changed.
    pub fn changed(&mut self, now: Now) {
        if self.in_flight.is_some() {
            // What is being read may be older than the change.
            self.changed_meanwhile = true;
            return;
        }
        if self.pausing || matches!(self.intent, Intent::Over | Intent::Leave(_)) {
            return;
        }
        let lag = if matches!(self.intent, Intent::Seek) { self.echo() } else { Duration::ZERO };
        if lag.is_zero() {
            self.timer = None;
            self.send_read(now);
        } else {
            let at = now.mono + lag;
            self.set_timer(self.timer.map_or(at, |(due, _)| due.min(at)), Next::Read);
        }
    }

    /// Whether it is worth being told of every change. Those far behind in the queue are only in the way
    /// of whose turn it is, when all are woken at once: they look now and then.
    pub fn listens(&self) -> bool {
        !matches!(self.intent, Intent::Seek) || self.is_near()
    }

    /// The run has come to another phase: a heartbeat says so as soon as it can, which is at once
    /// unless one is under way or failing.
    pub fn engage(&mut self, activity: Activity, now: Now) {
        self.activity = Some(activity);
        let waits_for_heartbeat = matches!(self.timer, Some((_, Next::Decide)));
        if waits_for_heartbeat && self.in_flight.is_none() && matches!(self.intent, Intent::Hold(_)) {
            self.decide(now);
        }
    }

    /// The holder's child is dead, with all it left: out of the record, and say how it ended.
    pub fn release(&mut self, ending: Ending, now: Now) {
        self.set_out(Some(ending), Finish::Released, now);
    }

    /// We do not want the lock any more: out of the queue, or of a grant.
    pub fn leave(&mut self, now: Now) {
        self.set_out(None, Finish::Left, now);
    }

    /// Takes in a record that is known to have stood at some time since the last one.
    fn learn(&mut self, record: Option<Record>, now: Now) {
        self.unanswered.look(record.as_ref());
        self.tell_evicted(record.as_ref(), false);
        if let Some(record) = &record {
            self.observer.look(record, now.mono);
            self.seek.look(record);
            self.generation = self.generation.max(record.generation.saturating_add(1));
        }
        self.view = Some(record);
        self.recognise();
    }

    /// Finds our own newest sign of life in the record, whoever wrote the record.
    fn recognise(&mut self) {
        let Some(Some(record)) = &self.view else { return };
        let Some(own) = record.holder(&self.params.candidate.session) else { return };
        let Some(claim) = self.claim else { return };
        if own.phase != Phase::Active || own.beat != claim.beat {
            return;
        }
        let (own, legacy) = (own.clone(), record.legacy());
        self.claim = None;
        match &mut self.intent {
            Intent::Seek => {
                let generation = own.generation;
                let tenure = Tenure { own, base: claim.first_sent };
                self.intent = Intent::Hold(Held { tenure, lost: false, returning: false });
                let previous = self.seek.previous.take();
                self.notice(Notice::Acquired { generation, previous, legacy });
            }
            Intent::Hold(held) => {
                let beat = own.beat;
                held.tenure = Tenure { own, base: claim.first_sent };
                held.returning = false;
                self.notice(Notice::Renewed { beat });
            }
            Intent::Leave(_) | Intent::Over => {}
        }
    }

    /// What follows from the newest record and what we want.
    fn decide(&mut self, now: Now) {
        let Some(view) = self.view.clone() else {
            self.send_read(now);
            return;
        };
        match self.intent {
            Intent::Seek => self.decide_seek(view, now),
            Intent::Hold(_) => self.decide_hold(view, now),
            Intent::Leave(_) => self.decide_leave(view, now),
            Intent::Over => {}
        }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.failing_since = None;
    }

    /// A request failed. Those who seek give up in time; a holder tries on, its deadlines decide.
    fn failed(&mut self, transient: bool, now: Now) {
        let since = *self.failing_since.get_or_insert(now.mono);
        self.failures = self.failures.saturating_add(1);
        let delay = self.retry_delay();
        match &self.intent {
            Intent::Seek => {
                let reach = match self.params.wait {
                    _ if self.seek.doubts() => self.params.reach,
                    Wait::Forever => self.params.reach,
                    Wait::AtMost(limit) => self.params.reach.min((self.started + limit).since(since)),
                    Wait::Not => Duration::ZERO,
                };
                // What stands there of us, or may still land, is taken out if that can be done in
                // short time.
                if !transient {
                    self.set_out(None, Finish::Refused, now);
                } else if now.mono.since(since) >= reach {
                    self.set_out(None, Finish::Unreachable, now);
                } else {
                    self.set_timer(now.mono + delay.min(reach), Next::Read);
                }
            }
            Intent::Leave(leaving) => {
                let hopeless = !transient && leaving.then == Finish::Refused;
                if !hopeless && now.mono < leaving.until {
                    self.set_timer(now.mono + delay, Next::Read);
                } else if matches!(leaving.then, Finish::Refused | Finish::Unreachable) {
                    let then = leaving.then.clone();
                    self.finish(then);
                } else {
                    self.finish(Finish::Stranded);
                }
            }
            Intent::Hold(_) => self.set_timer(now.mono + delay, Next::Read),
            Intent::Over => {}
        }
    }

    /// Pause after the n-th failure in a row: from 0.1 s doubling to 2 s, never above H/4.
    fn retry_delay(&mut self) -> Duration {
        let steps = (self.failures - 1).min(6);
        let most = (Duration::from_millis(100) * 2u32.pow(steps))
            .min(Duration::from_secs(2))
            .min(self.params.candidate.lease.heartbeat() / 4);
        most.mul_f64(0.5 + 0.5 * self.rng.f64())
    }

    /// Those who queue make room after a conflict: without it, 256 arrivals delay a heartbeat by
    /// minutes. Then they look again.
    fn pause(&mut self, now: Now) {
        let steps = self.conflicts.min(6);
        let most = (Duration::from_millis(50) * 2u32.pow(steps)).min(Duration::from_secs(3));
        self.conflicts = self.conflicts.saturating_add(1);
        let pause = most.mul_f64(self.rng.f64());
        self.set_timer(now.mono + pause, Next::Read);
        self.pausing = true;
    }

    fn stands_among_holders(&self) -> bool {
        let Some(Some(record)) = &self.view else {
            // Under a live holder the record is put back at once; nobody else hurries.
            return matches!(self.intent, Intent::Hold(_));
        };
        matches!(record.standing(&self.params.candidate.session), Standing::Holder(_))
            || matches!(self.intent, Intent::Hold(_))
    }

    fn send_read(&mut self, now: Now) {
        self.dispatch(Request::Read, None, now);
    }

    /// A record where none is. Its tokens go on from the newest that we have seen, also where the
    /// wall clock is behind, and never repeat one that a lost write of ours may have shown.
    fn fresh_record(&self, now: Now) -> Record {
        let fresh = Record::new(now.wall);
        Record { generation: fresh.generation.max(self.generation), ..fresh }
    }

    /// Sends `record` on the condition that the newest known one still stands.
    fn send_write(&mut self, record: Record, now: Now) {
        let expected = self.view.as_ref().and_then(|view| view.as_ref()).map(|view| view.stamp.clone());
        self.stamps += 1;
        let stamp = format!("{}/{}/{}", self.params.candidate.session, self.params.nonce, self.stamps);
        let record = record.sealed(stamp, now.wall);
        self.proposed = Some(record.clone());
        self.dispatch(Request::Write { expected: expected.clone(), record }, Some(expected), now);
    }

    /// Like [`Session::send_write`], for a write that shows a sign of life of ours with `beat`.
    fn send_claim(&mut self, record: Record, beat: u64, now: Now) {
        self.claim = Some(Claim::renewed(self.claim, beat, now.mono, &self.unanswered));
        self.send_write(record, now);
    }

    fn dispatch(&mut self, request: Request, condition: Option<Condition>, now: Now) {
        self.timer = None;
        self.pausing = false;
        self.in_flight = Some(condition);
        let mut timeout = self.params.candidate.lease.attempt_timeout();
        if let (Intent::Seek, Wait::AtMost(limit)) = (&self.intent, self.params.wait) {
            let left = limit.saturating_sub(now.mono.since(self.started));
            timeout = timeout.min(left.max(Duration::from_secs(1)));
        }
        self.outputs.push_back(Output::Send { request, timeout });
    }

    fn set_timer(&mut self, at: Instant, next: Next) {
        self.timer = Some((at, next));
    }

    fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    fn finish(&mut self, finish: Finish) {
        self.intent = Intent::Over;
        self.timer = None;
        self.outputs.push_back(Output::Finished(finish));
    }
}
