//! What a record says of itself, and what is none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::record::*;
use super::super::time::Lease;
use super::super::transition::{Ending, acquire, release};
use super::{exclusive, holders, record_of, shared, wall};

fn is_rubbish(record: Record) -> bool {
    matches!(record.check(), Err(RecordError::Rubbish(_)))
}

/// `a` holds, `b` and `c` wait.
fn three() -> Record {
    record_of(&[exclusive("a"), exclusive("b"), exclusive("c")])
}

#[test]
fn a_name_is_what_a_key_can_hold() {
    assert_eq!(LockName::new(""), Err(NameError::Empty));
    assert_eq!(LockName::new("a#1"), Err(NameError::Forbidden("a#1".into(), '#')));
    assert_eq!(LockName::new("a\n"), Err(NameError::Forbidden("a\n".into(), '\n')));
    assert_eq!(LockName::new("x".repeat(1025)), Err(NameError::TooLong(1025)));
    let long = LockName::new("x".repeat(1024)).unwrap();
    assert_eq!(long.as_str().len(), 1024);
    let prod = LockName::new("prod").unwrap();
    assert_eq!((prod.key().as_str(), prod.to_string().as_str()), ("tfguard:prod", "prod"));
    assert_eq!(prod.run_key(7), "tfguard:prod#7");
}

#[test]
fn an_operators_words_are_kept_as_far_as_there_is_room() {
    let at = wall(7);
    let short = Intervention { by: "ann".into(), reason: "stuck".into(), at };
    assert_eq!(short.fitted(), short);
    let long = Intervention { by: "x".repeat(200), reason: "y".repeat(200), at };
    assert_eq!(long.fitted(), Intervention { by: "x".repeat(78), reason: "y".repeat(158), at });
}

