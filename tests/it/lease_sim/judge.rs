//! The rules of the protocol, checked from outside at every event with the true time.

use std::collections::{HashMap, HashSet};

use tfguard::lease::{Holder, HolderKey, Last, Mode, Outcome, Phase, Record, Standing};

use super::clock::{MS, Nanos, RATES, SEC};

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// What a broken rule looks like.
pub(super) type Verdict = Result<(), String>;

/// Who made a write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Author<'a> {
    /// A session.
    Session(&'a str),
    /// An operator, about this session.
    Operator(&'a str),
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Judge {
    /// The fastest clock that is allowed, in microseconds a second.
    pub(super) fastest: u64,
    /// Children that run, with their mode.
    running: HashMap<String, Mode>,
    /// Every stamp that ever landed.
    stamps: HashSet<String>,
    /// The newest sign of life of each holder, and when it landed.
    signs: HashMap<String, (HolderKey, u64, Nanos)>,
    /// Sessions that said that they are out for good.
    clean: HashSet<String>,
    /// The highest generation that ever stood.
    generation: u64,
    /// Sessions that took effect in the queue, in order of arrival; for reading in a failure.
    pub(super) grants: Vec<String>,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            fastest: *RATES.end(),
            running: HashMap::new(),
            stamps: HashSet::new(),
            signs: HashMap::new(),
            clean: HashSet::new(),
            generation: 0,
            grants: Vec::new(),
        }
    }
}

impl Judge {
    /// A child starts.
    pub(super) fn child_started(&mut self, name: &str, mode: Mode) -> Verdict {
        let rival = self
            .running
            .iter()
            .find(|(_, other)| mode == Mode::Exclusive || **other == Mode::Exclusive)
            .map(|(other, _)| other.clone());
        self.running.insert(name.to_owned(), mode);
        match rival {
            Some(rival) => Err(format!("overlap: the child of {name} starts while that of {rival} runs")),
            None => Ok(()),
        }
    }

    /// A child has ended.
    pub(super) fn child_ended(&mut self, name: &str) {
        self.running.remove(name);
    }

    /// A session says that it is over.
    pub(super) fn finished(&mut self, name: &str, clean: bool, record: Option<&Record>) -> Verdict {
        if clean {
            self.clean.insert(name.to_owned());
            if record.is_some_and(|record| record.standing(name) != Standing::Absent) {
                return Err(format!("{name} says that it is out, and the record shows it"));
            }
        }
        Ok(())
    }

    /// A write took effect.
    pub(super) fn landed(
        &mut self,
        now: Nanos,
        author: Author<'_>,
        before: Option<&Record>,
        after: &Record,
    ) -> Verdict {
        after.clone().check().map_err(|error| format!("the record is broken: {error}"))?;
        if !self.stamps.insert(after.stamp.clone()) {
            return Err(format!("the stamp {} was used twice", after.stamp));
        }
        self.ghosts(after)?;
        let empty = Record { holders: vec![], queue: vec![], ..after.clone() };
        let (old, had_record) = (before.unwrap_or(&empty), before.is_some());
        let removed = self.removals(now, author, old, after)?;
        self.queue_moves(author, old, after, &removed)?;
        self.arrivals(author, old, after, &removed)?;
        self.tokens(after)?;
        if had_record {
            Self::telling(old, after)?;
        }
        self.remember(now, after);
        Ok(())
    }

    /// Nothing of a session that said that it is out ever comes back.
    fn ghosts(&self, after: &Record) -> Verdict {
        let entries = after
            .holders
            .iter()
            .map(|holder| &holder.session)
            .chain(after.queue.iter().map(|waiter| &waiter.session));
        match entries.into_iter().find(|session| self.clean.contains(*session)) {
            Some(ghost) => Err(format!("{ghost} had left for good and is in the record again")),
            None => Ok(()),
        }
    }

    /// Who left the holders, and whether that was allowed. Returns the sessions that an operator
    /// or their own write took out of the record altogether.
    fn removals(
        &self,
        now: Nanos,
        author: Author<'_>,
        old: &Record,
        after: &Record,
    ) -> Result<Vec<String>, String> {
        let mut gone = Vec::new();
        for holder in &old.holders {
            let name = &holder.session;
            let next = after.holder(name);
            match author {
                Author::Session(own) if own == name => {
                    if next.is_none() {
                        if self.running.contains_key(own) {
                            return Err(format!("{own} leaves the holders while its child runs"));
                        }
                        gone.push(name.clone());
                    } else if next.is_some_and(|next| next.generation != holder.generation) {
                        return Err(format!("{own} changed its own generation"));
                    } else if next.is_some_and(|next| next.beat <= holder.beat && next != holder) {
                        return Err(format!("{own} changed its entry and its beat did not rise"));
                    }
                }
                Author::Operator(subject) if subject == name => {
                    gone.extend(next.is_none().then(|| name.clone()))
                }
                _ => match next {
                    Some(next) if next == holder => {}
                    Some(_) => return Err(format!("{author:?} changed the entry of {name}")),
                    None => self.evicted(now, author, holder)?,
                },
            }
        }
        Ok(gone)
    }

