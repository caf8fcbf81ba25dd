//! Getting the lock: queue, watch the holders, evict the dead, confirm a grant.

use std::time::Duration;

use super::{Finish, Next, Notice, Output, Session, Wait};
use crate::lease::record::{Activity, Holder, HolderKey, Last, Mode, Outcome, Phase, Record, Standing};
use crate::lease::time::{Instant, Lease, Now};
use crate::lease::transition;

/// How often the head of the queue looks; the waiter at place p looks p times as rarely.
const POLL: Duration = Duration::from_millis(300);
/// How often the head looks that has just become it. A lock that changes hands quickly is worth
/// quick looks: while the wait is young they come every twentieth of it, so that looking adds a
/// few per cent to what is waited anyway, and a long wait costs what it costs at [`POLL`]. Where the lock does change
/// hands quickly every place is always young: at place p it is p times this, and all of a long queue together look
/// hardly more often than its head.
const POLL_YOUNG: Duration = Duration::from_millis(25);
/// The rarest that a waiter looks.
const POLL_MOST: Duration = Duration::from_secs(3);
/// How much later than the one before it a waiter looks when the store tells of a change, and the latest
/// that anyone does. All are told at once, and a change is the head's turn: a hundred that look
/// in the same moment keep the machine from the only one that may go on.
const ECHO: Duration = Duration::from_millis(5);
const ECHO_MOST: Duration = Duration::from_millis(500);
/// The last place of those who are told of changes. Whoever stands behind it looks every few seconds
/// ([`POLL_MOST`]), and so many runs of 0.1 s take longer.
const NEAR: u32 = 32;
/// How often somebody looks who observes without queueing.
const POLL_ASIDE: Duration = Duration::from_secs(1);

/// What a seeker remembers between two looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Seeking {
    /// We stood in the record before: in the queue or as granted.
    pub(super) entered: bool,
    /// How the run before ours ended, if that must be told.
    pub(super) previous: Option<Last>,
    /// The longest patience of those who held, or may hold by now, when we looked last.
    pub(super) patience: Option<Duration>,
    /// The highest run counter that we saw; a lower one belongs to a new record.
    pub(super) runs: u64,
    /// When the record was first found missing after we had seen a holder.
    pub(super) vanished: Option<Instant>,
    /// Past the time to give up, still watching holders that look dead: their keys when that began.
    pub(super) doubting: Option<Vec<HolderKey>>,
    /// Our place in the queue, and since when it is ours.
    pub(super) placed: Option<(usize, Instant)>,
    /// What was last told about waiting.
    pub(super) told: Option<Told>,
}

/// What people were told about waiting, as far as they are told again when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    position: usize,
    ahead: Vec<Mode>,
    holders: Vec<(String, Phase, Option<Activity>)>,
}

impl Seeking {
    /// Takes in what a look at the record tells of those who hold, whether anything is decided on
    /// it or not.
    pub(super) fn look(&mut self, record: &Record) {
        self.runs = self.runs.max(record.runs);
        if !record.is_free() {
            self.patience = record.longest_lease().map(Lease::patience);
        }
    }

    /// Whether we watch holders that look dead, past the time to give up.
    pub(super) fn doubts(&self) -> bool {
        self.doubting.is_some()
    }
}

impl Session {
    pub(super) fn decide_seek(&mut self, view: Option<Record>, now: Now) {
        if self.is_missing(view.as_ref()) && self.waits_for_return(now) {
            return;
        }
        let Some(record) = view else {
            self.enter(&self.fresh_record(now), now);
            return;
        };
        self.seek.vanished = None;
        let session = self.params.candidate.session.clone();
        match record.standing(&session) {
            Standing::Holder(own) if own.revoked.is_some() => {
                if let Some(by) = own.revoked.clone() {
                    self.set_out(None, Finish::TurnedAway(by), now);
                }
            }
            Standing::Holder(own) if own.phase == Phase::Active => {
                // Ours, and yet no claim of ours explains it: give a sign of life that does.
                let beat = own.beat + 1;
                self.send_claim(transition::renew(&record, &session, None, now.wall), beat, now);
            }
            Standing::Holder(own) => {
                self.seek.entered = true;
                let beat = own.beat + 1;
                self.remember_previous(&record);
                self.send_claim(transition::confirm(&record, &self.params.candidate, now.wall), beat, now);
            }
            Standing::Waiter(position) => {
                self.seek.entered = true;
                self.seek_in_queue(&record, position, now);
            }
            Standing::Absent => self.seek_outside(&record, now),
        }
    }

