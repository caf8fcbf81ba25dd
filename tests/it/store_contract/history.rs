//! What every store promises about the history, and what each does besides.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use serde_json::{Value, json};
use tfguard::lease::transition::Ending;
use tfguard::lease::{Counts, Found, LockName, Outcome, PastRun, Teller};
use tfguard::store::{LocalStore, Store, Swap};

use super::dynamodb::{KEYS, connect};
use super::{PLENTY, all_of, busy, name, record};
use crate::support::dynamo::{Engine, Shape};
use crate::support::folder::Folder;
use crate::support::http::{self, Server};
use crate::support::isolated::{block_on, isolated};

/// The run `number`, told by `teller`.
fn past(number: u64, teller: Teller, reason: &str) -> PastRun {
    let mut holder = busy("s", 0, reason).holders.remove(0);
    holder.run = Some(number);
    let ending = Ending { changed: true, ..Ending::new(Outcome::Released, Some(2)) };
    let past = PastRun::of(&holder, &ending, teller, holder.granted_at).unwrap();
    let counts = Some(Counts { add: 1, change: 2, destroy: 3, import: 0 });
    PastRun { counts, ..past.with_result("succeeded") }
}

async fn write(store: &dyn Store, lock: &LockName, past: &PastRun) {
    store.record_run(lock, past, PLENTY).await.unwrap();
}

async fn numbers(store: &dyn Store, lock: &LockName, from: u64, to: u64) -> Vec<u64> {
    let found = store.runs(lock, from..=to, PLENTY).await.unwrap();
    found.iter().map(|found| found.run).collect()
}

async fn one(store: &dyn Store, lock: &LockName, number: u64) -> Option<PastRun> {
    let mut found = store.runs(lock, number..=number, PLENTY).await.unwrap();
    assert!(found.len() <= 1);
    found.pop().map(|Found { run, past }| {
        assert_eq!(run, number);
        past.unwrap()
    })
}

/// Everything, on a store without history.
pub(super) async fn all(store: &dyn Store) {
    what_is_written_comes_back_in_order(store).await;
    who_knows_more_has_the_last_word(store).await;
    locks_have_histories_of_their_own(store).await;
    many_runs_are_read_at_once(store).await;
}

async fn what_is_written_comes_back_in_order(store: &dyn Store) {
    let lock = name("past/Order");
    assert_eq!(numbers(store, &lock, 1, 5).await, [0; 0]);
    for number in [10, 9, 1, 2] {
        let reason = ["a reason", "", "\u{0}\u{1b}[2J\r\n\t\"\\", "日本語 👩‍🚀 e\u{301}"][number as usize % 4];
        let past = past(number, Teller::Run, reason);
        write(store, &lock, &past).await;
        // Writing it again does no harm.
        write(store, &lock, &past).await;
        assert_eq!(one(store, &lock, number).await, Some(past));
    }
    assert_eq!(numbers(store, &lock, 1, 10).await, [1, 2, 9, 10]);
    assert_eq!(numbers(store, &lock, 2, 9).await, [2, 9]);
    assert_eq!(numbers(store, &lock, 3, 8).await, [0; 0]);
    assert_eq!(numbers(store, &lock, 5, 4).await, [0; 0]);
}

async fn who_knows_more_has_the_last_word(store: &dyn Store) {
    let lock = name("past/teller");
    let told = |teller, reason| past(7, teller, reason);
    for (teller, reason, stands) in [
        (Teller::Other, "evicted", "evicted"),
        (Teller::Guardian, "crashed", "crashed"),
        (Teller::Other, "evicted again", "crashed"),
        (Teller::Run, "released", "released"),
        (Teller::Guardian, "crashed", "released"),
        (Teller::Other, "evicted", "released"),
        (Teller::Run, "once more", "once more"),
    ] {
        write(store, &lock, &told(teller, reason)).await;
        let found = one(store, &lock, 7).await.unwrap();
        assert_eq!(found.identity.reason.as_deref(), Some(stands), "{teller:?} {reason}");
    }
    // The record was deleted, and another session has the number now.
    let anew = PastRun { session: "another".into(), ..told(Teller::Other, "anew") };
    write(store, &lock, &anew).await;
    assert_eq!(one(store, &lock, 7).await, Some(anew));
}