#[test]
fn what_it_is_doing_is_a_word_and_a_second() {
    let activity = Activity::new("an endless phase", wall(5));
    assert_eq!((activity.phase.as_str(), activity.since()), ("an endless", wall(5)));
    let damaged = Activity { since: i64::MAX, ..activity };
    assert_eq!(damaged.since(), Timestamp::UNIX_EPOCH);
    assert_eq!(serde_json::to_string(&Activity::new("plan", wall(0))).unwrap(), r#"["plan",1750000000]"#);
}

#[test]
fn a_holder_looks_dead_after_twice_its_patience_by_the_wall_clock() {
    let active = record_of(&[exclusive("a")]).holders.remove(0);
    let granted = Holder { phase: Phase::Granted, ..active.clone() };
    for (holder, seconds) in [(active, 60), (granted, 20)] {
        let at = |more: i64| {
            holder.renewed_at + SignedDuration::from_secs(seconds) + SignedDuration::from_millis(more)
        };
        assert!(!holder.looks_dead(at(0)), "{:?}", holder.phase);
        assert!(holder.looks_dead(at(1)), "{:?}", holder.phase);
        assert!(!holder.looks_dead(wall(-1_000_000)));
    }
}

#[test]
fn a_lease_that_none_has_counts_as_the_nearest() {
    let holder = record_of(&[exclusive("a")]).holders.remove(0);
    for (lease_ms, lease) in [(0, Lease::MIN), (30_000, Duration::from_secs(30)), (u64::MAX, Lease::MAX)] {
        assert_eq!(Holder { lease_ms, ..holder.clone() }.lease().length(), lease);
    }
}

#[test]
fn everyone_stands_somewhere() {
    let record = three();
    assert!(matches!(record.standing("a"), Standing::Holder(holder) if holder.session == "a"));
    assert_eq!(record.standing("b"), Standing::Waiter(1));
    assert_eq!(record.standing("c"), Standing::Waiter(2));
    assert_eq!(record.standing("d"), Standing::Absent);
    assert!(!record.is_free() && Record::new(wall(0)).is_free());
}

#[test]
fn the_longest_lease_is_that_of_anyone() {
    let mut record = three();
    assert_eq!(record.longest_lease().map(Lease::length), Some(Duration::from_secs(30)));
    record.queue[1].lease_ms = 45_000;
    assert_eq!(record.longest_lease().map(Lease::length), Some(Duration::from_secs(45)));
    record.holders[0].lease_ms = u64::MAX;
    assert_eq!(record.longest_lease(), Some(Lease::LONGEST));
    assert_eq!(Record::new(wall(0)).longest_lease(), None);
}

#[test]
fn a_new_record_begins_at_the_second_and_is_kept_for_thirty_days() {
    let record = Record::new(wall(0));
    assert_eq!((record.generation, record.expires_at), (1_750_000_000, 1_750_000_000 + 30 * 24 * 3600));
    assert_eq!(Record::new(Timestamp::from_second(-5).unwrap()).generation, 0);
    let sealed = record.sealed("s/1".into(), wall(10));
    assert_eq!((sealed.stamp.as_str(), sealed.updated_at), ("s/1", wall(10)));
    assert_eq!(sealed.expires_at, 1_750_000_010 + 30 * 24 * 3600);
}

#[test]
fn only_a_bad_end_that_nobody_knows_of_is_told() {
    let record = record_of(&[exclusive("a")]);
    for (outcome, acknowledged, needs) in [
        (Outcome::Crashed, false, true),
        (Outcome::Crashed, true, false),
        (Outcome::Released, false, false),
        (Outcome::Released, true, false),
    ] {
        let over = release(&record, "a", &Ending::new(outcome, None), wall(1));
        let last = Last { acknowledged, ..over.last.unwrap() };
        assert_eq!(last.needs_telling(), needs, "{outcome:?} {acknowledged}");
    }
}

#[test]
fn there_is_room_to_the_last_byte() {
    let mut record = record_of(&[exclusive("a"), exclusive("b")]);
    let json = |record: &Record| serde_json::to_vec(record).unwrap().len();
    record.queue[0].identity.actor = Some(String::new());
    record.queue[0].identity.actor = Some("x".repeat(MAX_BYTES - 1 - json(&record)));
    assert_eq!(json(&record), MAX_BYTES - 1);
    assert!(record.has_room());
    record.queue[0].identity.actor.as_mut().unwrap().push('x');
    assert!(!record.has_room());
    assert_eq!(acquire(Some(&record), &exclusive("c"), wall(1)), None);
}

#[test]
fn what_is_damaged_is_rubbish() {
    let damages: [fn(&mut Record); 10] = [
        |record| record.holders[0].lease_ms = 9_999,
        |record| record.holders[0].lease_ms = 3_600_001,
        |record| record.queue[1].lease_ms = 0,
        |record| record.queue[0].session = "a".into(),
        |record| record.queue[1].session = "b".into(),
        |record| record.holders.push(Holder { session: "x".into(), ..record.holders[0].clone() }),
        |record| record.holders.clear(),
        |record| record.stamp.clear(),
        |record| record.generation = (1 << 53) + 1,
        |record| record.runs = (1 << 53) + 1,
    ];
    assert!(three().check().is_ok());
    for (number, damage) in damages.iter().enumerate() {
        let mut record = three();
        damage(&mut record);
        assert!(is_rubbish(record), "damage {number}");
    }
}

#[test]
fn what_is_unusual_is_no_damage() {
    let usual: [fn(&mut Record); 5] = [
        |record| record.holders[0].lease_ms = 10_000,
        |record| record.queue[0].lease_ms = 3_600_000,
        |record| record.generation = 1 << 53,
        |record| record.holders[0].beat = 1 << 53,
        |record| record.holders[0].generation = 1,
    ];
    for unusual in usual {
        let mut record = three();
        unusual(&mut record);
        assert!(record.check().is_ok());
    }
    let group = record_of(&[shared("a"), shared("b")]);
    assert_eq!(holders(&group.check().unwrap()), ["a", "b"]);
    let mut one_alone = record_of(&[shared("a"), shared("b")]);
    one_alone.holders[1].mode = Mode::Exclusive;
    assert!(is_rubbish(one_alone));
    let free = Record::new(wall(0)).sealed("s".into(), wall(0));
    assert!(free.check().is_ok());
}

#[test]
fn another_layout_is_named_before_anything_else() {
    let newer = Record { schema: 2, ..three() };
    assert_eq!(newer.check(), Err(RecordError::Schema(2)));
    assert_eq!(
        Record::from_json(serde_json::json!({"schema": 7, "holders": 1})),
        Err(RecordError::Schema(7))
    );
    for rubbish in [serde_json::json!({"schema": 1}), serde_json::json!({}), serde_json::json!([])] {
        assert!(matches!(Record::from_json(rubbish), Err(RecordError::Rubbish(_))));
    }
    let record = three();
    assert_eq!(Record::from_json(serde_json::to_value(&record).unwrap()), Ok(record));
}