    /// Whether the record that we knew has gone: there is none, or a new one in which nobody has
    /// held yet, such as somebody writes who leaves and makes sure that nothing of it lands later.
    fn is_missing(&self, view: Option<&Record>) -> bool {
        view.is_none_or(|record| record.is_free() && record.runs < self.seek.runs)
    }

    /// Whoever has seen a holder waits out its patience before it takes a record that went
    /// missing: the holder may be alive, and puts the record back. False when that is over.
    fn waits_for_return(&mut self, now: Now) -> bool {
        let Some(patience) = self.seek.patience else { return false };
        let vanished = *self.seek.vanished.get_or_insert(now.mono);
        if self.wait_is_over(now) {
            self.set_out(None, Finish::Held(Vec::new()), now);
            return true;
        }
        let waits = now.mono < vanished + patience;
        if waits {
            self.set_timer((now.mono + POLL).min(vanished + patience), Next::Read);
        }
        waits
    }

    /// The record is there and we are not in it.
    fn seek_outside(&mut self, record: &Record, now: Now) {
        if let Some(by) = record.removal(&self.params.candidate.session).cloned() {
            self.set_out(None, Finish::TurnedAway(by), now);
            return;
        }
        // Nothing but an eviction from a grant takes a waiter out unasked, whether it saw the grant
        // or not.
        if std::mem::take(&mut self.seek.entered) {
            self.notice(Notice::GrantMissed);
        }
        if transition::may_enter(Some(record), self.params.candidate.mode) {
            self.enter(record, now);
        } else if self.wait_is_over(now) {
            self.seek_aside(record, Finish::Held(record.holders.clone()), now);
        } else {
            self.enter(record, now);
        }
    }

    /// Acquires: the lock, or a place in the queue.
    fn enter(&mut self, record: &Record, now: Now) {
        let at_once = transition::may_enter(Some(record), self.params.candidate.mode);
        match transition::acquire(Some(record), &self.params.candidate, now.wall) {
            Some(next) if at_once => {
                self.remember_previous(record);
                self.send_claim(next, 1, now);
            }
            Some(next) => self.send_write(next, now),
            None => self.seek_aside(record, Finish::QueueFull, now),
        }
    }

    /// In the queue: tell, evict the dead, give up in time, look again.
    fn seek_in_queue(&mut self, record: &Record, position: usize, now: Now) {
        self.tell_waiting(position, record);
        if self.evict_dead(record, now) {
            return;
        }
        if self.wait_is_over(now) && !self.still_doubts(record, now) {
            self.set_out(None, Finish::Held(record.holders.clone()), now);
            return;
        }
        let poll = self.poll_period(position, now).mul_f64(0.8 + 0.4 * self.rng.f64());
        self.look_again(record, poll, now);
    }

    /// Not waiting, or no room in the queue: that is the answer, unless the holder looks dead. Then
    /// we watch without queueing, or a lock that only such users meet, or whose whole queue died,
    /// would stay dead for ever.
    fn seek_aside(&mut self, record: &Record, otherwise: Finish, now: Now) {
        if self.evict_dead(record, now) {
            return;
        }
        if !self.still_doubts(record, now) {
            self.set_out(None, otherwise, now);
            return;
        }
        self.tell_waiting(0, record);
        self.look_again(record, POLL_ASIDE, now);
    }

    fn evict_dead(&mut self, record: &Record, now: Now) -> bool {
        let own = &self.params.candidate.session;
        let dead = self.observer.dead(record, own, now.mono);
        if dead.is_empty() {
            return false;
        }
        let next = transition::evict(record, &dead, &self.params.candidate, now.wall);
        self.evicting =
            record.holders.iter().filter(|holder| dead.contains(&holder.session)).cloned().collect();
        match next.standing(own) {
            Standing::Holder(holder) if holder.phase == Phase::Active => {
                self.remember_previous(&transition::evict_only(record, &dead, now.wall));
                self.send_claim(next, 1, now);
            }
            _ => self.send_write(next, now),
        }
        true
    }

