//! A simulated supervisor: one session, one child, the clocks of its machine.

use std::time::Duration;

use jiff::Timestamp;
use tfguard::lease::session::{Answer, Finish, Notice, Params, Wait};
use tfguard::lease::transition::Candidate;
use tfguard::lease::{Identity, Lease, Mode, Now, Session};

use super::clock::{LocalClock, MS, Nanos, SEC};
use super::world::Event;

/// What a run is going to do.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// When it asks for the lock.
    pub(super) start: Nanos,
    /// Exclusive or shared.
    pub(super) mode: Mode,
    /// How long it waits.
    pub(super) wait: Wait,
    /// Its lease.
    pub(super) lease: Duration,
    /// How long its child runs when left alone.
    pub(super) work: Nanos,
    /// How long its child takes to stop when interrupted.
    pub(super) grace: Nanos,
    /// How long an unreachable store is tried.
    pub(super) reach: Duration,
    /// How long a release is tried.
    pub(super) release: Duration,
    /// Its machine's clocks.
    pub(super) clock: LocalClock,
}

impl Plan {
    /// An exclusive run that asks at `start` and works for ten seconds.
    pub(super) fn new(start: Nanos) -> Self {
        Self {
            start,
            mode: Mode::Exclusive,
            wait: Wait::Forever,
            lease: Duration::from_secs(30),
            work: 10 * SEC,
            grace: 500 * MS,
            reach: Duration::from_secs(60),
            release: Duration::from_secs(30),
            clock: LocalClock::TRUE,
        }
    }

    /// The same, shared.
    pub(super) fn shared(self) -> Self {
        Self { mode: Mode::Shared, ..self }
    }

    /// The same with a child that runs this long.
    pub(super) fn work(self, work: Nanos) -> Self {
        Self { work, ..self }
    }

    /// The same with this patience.
    pub(super) fn wait(self, wait: Wait) -> Self {
        Self { wait, ..self }
    }
}

/// The child of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// Not started.
    None,
    /// Runs until `ends`, unless something happens to it.
    Running {
        /// When it ends as things stand.
        ends: Nanos,
        /// It got its one interrupt.
        interrupted: bool,
        /// When the guardian kills it, whatever becomes of the supervisor.
        guard: Nanos,
    },
    /// Gone.
    Dead {
        /// It did not end by itself.
        killed: bool,
    },
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Actor {
    /// Its session's id.
    pub(super) name: String,
    /// What it is going to do.
    pub(super) plan: Plan,
    /// Its session, from its start to its end.
    pub(super) session: Option<Session>,
    /// Number of the newest request; answers to older ones are not handed in.
    pub(super) request: u64,
    /// Number of writes sent.
    pub(super) writes: u64,
    /// The longest lease of anyone in the newest record that it saw held; `None`: it has seen none.
    pub(super) seen: Option<Duration>,
    /// Its child.
    pub(super) child: Child,
    /// Everything it was told, and when.
    pub(super) notices: Vec<(Nanos, Notice)>,
    /// How and when its session ended.
    pub(super) finished: Option<(Nanos, Finish)>,
    /// The session said that the lock is ours.
    pub(super) acquired: bool,
    /// The child was started, or it was decided that none will be.
    pub(super) settled: bool,
    /// The session said that the lock is lost.
    pub(super) lost: bool,
    /// Somebody cancelled the run.
    pub(super) cancelled: bool,
    /// The release was asked for.
    pub(super) released: bool,
    /// The supervisor is no more.
    pub(super) crashed: bool,
    /// Stopped until then, with what happened meanwhile.
    pub(super) paused: Option<Nanos>,
    /// Events of a paused supervisor, in order.
    pub(super) backlog: Vec<Event>,
    /// When it looks at its timers next.
    pub(super) wake: Option<Nanos>,
}

impl Actor {
    /// Takes in what an answer shows of those who hold, as far as it shows any.
    pub(super) fn see(&mut self, answer: &Answer) {
        match answer {
            Answer::Read(Some(record)) | Answer::Conflict(Some(record)) if !record.is_free() => {
                let leases = record.holders.iter().map(|holder| holder.lease_ms);
                let longest = leases.chain(record.queue.iter().map(|waiter| waiter.lease_ms)).max();
                self.seen = longest.map(Duration::from_millis).or(self.seen);
            }
            // It holds itself now, or stands behind whom it had read of.
            Answer::Written => self.seen = self.seen.max(Some(self.plan.lease)),
            _ => {}
        }
    }

    /// A supervisor that has not begun.
    pub(super) fn new(index: usize, plan: Plan) -> Self {
        Self {
            name: format!("s{index}"),
            plan,
            session: None,
            request: 0,
            writes: 0,
            seen: None,
            child: Child::None,
            notices: Vec::new(),
            finished: None,
            acquired: false,
            settled: false,
            lost: false,
            cancelled: false,
            released: false,
            crashed: false,
            paused: None,
            backlog: Vec::new(),
            wake: None,
        }
    }

    /// Its clocks at `global`.
    pub(super) fn now(&self, global: Nanos) -> Now {
        self.plan.clock.now(global)
    }

    /// Begins.
    pub(super) fn begin(&mut self, global: Nanos, seed: u64) {
        let now = self.now(global);
        self.session = Some(Session::new(self.params(now.wall, seed), now));
    }

    /// Whether nothing happens to it any more.
    pub(super) fn is_over(&self) -> bool {
        self.crashed || self.finished.is_some()
    }

    /// When the lock was its own for the first time.
    pub(super) fn acquired_at(&self) -> Option<Nanos> {
        self.when(|notice| matches!(notice, Notice::Acquired { .. }))
    }

    /// When it was first told such a thing.
    pub(super) fn when(&self, is: impl Fn(&Notice) -> bool) -> Option<Nanos> {
        self.notices.iter().find(|(_, notice)| is(notice)).map(|(at, _)| *at)
    }

    /// How its session ended.
    pub(super) fn finish(&self) -> Option<&Finish> {
        self.finished.as_ref().map(|(_, finish)| finish)
    }

    fn params(&self, asked_at: Timestamp, seed: u64) -> Params {
        Params {
            candidate: Candidate {
                session: self.name.clone(),
                mode: self.plan.mode,
                changes: true,
                lease: Lease::new(self.plan.lease).unwrap(),
                asked_at,
                identity: Identity::default(),
            },
            nonce: "n".to_owned(),
            wait: self.plan.wait,
            reach: self.plan.reach,
            release: self.plan.release,
            seed,
        }
    }
}
