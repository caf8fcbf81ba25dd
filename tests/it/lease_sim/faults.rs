//! Lost answers, late writes, outages, and a record that vanishes.

use tfguard::lease::session::{Finish, Notice, Request};
use tfguard::lease::{Phase, Record, Standing};

use super::actor::{Child, Plan};
use super::clock::{MS, Nanos, SEC};
use super::network::{Fate, Network};
use super::world::{Event, Outage, Sent, World};

const LEASE: Nanos = 30 * SEC;
const HEARTBEAT: Nanos = LEASE / 6;

/// What a write does to its author's own entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acquire,
    Queue,
    Renew,
    Gone,
}

fn kind(sent: &Sent<'_>) -> Option<Kind> {
    let Request::Write { record, .. } = sent.what else { return None };
    Some(match record.standing(&format!("s{}", sent.who)) {
        Standing::Holder(own) if own.beat <= 1 => Kind::Acquire,
        Standing::Holder(_) => Kind::Renew,
        Standing::Waiter(_) => Kind::Queue,
        Standing::Absent => Kind::Gone,
    })
}

/// Gives the first write of this kind by this supervisor this fate.
fn first(who: usize, what: Kind, fate: Fate) -> super::world::Script {
    let mut done = false;
    Box::new(move |sent| {
        let hit = !done && sent.who == who && kind(sent) == Some(what);
        done |= hit;
        hit.then_some(fate)
    })
}

const UNHEARD: Fate = Fate::AnswerLost { up: MS };
const LATE: Fate = Fate::AnswerLost { up: 40 * SEC };

#[test]
fn a_lost_answer_costs_one_timeout_and_nothing_else() {
    for what in [Kind::Acquire, Kind::Queue, Kind::Renew, Kind::Gone] {
        for who in [0, 1] {
            let mut world = World::new(20);
            world.add(Plan::new(0).work(12 * SEC));
            world.add(Plan::new(SEC).work(12 * SEC));
            world.script = Some(first(who, what, UNHEARD));
            world.succeeds(60 * SEC);
            let end = world.actors[1].finished.clone().unwrap();
            assert!(end.0 < 28 * SEC && end.1 == Finish::Released, "{what:?} of {who}: {end:?}");
            assert!(world.actors.iter().all(|actor| !actor.lost), "{what:?} of {who}");
            let record = world.record.as_ref().unwrap();
            assert_eq!(record.runs, 2, "{what:?} of {who}: nobody ran twice");
        }
    }
}

#[test]
fn a_lease_counts_from_before_the_first_send_of_what_took_effect() {
    let mut world = World::new(21);
    world.add(Plan::new(0).work(60 * SEC));
    world.script = Some(first(0, Kind::Renew, Fate::AnswerLost { up: 2 * SEC }));
    world.check(|world| world.run_until(9 * SEC));
    let deadlines = world.actors[0].session.as_ref().unwrap().deadlines().unwrap();
    let base = world.actors[0].plan.clock.reaches(deadlines.end) - LEASE;
    assert!((HEARTBEAT..HEARTBEAT + 10 * MS).contains(&base), "{base}");
}

#[test]
fn a_write_that_lands_after_its_session_left_changes_nothing() {
    // Onto nothing, onto a held lock; its author leaves when cancelled or releases.
    for held in [false, true] {
        let mut world = World::new(22);
        let late = usize::from(held);
        if held {
            world.add(Plan::new(0).work(3 * SEC));
        }
        world.add(Plan::new(SEC));
        let what = if held { Kind::Queue } else { Kind::Acquire };
        world.script = Some(first(late, what, LATE));
        world.at(SEC + 500 * MS, Event::Cancel(late));
        world.check(|world| world.run_until(120 * SEC));
        assert_eq!(world.actors[late].finish(), Some(&Finish::Left));
        assert!(world.record.as_ref().is_some_and(Record::is_free));
    }
}

#[test]
fn a_late_heartbeat_does_not_arm_a_released_lock() {
    let mut world = World::new(23);
    world.add(Plan::new(0).work(HEARTBEAT + SEC));
    world.script = Some(first(0, Kind::Renew, LATE));
    world.succeeds(60 * SEC);
    world.check(|world| world.run_until(120 * SEC));
    assert!(world.record.as_ref().unwrap().is_free());
}

#[test]
fn what_a_dead_session_sent_is_passed_over_when_it_lands() {
    let mut world = World::new(24);
    world.add(Plan::new(0));
    world.script = Some(first(0, Kind::Acquire, Fate::AnswerLost { up: 20 * SEC }));
    world.at(500 * MS, Event::Crash(0));
    let next = world.add(Plan::new(30 * SEC).work(SEC));
    world.succeeds(200 * SEC);
    let waited = world.actors[next].acquired_at().unwrap() - 30 * SEC;
    assert!((33 * SEC..36 * SEC).contains(&waited), "{} ms", waited / MS);
}