    /// Tells of the holders that a write of ours took out. One whose answer was lost shows in
    /// `last`; where it does not, they may as well have left by themselves, and are not told of.
    pub(super) fn tell_evicted(&mut self, record: Option<&Record>, written: bool) {
        if self.evicting.is_empty() {
            return;
        }
        let shown = |holder: &Holder| {
            let last = record.and_then(|record| record.last.as_ref());
            last.is_some_and(|last| last.session == holder.session && last.outcome == Outcome::Expired)
        };
        let gone: Vec<Holder> = std::mem::take(&mut self.evicting)
            .into_iter()
            .filter(|holder| holder.phase == Phase::Active && (written || shown(holder)))
            .collect();
        if !gone.is_empty() {
            self.outputs.push_back(Output::Evicted(gone));
        }
    }

    /// Past the time to give up: whether every holder looked dead when that time came and has
    /// shown no sign of life since.
    fn still_doubts(&mut self, record: &Record, now: Now) -> bool {
        let keys: Vec<HolderKey> = record.holders.iter().map(Holder::key).collect();
        match &self.seek.doubting {
            Some(before) => *before == keys,
            None => {
                let doubtful = record.holders.iter().all(|holder| holder.looks_dead(now.wall));
                if doubtful {
                    self.seek.doubting = Some(keys);
                }
                doubtful
            }
        }
    }

    fn wait_is_over(&self, now: Now) -> bool {
        self.give_up_at().is_some_and(|at| at <= now.mono)
    }

    fn give_up_at(&self) -> Option<Instant> {
        match self.params.wait {
            Wait::Forever => None,
            Wait::AtMost(limit) => Some(self.started + limit),
            Wait::Not => Some(self.started),
        }
    }

    fn poll_period(&mut self, position: usize, now: Now) -> Duration {
        let since = match self.seek.placed {
            Some((placed, since)) if placed == position => since,
            _ => {
                self.seek.placed = Some((position, now.mono));
                now.mono
            }
        };
        let place = u32::try_from(position).unwrap_or(u32::MAX);
        let young = now.mono.since(since) / 20;
        young.max(POLL_YOUNG.saturating_mul(place)).min(POLL).saturating_mul(place).min(POLL_MOST)
    }

    /// How long a change that the store tells of may wait: not at all where it may be our turn, at the
    /// head or among shared waiters only.
    pub(super) fn echo(&self) -> Duration {
        let Some((position, _)) = self.seek.placed else { return Duration::ZERO };
        let ahead = self.seek.told.as_ref().map_or(&[][..], |told| &told.ahead);
        if self.params.candidate.mode == Mode::Shared && ahead.iter().all(|mode| *mode == Mode::Shared) {
            return Duration::ZERO;
        }
        let before = u32::try_from(position.saturating_sub(1)).unwrap_or(u32::MAX);
        ECHO.saturating_mul(before).min(ECHO_MOST)
    }

    /// Whether it may be our turn before long.
    pub(super) fn is_near(&self) -> bool {
        self.echo() < ECHO.saturating_mul(NEAR)
    }

    fn look_again(&mut self, record: &Record, poll: Duration, now: Now) {
        let mut at = now.mono + poll;
        if let Some(ripe) = self.observer.next_ripe(record) {
            at = at.min(ripe.max(now.mono));
        }
        if let Some(give_up) = self.give_up_at().filter(|give_up| *give_up > now.mono) {
            at = at.min(give_up);
        }
        self.set_timer(at, Next::Read);
    }

    fn remember_previous(&mut self, record: &Record) {
        self.seek.previous = record.last.clone().filter(Last::needs_telling);
    }

    fn tell_waiting(&mut self, position: usize, record: &Record) {
        let ahead: Vec<Mode> =
            record.queue.iter().take(position.saturating_sub(1)).map(|waiter| waiter.mode).collect();
        let seen = |holder: &Holder| (holder.session.clone(), holder.phase, holder.activity.clone());
        let told =
            Told { ahead: ahead.clone(), position, holders: record.holders.iter().map(seen).collect() };
        if self.seek.told.as_ref() != Some(&told) {
            self.seek.told = Some(told);
            let (holders, runs) = (record.holders.clone(), record.runs);
            self.notice(Notice::Waiting { position, holders, ahead, runs });
        }
    }
}