    /// An eviction is right where the holder has been silent for its patience in truth, measured
    /// by the fastest clock that is allowed.
    fn evicted(&self, now: Nanos, author: Author<'_>, holder: &Holder) -> Verdict {
        let Author::Session(by) = author else {
            return Err(format!("an operator's write evicted {}", holder.session));
        };
        let patience = match holder.phase {
            Phase::Granted => 10 * SEC,
            Phase::Active => holder.lease_ms * MS * 11 / 10,
        };
        let patience = patience * MICROS / self.fastest;
        let since = self.signs.get(&holder.session).map_or(0, |(_, _, at)| *at);
        if now - since < patience {
            return Err(format!("{by} evicted {}, which gave a sign of life just before", holder.session));
        }
        Ok(())
    }

    /// The queue keeps its order: it loses its head to the holders, its author or an operator's
    /// subject to nothing, and gains its author at the end.
    fn queue_moves(&mut self, author: Author<'_>, old: &Record, after: &Record, gone: &[String]) -> Verdict {
        let (Author::Session(subject) | Author::Operator(subject)) = author;
        let stays = |name: &str| after.standing(name) != Standing::Absent;
        let mut expected: Vec<&str> = old.queue.iter().map(|waiter| waiter.session.as_str()).collect();
        expected.retain(|name| *name != subject || stays(name));
        let granted: Vec<&str> = after
            .holders
            .iter()
            .filter(|holder| holder.phase == Phase::Granted && old.holder(&holder.session).is_none())
            .map(|holder| holder.session.as_str())
            .collect();
        if expected.get(..granted.len()) != Some(&granted[..]) {
            return Err(format!(
                "granted {granted:?} out of order; the queue was {expected:?} (gone {gone:?})"
            ));
        }
        let mut rest: Vec<&str> = expected.split_off(granted.len());
        let arrived = matches!(old.standing(subject), Standing::Absent)
            && matches!(after.standing(subject), Standing::Waiter(_));
        if arrived {
            rest.push(subject);
        }
        let queue: Vec<&str> = after.queue.iter().map(|waiter| waiter.session.as_str()).collect();
        if queue != rest {
            return Err(format!("the queue should be {rest:?} and is {queue:?}"));
        }
        self.grants.extend(granted.into_iter().map(str::to_owned));
        Ok(())
    }

    /// Whoever becomes a holder without having waited, and the generation of those who are new.
    fn arrivals(&self, author: Author<'_>, old: &Record, after: &Record, _gone: &[String]) -> Verdict {
        let stayed: Vec<&Holder> =
            after.holders.iter().filter(|holder| old.holder(&holder.session).is_some()).collect();
        for holder in after.holders.iter().filter(|holder| old.holder(&holder.session).is_none()) {
            let name = &holder.session;
            let returns =
                self.signs.get(name).is_some_and(|(_, generation, _)| *generation == holder.generation);
            if holder.phase == Phase::Active {
                if !matches!(author, Author::Session(own) if own == name) {
                    return Err(format!("{author:?} made {name} an active holder"));
                }
                if old.queue.iter().any(|waiter| waiter.session == *name) {
                    return Err(format!("{name} came from the queue and did not confirm"));
                }
                if !old.queue.is_empty() && !returns {
                    return Err(format!("{name} got past the queue"));
                }
            }
            if returns {
                continue;
            }
            match stayed.first() {
                Some(other) if holder.mode == Mode::Exclusive || other.mode == Mode::Exclusive => {
                    return Err(format!("{name} came beside {}", other.session));
                }
                Some(group) if holder.generation != group.generation => {
                    return Err(format!("{name} joined a group and has another generation"));
                }
                Some(_) => {}
                None if holder.generation <= self.generation => {
                    return Err(format!(
                        "{name} has generation {}, and {} was there before",
                        holder.generation, self.generation
                    ));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The fencing token never falls.
    fn tokens(&mut self, after: &Record) -> Verdict {
        if after.generation < self.generation {
            return Err(format!("the generation fell from {} to {}", self.generation, after.generation));
        }
        self.generation = after.generation;
        Ok(())
    }

    /// A bad end stays until a later run was told of it.
    fn telling(old: &Record, after: &Record) -> Verdict {
        if after.runs < old.runs || after.runs > old.runs + 1 {
            return Err(format!("the run counter went from {} to {}", old.runs, after.runs));
        }
        let Some(bad) = old.last.as_ref().filter(|last| last.needs_telling()) else { return Ok(()) };
        let told = |last: &Last| last.acknowledged && after.runs == old.runs + 1;
        match &after.last {
            Some(last) if last.session == bad.session && last.outcome == bad.outcome => {
                if last.acknowledged && !told(last) {
                    return Err(format!("the end of {} was acknowledged and no run began", bad.session));
                }
                Ok(())
            }
            Some(last) if last.outcome != Outcome::Released => Ok(()),
            _ => Err(format!("the bad end of {} was covered up", bad.session)),
        }
    }

    fn remember(&mut self, now: Nanos, after: &Record) {
        for holder in &after.holders {
            let key = holder.key();
            let entry = self.signs.entry(holder.session.clone());
            let sign = entry.or_insert_with(|| (key.clone(), holder.generation, now));
            if sign.0 != key {
                *sign = (key, holder.generation, now);
            }
        }
    }
}
