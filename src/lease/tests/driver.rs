//! One session over one record, with the test in the place of everything else.

use std::time::Duration;

use super::super::record::{Activity, Record, Stamp};
use super::super::session::{Answer, Finish, Notice, Output, Params, Request, Session, Wait};
use super::super::time::{Instant, Now};
use super::super::transition::Candidate;
use super::{exclusive, wall};

/// A session that is answered at once, or as the test says.
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) store: Option<Record>,
    pub(super) notices: Vec<Notice>,
    /// The sessions that it told of as evicted by itself.
    pub(super) evicted: Vec<String>,
    pub(super) finish: Option<Finish>,
    pending: Option<Request>,
    millis: u64,
    writes: u64,
}

/// The session that all of this is about.
pub(super) const ME: &str = "me";

pub(super) fn params(candidate: Candidate, wait: Wait) -> Params {
    Params {
        candidate,
        nonce: "n".into(),
        wait,
        reach: Duration::from_secs(60),
        release: Duration::from_secs(20),
        seed: 7,
    }
}

impl Driver {
    /// A session at time zero that finds this record.
    pub(super) fn new(store: Option<Record>, wait: Wait) -> Self {
        Self::of(params(exclusive(ME), wait), store)
    }

    pub(super) fn of(params: Params, store: Option<Record>) -> Self {
        let session = Session::new(params, now(0));
        let mut driver = Self {
            session,
            store,
            notices: vec![],
            evicted: vec![],
            finish: None,
            pending: None,
            millis: 0,
            writes: 0,
        };
        driver.poll();
        driver
    }

    /// A session that holds the lock since time zero.
    pub(super) fn holding() -> Self {
        let mut driver = Self::new(None, Wait::Forever);
        driver.serve();
        driver.serve();
        assert!(matches!(driver.notices[..], [Notice::Acquired { .. }]));
        driver.notices.clear();
        driver
    }

    pub(super) fn now(&self) -> Now {
        now(self.millis)
    }

    /// Seconds since the beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.millis as f64 / 1000.0
    }

    /// The request under way.
    pub(super) fn pending(&self) -> &Request {
        self.pending.as_ref().expect("a request should be under way")
    }

    /// The record that the session is about to write.
    pub(super) fn writing(&self) -> &Record {
        match self.pending() {
            Request::Write { record, .. } => record,
            Request::Read => panic!("a write should be under way"),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Someone else replaces the record.
    pub(super) fn rival(&mut self, change: impl FnOnce(&Record) -> Record) {
        let next = change(self.store.as_ref().unwrap());
        self.writes += 1;
        self.store = Some(next.sealed(format!("rival/{}", self.writes), wall(self.millis as i64 / 1000)));
    }

    /// The store does what it was asked, and says so.
    pub(super) fn serve(&mut self) {
        let answer = self.land();
        self.answer(answer);
    }

    /// The store does what it was asked, and the answer is lost.
    pub(super) fn serve_unheard(&mut self) {
        self.land();
        self.fail();
    }

    /// The request times out; whether it took effect is unknown.
    pub(super) fn fail(&mut self) {
        self.answer(Answer::Failed { refused: false, transient: true });
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        self.pending = None;
        let now = self.now();
        self.session.answered(answer, now);
        self.poll();
    }

    /// Lets the clock go on to `second`; requests are answered as `reply` says, at once.
    pub(super) fn until(&mut self, second: f64, mut reply: impl FnMut(&mut Self)) {
        let end = (second * 1000.0) as u64;
        loop {
            while self.pending.is_some() {
                reply(self);
            }
            let due = self.session.deadline().map(|at| at.since(Instant::from_nanos(0)));
            match due.map(|due| due.as_nanos().div_ceil(1_000_000) as u64) {
                Some(due) if due <= end => {
                    self.millis = self.millis.max(due);
                    let now = self.now();
                    self.session.tick(now);
                    self.poll();
                }
                _ => break,
            }
        }
        self.millis = end;
    }

    /// Lets the clock go on without anything happening.
    pub(super) fn skip(&mut self, seconds: f64) {
        self.millis += (seconds * 1000.0) as u64;
    }

    /// The run comes to another phase.
    pub(super) fn engage(&mut self, phase: &str) {
        let activity = Activity::new(phase, self.now().wall);
        self.session.engage(activity, self.now());
        self.poll();
    }

    /// The store tells of a change.
    pub(super) fn changed(&mut self) {
        self.session.changed(self.now());
        self.poll();
    }

    /// Fires the timer if it is due.
    pub(super) fn tick(&mut self) {
        let now = self.now();
        self.session.tick(now);
        self.poll();
    }

    /// What the store answers now.
    pub(super) fn land(&mut self) -> Answer {
        match self.pending().clone() {
            Request::Read => Answer::Read(self.store.clone()),
            Request::Write { expected, record } => self.swap(expected.as_ref(), record),
        }
    }

    /// A write reaches the store.
    pub(super) fn swap(&mut self, expected: Option<&Stamp>, record: Record) -> Answer {
        if expected == self.store.as_ref().map(|record| &record.stamp) {
            self.store = Some(record);
            Answer::Written
        } else {
            Answer::Conflict(self.store.clone())
        }
    }

    pub(super) fn poll(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send { request, .. } => self.pending = Some(request),
                Output::Notice(notice) => self.notices.push(notice),
                Output::Evicted(gone) => self.evicted.extend(gone.into_iter().map(|holder| holder.session)),
                Output::Finished(finish) => self.finish = Some(finish),
            }
        }
    }
}

fn now(millis: u64) -> Now {
    Now {
        mono: Instant::from_nanos(millis * 1_000_000),
        wall: wall(0) + jiff::SignedDuration::from_millis(i64::try_from(millis).unwrap()),
    }
}
