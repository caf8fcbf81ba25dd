//! What every store promises about the history.

use tfguard::lease::transition::Ending;
use tfguard::lease::{Counts, Found, LockName, Outcome, PastRun, Teller};
use tfguard::store::{Store, Swap};

use super::{PLENTY, busy, name, record};

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
    let listed = store.list().await.unwrap();
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
