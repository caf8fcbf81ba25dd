//! What somebody who waits tells, and when: at once when it begins and when its place or a holder
//! changes, and every 30 s. Pure.

use std::time::Duration;

use crate::history::{Ahead, Estimate, Past, estimate};
use crate::lease::{Holder, Instant, Mode, Now};

/// How often somebody who waits says so.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the first word may wait for the estimate: nobody notices that, and one line that says it
/// all is better than two.
const FIRST: Duration = Duration::from_millis(300);

/// A wait as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Our place; 0 while we only observe.
    pub(super) position: usize,
    pub(super) holders: Vec<Holder>,
    /// What those in front of us ask for.
    pub(super) ahead: Vec<Mode>,
}

impl Seen {
    /// Whether a person would call it the same: who holds and our place, whatever they do.
    fn is_still(&self, before: &Self) -> bool {
        let sessions = |seen: &Self| -> Vec<String> {
            seen.holders.iter().map(|holder| holder.session.clone()).collect()
        };
        self.position == before.position && sessions(self) == sessions(before)
    }
}

/// One thing to tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) seen: &'a Seen,
    pub(super) estimate: Option<Estimate>,
    /// It is more than what a holder is doing.
    pub(super) news: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Telling {
    mode: Mode,
    seen: Option<Seen>,
    history: History,
    /// When to say it, again or for the first time.
    say_at: Option<Instant>,
    /// Since when something else shows that is no news.
    shows_since: Option<Instant>,
    told: bool,
}

#[derive(Debug)]
enum History {
    Reading,
    Read(Option<Past>),
}

impl Telling {
    /// Nothing is seen yet of a lock that is asked for in this mode.
    pub(super) fn new(mode: Mode) -> Self {
        let history = History::Reading;
        Self { mode, seen: None, history, say_at: None, shows_since: None, told: false }
    }

    /// What the record shows now. Returns whether the history is to be read, which is once.
    #[must_use]
    pub(super) fn sees(&mut self, seen: Seen, now: Instant) -> bool {
        let news = self.seen.as_ref().is_none_or(|before| !seen.is_still(before));
        let begins = self.seen.replace(seen).is_none();
        if begins {
            self.say_at = Some(now + FIRST);
        } else if self.told && news {
            self.say_at = Some(now);
        } else if self.told {
            self.shows_since.get_or_insert(now);
        }
        begins
    }

    /// The history was read, or cannot be.
    pub(super) fn learns(&mut self, past: Option<Past>, now: Instant) {
        // One that comes late is news, unless it says nothing.
        if past.is_some() || !self.told {
            self.say_at = self.say_at.map(|at| at.min(now));
        }
        self.history = History::Read(past);
    }

    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.say_at, self.shows_since].into_iter().flatten().reduce(Instant::min)
    }

    /// What is to be told now.
    pub(super) fn tell(&mut self, now: Now) -> Option<Word<'_>> {
        let news = self.say_at.is_some_and(|at| at <= now.mono);
        let seen = self.seen.as_ref().filter(|_| news || self.shows_since.is_some())?;
        if news {
            self.say_at = Some(now.mono + AGAIN);
            self.told = true;
        }
        self.shows_since = None;
        let estimate = match &self.history {
            History::Read(Some(past)) if seen.position > 0 => {
                let ahead = Ahead { holders: &seen.holders, queue: &seen.ahead, mode: self.mode };
                estimate(past, ahead, now.wall)
            }
            _ => None,
        };
        Some(Word { seen, estimate, news })
    }
}

#[cfg(test)]
mod tests;