#[test]
fn an_outage_shorter_than_half_a_lease_disturbs_nobody() {
    for says_so in [true, false] {
        let mut world = World::new(25);
        world.network = Network::CLOUD;
        let holder = world.add(Plan::new(0).work(60 * SEC));
        let waiter = world.add(Plan::new(SEC).work(SEC));
        world.outages.push(Outage { from: 11 * SEC, until: 20 * SEC, who: None, says_so });
        world.succeeds(120 * SEC);
        assert_eq!(world.actors[holder].child, Child::Dead { killed: false });
        assert!(world.actors[holder].finished.as_ref().unwrap().0 >= 60 * SEC, "the child ran to its end");
        assert!(world.actors[waiter].acquired_at().unwrap() < 64 * SEC);
    }
}

#[test]
fn a_cut_off_holder_stops_its_child_in_time_and_finds_the_lock_gone() {
    let mut world = World::new(26);
    let mut stubborn = Plan::new(0).work(1000 * SEC);
    stubborn.grace = 1000 * SEC;
    let holder = world.add(stubborn);
    world.add(Plan::new(SEC).work(20 * SEC));
    world.cut_off(holder, 11 * SEC, 60 * SEC);
    world.check(|world| world.run_until(10 * SEC + LEASE * 9 / 10 - SEC));
    assert!(matches!(world.actors[holder].child, Child::Running { interrupted: true, .. }));
    world.check(|world| world.run_until(10 * SEC + LEASE * 9 / 10 + 100 * MS));
    assert_eq!(world.actors[holder].child, Child::Dead { killed: true });
    world.succeeds(200 * SEC);
}

#[test]
fn a_child_is_not_started_on_a_lease_that_has_run_half_out() {
    let mut world = World::new(27);
    world.add(Plan::new(0));
    world.script = Some(first(0, Kind::Acquire, UNHEARD));
    world.outages.push(Outage { from: 100 * MS, until: 16 * SEC, who: Some(0), says_so: false });
    world.succeeds(60 * SEC);
    assert!(world.actors[0].acquired_at().is_some());
    assert_eq!(world.actors[0].child, Child::None);
    assert_eq!(world.actors[0].finish(), Some(&Finish::Released));
}

#[test]
fn a_release_that_cannot_be_sent_ends_as_stranded_and_the_next_gets_past_it() {
    let mut world = World::new(28);
    let holder = world.add(Plan::new(0).work(3 * SEC));
    let next = world.add(Plan::new(SEC).work(SEC));
    world.cut_off(holder, 2 * SEC, 100 * SEC);
    world.succeeds(200 * SEC);
    let (at, finish) = world.actors[holder].finished.clone().unwrap();
    assert_eq!(finish, Finish::Stranded);
    assert!((33 * SEC..37 * SEC).contains(&at), "{at}");
    assert!(world.actors[next].acquired_at().unwrap() < 36 * SEC);
}

#[test]
fn a_record_deleted_under_its_holder_comes_back_with_it() {
    let mut world = World::new(29);
    let holder = world.add(Plan::new(0).work(40 * SEC));
    let waiters = [world.add(Plan::new(SEC).work(SEC)), world.add(Plan::new(2 * SEC).work(SEC))];
    world.at(12 * SEC, Event::Delete);
    world.check(|world| world.run_until(12 * SEC + HEARTBEAT + 4 * SEC));
    let record = world.record.as_ref().unwrap();
    assert!(matches!(record.standing("s0"), Standing::Holder(own) if own.phase == Phase::Active));
    assert_eq!(record.queue.len(), 2, "those who waited queue again");
    world.succeeds(100 * SEC);
    assert!(world.actors[holder].when(|notice| *notice == Notice::Recreated).is_some());
    assert!(!world.actors[holder].lost);
    assert!(waiters.iter().all(|who| world.actors[*who].acquired_at().unwrap() >= 40 * SEC));
}

#[test]
fn a_record_deleted_under_a_group_comes_back_with_all_of_it() {
    let mut world = World::new(30);
    for n in 0..2 {
        world.add(Plan::new(n * SEC).shared().work(40 * SEC));
    }
    let writer = world.add(Plan::new(2 * SEC).work(SEC));
    world.at(12 * SEC, Event::Delete);
    world.check(|world| world.run_until(12 * SEC + HEARTBEAT + 2 * SEC));
    let record = world.record.as_ref().unwrap();
    assert_eq!(record.holders.len(), 2);
    assert!(record.holders.iter().all(|holder| holder.generation == record.generation));
    world.succeeds(100 * SEC);
    assert!(world.actors[..2].iter().all(|actor| !actor.lost));
    assert!(world.actors[writer].acquired_at().unwrap() >= 41 * SEC);
}

#[test]
fn a_record_deleted_over_a_dead_holder_is_taken_after_its_patience() {
    let mut world = World::new(31);
    let dead = world.add(Plan::new(0).work(1000 * SEC));
    let next = world.add(Plan::new(SEC).work(SEC));
    world.at(6 * SEC, Event::Crash(dead));
    world.at(7 * SEC, Event::Delete);
    world.succeeds(100 * SEC);
    let waited = world.actors[next].acquired_at().unwrap() - 7 * SEC;
    assert!((33 * SEC..36 * SEC).contains(&waited), "{} ms", waited / MS);
}
