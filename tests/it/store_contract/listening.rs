//! Who in the queue of the local store is told of changes.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tfguard::clock::SystemClock;
use tfguard::lease::session::{Notice, Wait};
use tfguard::lease::transition::Candidate;
use tfguard::lease::{Identity, Lease, Mode};
use tfguard::lock::{self, Lock, Update};
use tfguard::store::{LocalStore, Store, Swap};
use tokio::time::timeout;

use super::{PLENTY, busy, name};
use crate::support::folder::Folder;
use crate::support::isolated::{block_on, isolated};

/// How many watches this process has.
fn watches() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_watch = |path: &std::path::PathBuf| path.to_string_lossy() == "anon_inode:inotify";
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(is_watch).count()
}

/// Its place in the queue, once it is told of one.
async fn place(lock: &mut Lock) -> usize {
    loop {
        match timeout(PLENTY, lock.update()).await.unwrap() {
            Some(Update::Notice(Notice::Waiting { position, .. }, _)) => return position,
            Some(_) => {}
            None => panic!("the lock's task is over"),
        }
    }
}

/// Every change wakes all who listen, and each of them keeps the next holder from its turn.
#[test]
fn who_stands_far_behind_listens_only_when_it_comes_near() {
    let test = concat!(module_path!(), "::who_stands_far_behind_listens_only_when_it_comes_near");
    isolated(test, &[], || {
        let folder = Folder::new();
        let store = LocalStore::open(folder.path()).unwrap();
        let prod = name("prod");
        block_on(async {
            store.swap(&prod, None, &busy("a", 32, ""), PLENTY).await.unwrap();
            let candidate = Candidate {
                session: "me".into(),
                mode: Mode::Exclusive,
                changes: true,
                lease: Lease::new(Duration::from_secs(180)).unwrap(),
                asked_at: jiff::Timestamp::now(),
                identity: Identity::default(),
            };
            let shared = Arc::new(store.clone());
            let mut lock = lock::start(candidate, Wait::Forever, prod.clone(), shared, SystemClock, 7);
            assert_eq!(place(&mut lock).await, 33);
            assert_eq!(watches(), 0, "it is told of changes");

            let mut record = store.read(&prod, PLENTY).await.unwrap().unwrap();
            let stamp = std::mem::replace(&mut record.stamp, "b".into());
            record.queue.remove(0);
            assert_eq!(store.swap(&prod, Some(&stamp), &record, PLENTY).await, Ok(Swap::Written));
            assert_eq!(place(&mut lock).await, 32);
            assert_eq!(watches(), 1, "it is not told of changes");
        });
    });
}
