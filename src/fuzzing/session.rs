//! A session that comes upon a record it has never seen.

use std::time::Duration;

use super::now;
use super::record::{assert_sound, candidate};
use crate::lease::session::{Answer, Output, Params, Request, Wait};
use crate::lease::transition::Ending;
use crate::lease::{Instant, Mode, Now, Outcome, Record, Session};

/// Steps in which a session that is told to go is out of a record that nobody else writes.
const STEPS: usize = 60;

/// A newcomer, and whoever believes in an entry that is there: each waits for a while, is told to go,
/// and is out of the record in the end; whatever it writes is sound.
pub(super) fn meets(record: &Record) {
    let holder = record.holders.first().map(|holder| (holder.session.as_str(), holder.mode));
    let waiter = record.queue.first().map(|waiter| (waiter.session.as_str(), waiter.mode));
    let others = [Some(("\u{0}me", Mode::Exclusive)), Some(("\u{0}me", Mode::Shared)), holder, waiter];
    for (session, mode) in others.into_iter().flatten() {
        for wait in [Wait::Not, Wait::AtMost(Duration::from_secs(30)), Wait::Forever] {
            goes_through(record.clone(), session, mode, wait);
        }
    }
}

fn goes_through(record: Record, session: &str, mode: Mode, wait: Wait) {
    let second = Duration::from_secs(1);
    let params = Params {
        candidate: candidate(session, mode),
        nonce: "n".into(),
        wait,
        reach: 60 * second,
        release: 20 * second,
        seed: 7,
    };
    let mut mono = Instant::from_nanos(1_000_000_000_000);
    let at = |mono| Now { mono, wall: now() };
    let mut me = Session::new(params, at(mono));
    let mut store = Some(record);
    for step in 0..STEPS {
        let mut request = None;
        while let Some(output) = me.poll() {
            match output {
                Output::Send { request: sent, .. } => request = Some(sent),
                Output::Finished(_) => return,
                Output::Notice(_) | Output::Evicted(_) => {}
            }
        }
        match request {
            Some(Request::Read) => me.answered(Answer::Read(store.clone()), at(mono)),
            Some(Request::Write { expected, record }) => {
                assert_sound(&record);
                assert_eq!(expected.as_ref(), store.as_ref().map(|record| &record.stamp));
                store = Some(record);
                me.answered(Answer::Written, at(mono));
            }
            None => {
                let Some(deadline) = me.deadline() else { panic!("it neither asks nor waits: {me:?}") };
                mono = deadline.max(mono);
                me.tick(at(mono));
            }
        }
        if step == STEPS / 2 {
            match me.tenure() {
                Some(_) => me.release(Ending::new(Outcome::Released, Some(0)), at(mono)),
                None => me.leave(at(mono)),
            }
        }
    }
    panic!("it does not come to an end: {me:?}");
}
