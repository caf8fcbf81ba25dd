//! The suite. A store comes as a way to open it: whoever contends does so through a handle of its
//! own, as processes do.

use std::sync::Arc;

use tfguard::lease::{LockName, Record};
use tfguard::store::{Store, Swap};
use tokio::task::JoinSet;

use super::{PLENTY, all_of, busy, history, name, pages_of, record};

/// Opens the store anew.
pub(crate) type Open = Arc<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// Everything, on a store that is empty.
pub(crate) async fn all(open: Open) {
    all_among(open, CONTENDERS).await;
}

/// The same with so many who contend: each attempt of each costs its engine two requests.
pub(crate) async fn all_among(open: Open, contenders: usize) {
    one_after_the_other(&*open()).await;
    whatever_is_in_a_record_comes_back(&*open()).await;
    names_stay_apart(&*open()).await;
    a_listing_can_be_of_a_prefix_and_of_what_has_changed(&*open()).await;
    deletion_is_conditional(&*open()).await;
    history::all(&*open()).await;
    one_winner_each_round(&open, contenders).await;
    nothing_is_lost(&open, contenders).await;
}

async fn swap(store: &dyn Store, name: &LockName, expected: Option<&str>, record: &Record) -> Swap {
    store.swap(name, expected.map(str::to_owned).as_ref(), record, PLENTY).await.unwrap()
}

async fn one_after_the_other(store: &dyn Store) {
    let lock = name("sequence");
    assert_eq!(store.read(&lock, PLENTY).await, Ok(None));
    // A swap on a record that is not there, or not there any more.
    assert_eq!(swap(store, &lock, Some("gone"), &record("x")).await, Swap::Conflict(None));
    assert_eq!(store.read(&lock, PLENTY).await, Ok(None));

    let first = busy("first", 2, "");
    assert_eq!(swap(store, &lock, None, &first).await, Swap::Written);
    assert_eq!(store.read(&lock, PLENTY).await, Ok(Some(first.clone())));
    assert_eq!(swap(store, &lock, None, &record("second")).await, Swap::Conflict(Some(first.clone())));

    let second = record("second");
    assert_eq!(swap(store, &lock, Some("first"), &second).await, Swap::Written);
    // The same again, as a retry would: its condition is gone, and it sees its own effect.
    assert_eq!(swap(store, &lock, Some("first"), &second).await, Swap::Conflict(Some(second.clone())));
    assert_eq!(swap(store, &lock, Some("other"), &first).await, Swap::Conflict(Some(second.clone())));
    // Nothing of the record before is left in it.
    assert_eq!(store.read(&lock, PLENTY).await, Ok(Some(second)));
}

async fn whatever_is_in_a_record_comes_back(store: &dyn Store) {
    for (lock, reason) in [
        ("plain", "a reason".to_owned()),
        ("empty", String::new()),
        ("hostile", "\u{0}\u{1b}[2J\r\n\t\"\\ \u{7f}\u{85}\u{202e}".to_owned()),
        ("unicode", "日本語 ß 👩‍🚀 e\u{301}".to_owned()),
    ] {
        let record = busy("s/1/1", 3, &reason);
        assert_eq!(swap(store, &name(lock), None, &record).await, Swap::Written);
        assert_eq!(store.read(&name(lock), PLENTY).await, Ok(Some(record)), "{lock}");
    }
    let big = busy("s/1/1", 120, &"ä".repeat(400));
    assert!(serde_json::to_vec(&big).unwrap().len() > 100_000);
    assert_eq!(swap(store, &name("big"), None, &big).await, Swap::Written);
    assert_eq!(swap(store, &name("big"), None, &record("x")).await, Swap::Conflict(Some(big)));
}

async fn names_stay_apart(store: &dyn Store) {
    let names = [
        "bucket/env:/prod/terraform.tfstate",
        "Prod",
        "prod",
        "..",
        "a%2Fb",
        "a/b",
        "日本語",
        "e\u{301}",
        "é",
        " ",
        "state",
        &"x".repeat(1024),
        &"x".repeat(1023),
    ]
    .map(name);
    for (number, lock) in names.iter().enumerate() {
        assert_eq!(swap(store, lock, None, &record(&number.to_string())).await, Swap::Written, "{lock}");
    }
    let listed = all_of(store).await.unwrap();
    for (number, lock) in names.iter().enumerate() {
        let found = store.read(lock, PLENTY).await.unwrap().unwrap();
        assert_eq!(found.stamp, number.to_string(), "{lock}");
        let entries: Vec<_> = listed.iter().filter(|entry| entry.name == lock.as_str()).collect();
        assert_eq!(entries.len(), 1, "{lock}");
        assert_eq!(entries[0].record.as_ref().unwrap().stamp, number.to_string());
    }
}

