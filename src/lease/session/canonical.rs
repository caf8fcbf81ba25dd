//! A session as the model checker compares it: all that its next steps depend on, and no more.

use super::{Finish, Held, Intent, Leaving, Next, Session, Wait};
use crate::lease::model::{Counter, Encoder, OLD, ceil};
use crate::lease::session::seek::Seeking;
use crate::lease::time::Instant;

impl Session {
    /// Writes down what distinguishes this session at `now`. Every field is named, so that a new one
    /// does not compile until somebody has thought about it.
    pub(in crate::lease) fn encode(&self, now: Instant, to: &mut Encoder) {
        let Self {
            params,
            // Draws make pauses shorter than the model's quantum, and so do the two counts.
            rng: _,
            failures: _,
            conflicts: _,
            started,
            intent,
            in_flight,
            proposed,
            timer,
            view,
            unanswered,
            claim,
            // Told of in the history.
            evicting: _,
            observer,
            generation,
            // Nobody is woken here, and nobody tells what it does.
            pausing: _,
            changed_meanwhile: _,
            activity: _,
            failing_since,
            // Stamps are compared and never counted.
            stamps: _,
            seek,
            // Taken out after every event.
            outputs: _,
        } = self;
        let id = &params.candidate.session;
        if let Wait::AtMost(limit) = params.wait {
            to.age(*started, now, ceil(limit) + 1);
        }
        match intent {
            Intent::Seek => {
                to.num(0u32);
                to.seeks(id);
            }
            Intent::Hold(Held { tenure, lost, returning: _ }) => {
                to.num(1 + u32::from(*lost));
                to.holder(&tenure.own);
                to.age(tenure.base, now, OLD);
            }
            Intent::Leave(Leaving { ending, then, until }) => {
                to.num(3 + u32::from(ending.is_some()));
                to.num(u32::from(then.is_clean()));
                to.num(u32::from(*then == Finish::Refused));
                to.until(*until, now);
            }
            Intent::Over => to.num(5u32),
        }
        to.num(u32::from(in_flight.is_some()));
        if let Some(Some(condition)) = in_flight {
            to.condition(condition.as_ref());
            to.record(proposed.as_ref());
        }
        to.num(timer.map_or(0u32, |(_, next)| if next == Next::Read { 1 } else { 2 }));
        if let Some((at, _)) = timer {
            to.until(*at, now);
        }
        to.num(u32::from(view.is_some()));
        if let Some(view) = view {
            to.record(view.as_ref());
        }
        to.num(unanswered.conditions.len());
        unanswered.conditions.iter().for_each(|condition| to.condition(condition.as_ref()));
        to.num(u32::from(claim.is_some()));
        if let Some(claim) = claim {
            to.beat(id, claim.beat);
            // One that can neither have landed unseen nor land any more counts from nowhere: the next try
            // has an instant of its own.
            let open = unanswered.any() || matches!(in_flight, Some(Some(_)));
            to.age(claim.first_sent, now, if open { OLD } else { 0 });
        }
        to.num(observer.seen.len());
        for (key, since) in &observer.seen {
            to.key(key);
            to.age(*since, now, OLD);
        }
        to.counter(Counter::Generation, *generation);
        to.num(failing_since.map_or(0, |since| 1 + ceil(now.since(since)).min(OLD)));
        seek.encode(now, to);
    }

    /// For a broken variant: what it has seen of the holders, it saw this much earlier, or never.
    pub(in crate::lease) fn misremember(&mut self, earlier: Option<std::time::Duration>) {
        match earlier {
            Some(earlier) => self.observer.seen.iter_mut().for_each(|(_, since)| *since = *since - earlier),
            None => self.observer.seen.clear(),
        }
    }
}

impl Seeking {
    fn encode(&self, now: Instant, to: &mut Encoder) {
        let Self {
            entered,
            // For people.
            previous: _,
            told: _,
            // Makes the young look more often, within the quantum.
            placed: _,
            patience,
            runs,
            vanished,
            doubting,
        } = self;
        to.num(u32::from(*entered) | u32::from(patience.is_some()) << 1 | u32::from(doubting.is_some()) << 2);
        to.counter(Counter::Runs, *runs);
        to.num(vanished.map_or(0, |since| 1 + ceil(now.since(since)).min(OLD)));
        to.num(doubting.as_ref().map_or(0, Vec::len));
        for key in doubting.iter().flatten() {
            to.key(key);
        }
    }
}