async fn locks_have_histories_of_their_own(store: &dyn Store) {
    let (one_lock, other) = (name("past/own"), name("past/Own"));
    assert_eq!(store.swap(&one_lock, None, &record("x"), PLENTY).await, Ok(Swap::Written));
    write(store, &one_lock, &past(1, Teller::Run, "")).await;
    assert_eq!(numbers(store, &other, 0, 9).await, [0; 0]);
    // The record is what it was, and no listing shows the history.
    assert_eq!(store.read(&one_lock, PLENTY).await, Ok(Some(record("x"))));
    let listed = all_of(store).await.unwrap();
    let ours: Vec<_> = listed.iter().filter(|entry| entry.name.starts_with("past/")).collect();
    assert!(matches!(ours[..], [entry] if entry.name == "past/own"), "{ours:?}");
}

/// More than one request to DynamoDB can ask for.
async fn many_runs_are_read_at_once(store: &dyn Store) {
    let lock = name("past/many");
    for number in 1..=230 {
        write(store, &lock, &past(number, Teller::Run, "")).await;
    }
    assert_eq!(numbers(store, &lock, 1, 230).await, (1..=230).collect::<Vec<_>>());
    assert_eq!(numbers(store, &lock, 100, 201).await, (100..=201).collect::<Vec<_>>());
}

/// A busy table answers with a part, and says what it left out.
#[test]
fn what_a_busy_table_leaves_out_is_asked_for_again() {
    isolated(concat!(module_path!(), "::what_a_busy_table_leaves_out_is_asked_for_again"), &KEYS, || {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let asked = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
        let seen = std::sync::Arc::clone(&asked);
        // Gives away one item at a time.
        let server = Server::start(move |request| {
            let body = request.bytes.split(|byte| *byte == b'{').next().map_or(0, <[u8]>::len);
            let body: Value = serde_json::from_slice(&request.bytes[body..]).unwrap();
            let mut keys = body["RequestItems"]["locks"]["Keys"].as_array().unwrap().clone();
            let first = keys.remove(0)["LockID"]["S"].as_str().unwrap().to_owned();
            let item = json!({ "LockID": { "S": first }, "schema": { "N": "1" } });
            seen.lock().unwrap().insert(first);
            let unsent = if keys.is_empty() { json!({}) } else { json!({ "locks": { "Keys": keys } }) };
            let answer = json!({ "Responses": { "locks": [item] }, "UnprocessedKeys": unsent });
            http::answer(200, &answer.to_string())
        });
        let found = block_on(async {
            let store = connect(&server.endpoint(), "locks").await;
            store.runs(&name("busy"), 4..=7, PLENTY).await.unwrap()
        });
        assert_eq!(found.iter().map(|found| found.run).collect::<Vec<_>>(), [4, 5, 6, 7]);
        // Cut short as they are, they are runs that cannot be read, and no error.
        assert!(found.iter().all(|found| found.past.is_err()));
        assert_eq!(asked.lock().unwrap().len(), 4);
    });
}

#[test]
fn files_are_private_and_go_when_they_are_out_of_date() {
    let folder = Folder::new();
    let dir = folder.path().join(".tfguard");
    let store = LocalStore::open(&dir).unwrap();
    let lock = name("prod");
    let later = jiff::Timestamp::from_second(1_800_000_200).unwrap();
    let old = |number| PastRun { expires_at: 1_800_000_100, ..past(number, Teller::Run, "") };
    block_on(async {
        for number in [1, 2, 10] {
            write(&store, &lock, &old(number)).await;
        }
        assert_eq!(numbers(&store, &lock, 1, 20).await, [1, 2, 10]);
        for number in [11, 12] {
            write(&store, &lock, &PastRun { ended_at: later, ..past(number, Teller::Run, "") }).await;
        }
        assert_eq!(numbers(&store, &lock, 1, 20).await, [11, 12]);
    });
    let mode = |path: &str| std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("history"), mode("history/prod"), mode("history/prod/12.json")), (0o700, 0o700, 0o600));
    // A file that is damaged is told of, and hides no other.
    std::fs::write(dir.join("history/prod/12.json"), "{").unwrap();
    let found = block_on(store.runs(&lock, 1..=20, PLENTY)).unwrap();
    assert_eq!(
        found.iter().map(|found| (found.run, found.past.is_ok())).collect::<Vec<_>>(),
        [(11, true), (12, false)]
    );
}
