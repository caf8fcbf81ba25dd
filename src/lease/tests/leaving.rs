//! Getting out of the record over a store that fails, or says no.

use super::super::record::Outcome;
use super::super::session::{Answer, Finish, Request, Wait};
use super::super::transition::Ending;
use super::driver::{Driver, ME};
use super::{exclusive, holders, queue, record_of};

const GOOD: Ending = Ending::new(Outcome::Released, Some(0));

/// The store will say the same next time.
const DENIED: Answer = Answer::Failed { refused: true, transient: false };
/// The store says no, and may be of another mind in a moment.
const THROTTLED: Answer = Answer::Failed { refused: true, transient: true };

/// A holder that has begun to release, at time zero.
fn releasing() -> Driver {
    let mut me = Driver::holding();
    let now = me.now();
    me.session.release(GOOD, now);
    me.poll();
    me
}

/// Credentials that have run out may be renewed in time.
#[test]
fn a_release_that_is_denied_is_tried_for_all_of_its_time() {
    let mut me = releasing();
    me.until(19.0, |me| me.answer(DENIED));
    assert_eq!(me.finish, None);
    me.until(21.0, Driver::serve);
    assert_eq!(me.finish, Some(Finish::Released));
    assert!(me.store.as_ref().unwrap().is_free());
}

#[test]
fn a_release_that_fails_when_its_time_has_come_is_the_last() {
    for (seconds, finish) in [(19.999, None), (20.0, Some(Finish::Stranded))] {
        let mut me = releasing();
        me.skip(seconds);
        me.fail();
        assert_eq!(me.finish, finish, "after {seconds} s");
    }
}

/// A seeker whose first write stayed without an answer, and that is told then that it may not write. What may
/// still land is taken out, if the store lets it.
fn denied_after_a_lost_write() -> Driver {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.serve();
    me.fail();
    while me.is_idle() {
        me.skip(0.05);
        me.tick();
    }
    me.answer(DENIED);
    assert_eq!(me.finish, None, "a write of its own may still land");
    assert!(matches!(me.pending(), Request::Write { .. }));
    me
}

#[test]
fn who_is_denied_twice_does_not_ask_a_third_time() {
    let mut me = denied_after_a_lost_write();
    me.answer(DENIED);
    assert_eq!(me.finish, Some(Finish::Refused));
}

#[test]
fn who_is_denied_and_may_still_stand_in_the_record_tries_to_get_out_for_five_seconds() {
    let mut me = denied_after_a_lost_write();
    me.answer(THROTTLED);
    assert_eq!(me.finish, None);
    let since = me.seconds();
    me.until(since + 4.9, |me| me.answer(THROTTLED));
    assert_eq!(me.finish, None);
    me.until(since + 8.0, |me| me.answer(THROTTLED));
    assert_eq!(me.finish, Some(Finish::Refused));

    let mut me = denied_after_a_lost_write();
    me.serve();
    let record = me.store.as_ref().unwrap();
    assert_eq!((holders(record), queue(record)), (vec!["a"], vec![]));
    assert_eq!(me.finish, Some(Finish::Refused));
    assert!(record.holder(ME).is_none());
}

/// Its first write landed late, and made its second one fail.
#[test]
fn who_saw_itself_in_the_queue_and_is_denied_then_gets_out_of_it() {
    let mut me = Driver::new(Some(record_of(&[exclusive("a")])), Wait::Forever);
    me.serve();
    let Request::Write { expected, record: late } = me.pending().clone() else { panic!() };
    me.fail();
    let look = |me: &mut Driver| {
        while me.is_idle() {
            me.skip(0.05);
            me.tick();
        }
    };
    look(&mut me);
    me.serve();
    me.swap(expected.as_ref(), late);
    me.serve();
    assert_eq!(queue(me.store.as_ref().unwrap()), [ME]);
    look(&mut me);
    me.answer(DENIED);
    assert_eq!(me.finish, None);
    me.serve();
    assert_eq!((me.finish.as_ref(), queue(me.store.as_ref().unwrap())), (Some(&Finish::Refused), vec![]));
}