async fn a_listing_can_be_of_a_prefix_and_of_what_has_changed(store: &dyn Store) {
    let long = format!("listed/{}", "y".repeat(900));
    for lock in ["listed/a", "listed/b", "Listed/c", long.as_str()] {
        assert_eq!(swap(store, &name(lock), None, &record("one")).await, Swap::Written);
    }
    // Watching, what was seen before may be remembered, and what has changed is seen.
    for watching in [false, true, true] {
        let mut listed = pages_of(store, "listed/", watching).await.unwrap().concat();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let stamps: Vec<_> =
            listed.iter().map(|it| (it.name.as_str(), it.record.as_ref().unwrap().stamp.as_str())).collect();
        assert_eq!(stamps, [("listed/a", "one"), ("listed/b", "one"), (long.as_str(), "one")]);
    }
    assert_eq!(swap(store, &name("listed/b"), Some("one"), &record("two")).await, Swap::Written);
    for watching in [true, false] {
        let listed = pages_of(store, "listed/b", watching).await.unwrap().concat();
        assert!(matches!(&listed[..], [one] if one.record.as_ref().unwrap().stamp == "two"), "{listed:?}");
    }
    store.delete(&name("listed/b"), None).await.unwrap();
    assert!(pages_of(store, "listed/b", true).await.unwrap().concat().is_empty());
}

async fn deletion_is_conditional(store: &dyn Store) {
    let lock = name("deleted");
    store.delete(&lock, None).await.unwrap();
    assert_eq!(swap(store, &lock, None, &record("one")).await, Swap::Written);
    store.delete(&lock, Some(&"other".to_owned())).await.unwrap();
    assert_eq!(store.read(&lock, PLENTY).await, Ok(Some(record("one"))));
    store.delete(&lock, Some(&"one".to_owned())).await.unwrap();
    assert_eq!(store.read(&lock, PLENTY).await, Ok(None));
    assert_eq!(swap(store, &lock, None, &record("two")).await, Swap::Written);
    store.delete(&lock, None).await.unwrap();
    assert_eq!(store.read(&lock, PLENTY).await, Ok(None));
    assert!(!all_of(store).await.unwrap().iter().any(|entry| entry.name == "deleted"));
}

const CONTENDERS: usize = 32;

async fn one_winner_each_round(open: &Open, among: usize) {
    let mut expected: Option<String> = None;
    for round in 0..4 {
        let mut contenders = JoinSet::new();
        for number in 0..among {
            let (store, expected) = (open(), expected.clone());
            contenders.spawn(async move {
                let mine = record(&format!("{round}/{number}"));
                let came = store.swap(&name("rounds"), expected.as_ref(), &mine, PLENTY).await.unwrap();
                (mine, came)
            });
        }
        let ended = contenders.join_all().await;
        let winners: Vec<_> = ended.iter().filter(|(_, came)| *came == Swap::Written).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let winner = &winners[0].0;
        for (_, came) in &ended {
            assert!(*came == Swap::Written || *came == Swap::Conflict(Some(winner.clone())), "{came:?}");
        }
        expected = Some(winner.stamp.clone());
    }
}

async fn nothing_is_lost(open: &Open, among: usize) {
    const EACH: u64 = 4;
    let mut contenders = JoinSet::new();
    for number in 0..among {
        let store = open();
        contenders.spawn(async move { count(&*store, &name("counter"), &number.to_string(), EACH).await });
    }
    contenders.join_all().await;
    let counted = open().read(&name("counter"), PLENTY).await.unwrap().unwrap();
    assert_eq!(counted.runs, EACH * among as u64);
}

/// Raises the record's counter `times` times, whoever else does the same.
pub(crate) async fn count(store: &dyn Store, lock: &LockName, who: &str, times: u64) {
    let mut current = store.read(lock, PLENTY).await.unwrap();
    for time in 0..times {
        loop {
            let expected = current.as_ref().map(|record| record.stamp.clone());
            let runs = current.as_ref().map_or(0, |record| record.runs) + 1;
            let next = Record { runs, ..record(&format!("{who}/{time}")) };
            match store.swap(lock, expected.as_ref(), &next, PLENTY).await.unwrap() {
                Swap::Written => {
                    current = Some(next);
                    break;
                }
                Swap::Conflict(found) => current = found,
            }
        }
    }
}
