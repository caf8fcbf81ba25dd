//! Room in a record: a release can never fail for size.

use super::super::record::{Activity, Intervention, MAX_BYTES, MAX_WAITERS, Outcome};
use super::super::transition::{Candidate, Ending, acquire, release, remove, revoke};
use super::super::{Identity, Lease};
use super::{exclusive, holders, record_of, wall};

/// Bytes of JSON that one entry may take.
const ENTRY: usize = 600;

fn json<T: serde::Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).unwrap().len()
}

/// Identities that are as large, or as costly to write as JSON, as they come.
fn monsters() -> Vec<Identity> {
    let texts = ["x", "ä", "😀", "\"", "\\", "\u{1}", "\n"];
    let all = |text: String| Identity {
        actor: Some(text.clone()),
        user: Some(text.clone()),
        host: Some(text.clone()),
        pid: Some(u32::MAX),
        url: Some(text.clone()),
        repository: Some(text.clone()),
        commit: Some(text.clone()),
        change: Some(text.clone()),
        command: Some(text.clone()),
        reason: Some(text),
    };
    let mut monsters: Vec<Identity> =
        texts.iter().flat_map(|text| [1, 3, 20, 600].map(|n| all(text.repeat(n)))).collect();
    let link = format!("https://ci.example/{}", "7".repeat(110));
    monsters
        .extend(monsters.clone().into_iter().map(|monster| Identity { url: Some(link.clone()), ..monster }));
    monsters
}

fn verbose(identity: Identity) -> Candidate {
    Candidate {
        session: "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b".into(),
        lease: Lease::new(Lease::MAX).unwrap(),
        asked_at: "2026-11-21T04:09:22.123456789Z".parse().unwrap(),
        identity,
        ..exclusive("")
    }
}

fn late() -> jiff::Timestamp {
    "2026-11-21T14:19:32.987654321Z".parse().unwrap()
}

fn wordy() -> Intervention {
    Intervention { by: "\u{1}".repeat(5000), reason: "\\".repeat(5000), at: late() }
}

#[test]
fn an_entry_fits_whatever_its_identity_holds() {
    for identity in monsters() {
        let me = verbose(identity);
        let mut record = acquire(None, &me, late()).unwrap();
        record.holders[0].beat = 9_999_999;
        record.holders[0].run = Some(9_999_999);
        record.holders[0].activity = Some(Activity::new(&"\u{1}".repeat(99), late()));
        assert!(
            json(&record.holders[0]) <= ENTRY,
            "{} bytes: {:?}",
            json(&record.holders[0]),
            record.holders[0]
        );
        let queued = acquire(Some(&record_of(&[exclusive("a")])), &me, late()).unwrap();
        assert!(json(&queued.queue[0]) <= ENTRY);
    }
}

#[test]
fn an_operators_words_are_cut_to_size() {
    let me = verbose(Identity::default());
    let record = acquire(None, &me, late()).unwrap();
    let revoked = revoke(&record, &me.session, &wordy()).unwrap();
    let more = json(&revoked) - json(&record);
    assert!(more <= 350, "a revoke takes {more} bytes");
    let removed = remove(&record, &me.session, &wordy(), late()).unwrap();
    assert!(json(&removed.removed) <= 400 && json(&removed.last) <= 1000);
}

#[test]
fn the_largest_record_stays_within_its_bounds() {
    let monster = monsters().swap_remove(3);
    assert!(monster.command.as_ref().is_some_and(|command| command.len() == 600));
    let mut record = acquire(None, &verbose(monster.clone()), late()).unwrap();
    for n in 0..MAX_WAITERS {
        let me =
            Candidate { session: format!("0197a1b2-c3d4-7e5f-8a9b-{n:012}"), ..verbose(monster.clone()) };
        record = acquire(Some(&record), &me, late()).unwrap();
    }
    assert!(json(&record) < MAX_BYTES, "{} bytes", json(&record));
    assert_eq!(acquire(Some(&record), &exclusive("late"), late()), None);
}

#[test]
fn a_record_too_large_takes_no_waiter_and_still_releases() {
    let mut record = record_of(&[exclusive("a"), exclusive("b"), exclusive("c")]);
    // As a version with larger entries might have left it.
    for waiter in &mut record.queue {
        waiter.identity.actor = Some("x".repeat(MAX_BYTES / 2));
    }
    assert_eq!(acquire(Some(&record), &exclusive("d"), wall(1)), None);
    let good = Ending::new(Outcome::Released, Some(0));
    let released = release(&record, "a", &good, wall(1));
    assert_eq!(holders(&released), ["b"]);
    assert!(json(&released) <= json(&record) + ENTRY);
}
