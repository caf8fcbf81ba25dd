//! One situation: the record, everyone with their real session, what is on its way, and what may
//! still go wrong.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::encoder::Encoder;
use super::judge::Rule;
use super::scope::{Budget, Scope};
use super::time::{OLD, local};
use crate::lease::record::Stamp;
use crate::lease::session::{Answer, Request};
use crate::lease::{Now, Record, Session, Standing, Tenure};

/// Whether a supervisor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It has not begun.
    Off,
    Up,
    /// Stopped for so many quanta by now.
    Frozen(u8),
    /// Killed. What it sent may still land, its child may still run.
    Dead,
    /// Its session ended; whether it is known to be out of the record.
    Over {
        clean: bool,
    },
}

/// The request under way.
#[derive(Debug, Clone)]
pub(super) enum Mail {
    None,
    /// Not at the store yet.
    Sent(Request),
    /// Back from the store, not at home yet.
    Answered(Answer),
    /// No answer will come before its time is over. Whether it was a write.
    Lost {
        write: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    None,
    Running,
    Dead { killed: bool },
}

/// One who takes part: a supervisor, its session, its child, and its machine's clock.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Its session's id.
    pub(super) id: String,
    pub(super) life: Life,
    pub(super) session: Option<Session>,
    pub(super) mail: Mail,
    pub(super) child: Child,
    /// Quanta on its machine's clock.
    pub(super) clock: u64,
    /// How often that clock was wrong by one.
    pub(super) errors: u8,
    /// When the sign of life landed that the record shows of it, in true quanta.
    pub(super) sign: u64,
    /// When its session told of its newest sign of life. Only a broken variant looks at it.
    pub(super) told: Option<u64>,
    pub(super) acquired: bool,
    pub(super) lost: bool,
    pub(super) cancelled: bool,
    pub(super) released: bool,
    /// An operator took it out at once.
    pub(super) removed: bool,
    /// The lease as its supervisor knew it last.
    pub(super) known: Option<Tenure>,
    /// The same after its supervisor was killed.
    pub(super) orphan: Option<Tenure>,
    /// Its guardian goes on for it.
    pub(super) guarded: bool,
}

/// A write that its sender has given up. It lands at any moment while its condition holds, or never.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    pub(super) who: usize,
    pub(super) expected: Option<Stamp>,
    pub(super) record: Record,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// True time, in quanta.
    pub(super) now: u64,
    pub(super) record: Option<Arc<Record>>,
    pub(super) actors: Vec<Arc<Actor>>,
    pub(super) strays: Vec<Arc<Stray>>,
    pub(super) budget: Budget,
    pub(super) broken: Option<Rule>,
    /// Clocks may be wrong.
    pub(super) drifts: bool,
    /// The same for all that go on alike.
    print: u64,
}

impl World {
    pub(super) fn new(scope: &Scope) -> Self {
        Self {
            now: 0,
            record: None,
            actors: (0..scope.plans.len()).map(|who| Arc::new(Actor::new(who, 0))).collect(),
            strays: Vec::new(),
            budget: scope.budget,
            broken: None,
            drifts: scope.drift,
            print: 0,
        }
    }

    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    pub(super) fn stamp(&self) -> Option<&Stamp> {
        self.record().map(|record| &record.stamp)
    }

    pub(super) fn actor(&mut self, who: usize) -> &mut Actor {
        Arc::make_mut(&mut self.actors[who])
    }

    /// Whether its session stands in the record.
    pub(super) fn stands(&self, who: usize) -> bool {
        let id = &self.actors[who].id;
        self.record().is_some_and(|record| record.standing(id) != Standing::Absent)
    }

    pub(super) fn breaks(&mut self, rule: Rule) {
        self.broken.get_or_insert(rule);
    }

    /// A number that situations which go on alike have in common.
    pub(super) const fn print(&self) -> u64 {
        self.print
    }

    /// Brings the print up to date, once for every step.
    pub(super) fn take_print(&mut self) {
        let mut hasher = DefaultHasher::new();
        self.canonical().hash(&mut hasher);
        self.print = hasher.finish();
    }

