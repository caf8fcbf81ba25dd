//! The protocol's parts, each on its own. How they play together is simulated in `tests/it`.

#![allow(clippy::panic, reason = "a test that goes wrong says so")]

mod driver;
mod leaving;
mod observer;
mod pace;
mod record;
mod seeking;
mod session;
mod sizes;
mod transition;
mod waiting;
mod writes;

use std::time::Duration;

use jiff::Timestamp;

use super::transition::{Candidate, acquire};
use super::{Identity, Lease, Mode, Record};

/// The lease of everyone here, in seconds.
const LEASE: u64 = 30;

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + second).unwrap()
}

fn candidate(session: &str, mode: Mode) -> Candidate {
    Candidate {
        session: session.to_owned(),
        mode,
        changes: true,
        lease: Lease::new(Duration::from_secs(LEASE)).unwrap(),
        asked_at: wall(0),
        identity: Identity::default(),
    }
}

fn exclusive(session: &str) -> Candidate {
    candidate(session, Mode::Exclusive)
}

fn shared(session: &str) -> Candidate {
    candidate(session, Mode::Shared)
}

/// The record after these have asked for the lock, one after the other.
fn record_of(candidates: &[Candidate]) -> Record {
    let mut record = None;
    for (n, candidate) in candidates.iter().enumerate() {
        let next = acquire(record.as_ref(), candidate, wall(0)).unwrap();
        record = Some(next.sealed(format!("test/{n}"), wall(0)));
    }
    record.unwrap()
}

fn holders(record: &Record) -> Vec<&str> {
    record.holders.iter().map(|holder| holder.session.as_str()).collect()
}

fn queue(record: &Record) -> Vec<&str> {
    record.queue.iter().map(|waiter| waiter.session.as_str()).collect()
}