    fn canonical(&self) -> Vec<u32> {
        let mut to = Encoder::default();
        to.record(self.record());
        for actor in &self.actors {
            actor.encode(self, &mut to);
        }
        to.num(self.strays.len());
        for stray in &self.strays {
            to.num(stray.who);
            to.condition(stray.expected.as_ref());
            to.record(Some(&stray.record));
        }
        let Budget { timeouts, breaks, refusals, crashes, freezes, cancels, revocations, removals } =
            self.budget;
        for left in [timeouts, breaks, refusals, crashes, freezes, cancels, revocations, removals] {
            to.num(left);
        }
        to.num(self.broken.map_or(0, |rule| 1 + rule as u32));
        to.finish()
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.print);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Actor {
    /// One whose clock was set when the world's showed `clock`.
    pub(super) fn new(who: usize, clock: u64) -> Self {
        Self {
            id: char::from(b'a' + u8::try_from(who).unwrap_or(u8::MAX)).to_string(),
            life: Life::Off,
            session: None,
            mail: Mail::None,
            child: Child::None,
            clock,
            errors: 0,
            sign: 0,
            told: None,
            acquired: false,
            lost: false,
            cancelled: false,
            released: false,
            removed: false,
            known: None,
            orphan: None,
            guarded: false,
        }
    }

    pub(super) fn now(&self) -> Now {
        local(self.clock)
    }

    /// The lease that its child lives by.
    pub(super) fn tenure(&self) -> Option<&Tenure> {
        self.session.as_ref().and_then(Session::tenure).or(self.orphan.as_ref())
    }

    /// Whether something of it may be working under the lock: its child, or a supervisor that holds a
    /// lease which has not run out by its own clock.
    pub(super) fn believes(&self) -> bool {
        let holds = || {
            let lasts = self.tenure().is_some_and(|tenure| self.now().mono < tenure.deadlines().kill);
            matches!(self.life, Life::Up | Life::Frozen(_)) && !self.lost && lasts
        };
        self.child == Child::Running || holds()
    }

    fn encode(&self, world: &World, to: &mut Encoder) {
        let now = self.now().mono;
        to.num(match self.life {
            Life::Off => 0,
            Life::Up => 1,
            Life::Frozen(span) => 10 + u32::from(span),
            Life::Dead => 2,
            Life::Over { clean } => 3 + u32::from(clean),
        });
        to.num(match self.child {
            Child::None => 0u32,
            Child::Running => 1,
            Child::Dead { .. } => 2,
        });
        let signs = [self.acquired, self.lost, self.cancelled, self.released, self.removed, self.guarded];
        to.num(signs.iter().fold(0, |bits, sign| bits << 1 | u32::from(*sign)));
        to.num(self.errors);
        to.num(self.told.map_or(0, |told| 1 + (self.clock - told).min(OLD)));
        let holder = world.record().and_then(|record| record.holder(&self.id));
        if holder.is_some() {
            to.num((world.now - self.sign).min(OLD));
        }
        if matches!(self.life, Life::Dead) {
            to.num(u32::from(self.orphan.is_some()));
            if let Some(orphan) = &self.orphan {
                to.holder(&orphan.own);
                to.age(orphan.base, now, OLD);
            }
        }
        if let (Some(session), Life::Up | Life::Frozen(_)) = (&self.session, self.life) {
            session.encode(now, to);
            self.mail.encode(to);
        }
    }
}

impl Mail {
    /// What its session does not know yet.
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::None => to.num(0u32),
            Self::Sent(Request::Read) => to.num(1u32),
            Self::Sent(Request::Write { record, .. }) => {
                to.num(2u32);
                // A broken variant may send something else than its session believes.
                to.record(Some(record));
            }
            Self::Answered(Answer::Read(record)) => {
                to.num(3u32);
                to.record(record.as_ref());
            }
            Self::Answered(Answer::Conflict(record)) => {
                to.num(4u32);
                to.record(record.as_ref());
            }
            Self::Answered(Answer::Written) => to.num(5u32),
            Self::Answered(Answer::Failed { .. }) => to.num(6u32),
            Self::Lost { write } => to.num(7 + u32::from(*write)),
        }
    }
}
