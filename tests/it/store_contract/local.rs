//! The local store: the contract, and what its files look like.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tfguard::lease::RecordError;
use tfguard::store::{LocalStore, Store, StoreError, StoreSpec, Swap, Unavailable};
use tokio::sync::mpsc;

use super::{PLENTY, all_of, busy, contract, name, pages_of, record};
use crate::support::folder::Folder;
use crate::support::isolated::block_on;

fn open(dir: &Path) -> LocalStore {
    LocalStore::open(dir).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn files(dir: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
}

#[test]
fn contract() {
    let folder = Folder::new();
    let dir = folder.path().join("locks");
    let opened = dir.clone();
    block_on(contract::all(Arc::new(move || Arc::new(open(&opened)))));
    assert!(files(&dir).iter().all(|file| !file.ends_with(".tmp")), "{:?}", files(&dir));
}

#[test]
fn everything_is_private_and_kept_out_of_git() {
    let folder = Folder::new();
    let dir = folder.path().join("deeper/.tfguard");
    let store = open(&dir);
    let swapped = block_on(store.swap(&name("prod"), None, &record("a"), PLENTY));
    assert_eq!(swapped, Ok(Swap::Written));
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(files(&dir), [".gitignore", "prod.json", "prod.lock"]);
    for file in files(&dir) {
        assert_eq!(mode(&dir.join(&file)), 0o600, "{file}");
    }
    assert_eq!(std::fs::read_to_string(dir.join(".gitignore")).unwrap(), "*\n");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("prod.json")).unwrap()).unwrap();
    assert_eq!(json["LockID"], "tfguard:prod");
    assert_eq!(json["stamp"], "a");
}

#[test]
fn a_folder_that_exists_is_left_as_it_is() {
    let folder = Folder::new();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    open(folder.path());
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(files(folder.path()), [] as [String; 0]);
}

#[test]
fn a_folder_that_cannot_be_used_says_what_to_do() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let dangling = folder.path().join("dangling");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    let circular = folder.path().join("circular");
    symlink(&circular, &circular).unwrap();
    let mut places = vec![file.clone(), file.join("below"), dangling, circular];
    if cfg!(target_os = "linux") {
        places.push("/proc/tfguard".into());
    }
    for place in places {
        let error = LocalStore::open(&place).unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured { .. }), "{place:?}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("--local-dir") && text.contains(place.to_str().unwrap()), "{text}");
    }
}

#[test]
fn a_link_of_our_own_is_followed_but_no_file_in_it_is() {
    let folder = Folder::new();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let store = open(&link);
    block_on(async {
        assert_eq!(store.swap(&name("a"), None, &record("a"), PLENTY).await, Ok(Swap::Written));
        assert!(real.join("a.json").exists());

        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        for file in ["b.lock", "c.json", "d.tmp"] {
            symlink(&victim, real.join(file)).unwrap();
        }
        for lock in ["b", "c"] {
            let error = store.swap(&name(lock), None, &record("x"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
        }
        assert_eq!(store.swap(&name("d"), None, &record("x"), PLENTY).await, Ok(Swap::Written));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    });
}

#[test]
fn root_leaves_the_files_to_the_owner_of_the_folder() {
    let folder = Folder::new();
    let dir = folder.path().join("locks");
    std::fs::create_dir(&dir).unwrap();
    if chown(&dir, Some(65_534), Some(65_534)).is_err() {
        // Only root can be in this place.
        return;
    }
    let store = open(&dir);
    let swapped = block_on(store.swap(&name("prod"), None, &record("a"), PLENTY));
    assert_eq!(swapped, Ok(Swap::Written));
    for file in ["prod.json", "prod.lock"] {
        let found = std::fs::metadata(dir.join(file)).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (65_534, 65_534, 0o600), "{file}");
    }
}

#[test]
fn rubbish_is_named_and_can_be_deleted() {
    let folder = Folder::new();
    let store = open(folder.path());
    let rubbish = |file: &str, content: &str| std::fs::write(folder.path().join(file), content).unwrap();
    rubbish("bad.json", "{\"LockID\": \"tfguard:bad\", \"schema\"");
    rubbish("empty.json", "");
    rubbish("newer.json", "{\"LockID\": \"tfguard:newer\", \"schema\": 2}");
    rubbish("package.json", "{\"name\": \"not ours\"}");
    rubbish("x%231.json", "{\"LockID\": \"tfguard:x#1\"}");
    block_on(async {
        for lock in ["bad", "empty"] {
            let error = store.read(&name(lock), PLENTY).await.unwrap_err();
            let StoreError::BadRecord { lock: named, error: RecordError::Rubbish(_) } = &error else {
                panic!("{error:?}");
            };
            assert_eq!(named, lock);
            let error = store.swap(&name(lock), None, &record("x"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::BadRecord { .. }), "{error:?}");
        }
        let newer = store.read(&name("newer"), PLENTY).await.unwrap_err();
        assert!(matches!(newer, StoreError::BadRecord { error: RecordError::Schema(2), .. }), "{newer:?}");

        let mut listed: Vec<_> = all_of(&store)
            .await
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, entry.record.is_ok()))
            .collect();
        listed.sort();
        let expected = [("bad", false), ("empty", false), ("newer", false)];
        assert_eq!(listed, expected.map(|(name, readable)| (name.to_owned(), readable)));

        store.delete(&name("bad"), None).await.unwrap();
        assert_eq!(store.read(&name("bad"), PLENTY).await, Ok(None));
    });
}

#[test]
fn mounted_elsewhere_it_is_the_same_lock() {
    let folder = Folder::new();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    std::fs::create_dir(&here).unwrap();
    let path = |base: &Path, below: &str| name(&format!("{}{below}", base.display()));
    block_on(async {
        let ours = open(&here.join(".tfguard"));
        for below in ["", "/net"] {
            let written = ours.swap(&path(&here, below), None, &record("a"), PLENTY).await;
            assert_eq!(written, Ok(Swap::Written));
        }
        assert!(here.join(".tfguard/state.json").exists());
        // What a mount at another place looks like to the other container.
        std::fs::rename(&here, &there).unwrap();
        let theirs = open(&there.join(".tfguard"));
        let mut listed: Vec<_> = all_of(&theirs).await.unwrap().into_iter().map(|entry| entry.name).collect();
        listed.sort();
        assert_eq!(listed, ["", "/net"].map(|below| path(&there, below).as_str().to_owned()));
        for below in ["", "/net"] {
            assert_eq!(theirs.read(&path(&there, below), PLENTY).await, Ok(Some(record("a"))));
        }
        assert_eq!(theirs.read(&path(&here, ""), PLENTY).await, Ok(None));
    });
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next() {
    let folder = Folder::new();
    let store = open(folder.path());
    let left = folder.path().join("prod.tmp");
    std::fs::write(&left, "half a rec").unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o400)).unwrap();
    block_on(async {
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(None));
        assert!(all_of(&store).await.unwrap().is_empty());
        assert_eq!(store.swap(&name("prod"), None, &record("a"), PLENTY).await, Ok(Swap::Written));
    });
    assert!(!left.exists());
}

#[test]
fn a_folder_that_vanished_comes_back_with_the_next_write() {
    let folder = Folder::new();
    let dir = folder.path().join("locks");
    let store = open(&dir);
    block_on(async {
        assert_eq!(store.swap(&name("prod"), None, &record("a"), PLENTY).await, Ok(Swap::Written));
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(None));
        assert_eq!(
            store.swap(&name("prod"), Some(&"a".to_owned()), &record("b"), PLENTY).await,
            Ok(Swap::Conflict(None))
        );
        assert_eq!(store.swap(&name("prod"), None, &record("b"), PLENTY).await, Ok(Swap::Written));
    });
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn a_writer_that_is_stuck_costs_others_their_timeout_and_not_more() {
    let folder = Folder::new();
    let store = open(folder.path());
    block_on(async {
        assert_eq!(store.swap(&name("prod"), None, &busy("a", 1, ""), PLENTY).await, Ok(Swap::Written));
        let stuck = std::fs::File::open(folder.path().join("prod.lock")).unwrap();
        stuck.lock().unwrap();
        let swap = async || store.swap(&name("prod"), None, &record("b"), Duration::from_millis(100)).await;
        let error = tokio::time::timeout(Duration::from_secs(5), swap()).await.unwrap().unwrap_err();
        assert!(
            matches!(error, StoreError::Unavailable { kind: Unavailable::Throttled, .. }) && error.refused(),
            "{error:?}"
        );
        // Readers and other locks do not care.
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(Some(busy("a", 1, ""))));
        assert_eq!(store.swap(&name("other"), None, &record("b"), PLENTY).await, Ok(Swap::Written));
        drop(stuck);
        assert!(matches!(swap().await, Ok(Swap::Conflict(Some(_)))));
    });
}

#[test]
fn a_change_wakes_whoever_watches() {
    let folder = Folder::new();
    let (writer, watcher) = (open(folder.path()), open(folder.path()));
    let lock = name("prod");
    block_on(async {
        let (sender, mut changed) = mpsc::channel(1);
        let watch = watcher.watch(&lock, sender).unwrap();
        let woken = Duration::from_secs(5);
        let mut expected = None;
        for stamp in ["a", "b"] {
            let swapped = writer.swap(&lock, expected.as_ref(), &record(stamp), PLENTY).await;
            assert_eq!(swapped, Ok(Swap::Written));
            // One message stands for many, so it is the record that must be seen to change.
            while watcher.read(&lock, PLENTY).await.unwrap().unwrap().stamp != stamp {
                tokio::time::timeout(woken, changed.recv()).await.unwrap().unwrap();
            }
            tokio::time::timeout(woken, changed.recv()).await.unwrap().unwrap();
            expected = Some(stamp.to_owned());
        }
        writer.delete(&lock, None).await.unwrap();
        while watcher.read(&lock, PLENTY).await.unwrap().is_some() {
            tokio::time::timeout(woken, changed.recv()).await.unwrap().unwrap();
        }
        drop(watch);
        while tokio::time::timeout(woken, changed.recv()).await.unwrap().is_some() {}
    });
}

#[test]
#[cfg(target_os = "linux")]
fn other_locks_wake_nobody() {
    let folder = Folder::new();
    let store = open(folder.path());
    block_on(async {
        let (sender, mut changed) = mpsc::channel(64);
        let watch = store.watch(&name("prod"), sender).unwrap();
        let mut expected = None;
        for stamp in (0..20).map(|number| number.to_string()) {
            let swapped = store.swap(&name("other"), expected.as_ref(), &record(&stamp), PLENTY).await;
            assert_eq!(swapped, Ok(Swap::Written));
            expected = Some(stamp);
        }
        assert_eq!(store.swap(&name("prod"), None, &record("a"), PLENTY).await, Ok(Swap::Written));
        // Events come in order: what the other lock made has come before.
        tokio::time::timeout(Duration::from_secs(5), changed.recv()).await.unwrap().unwrap();
        drop(watch);
        let mut more = 0;
        while changed.recv().await.is_some() {
            more += 1;
        }
        assert!(more < 3, "one replacement made {more} more messages");
    });
}

/// A queue of many looks often, and each thread that is woken keeps the next holder from its turn.
#[test]
#[cfg(target_os = "linux")]
fn a_record_in_memory_is_read_without_another_thread() {
    let folder = Folder::new();
    let store = open(folder.path());
    let written = block_on(store.swap(&name("prod"), None, &busy("a", 3, ""), PLENTY));
    assert_eq!(written, Ok(Swap::Written));
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    block_on(async {
        let before = threads();
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(Some(busy("a", 3, ""))));
        assert_eq!(threads(), before, "a thread was started for it");
        assert_eq!(store.read(&name("other"), PLENTY).await, Ok(None));
        assert_eq!(threads(), before + 1, "the test sees no threads");
    });
}

#[test]
fn a_folder_that_cannot_be_watched_is_polled() {
    let folder = Folder::new();
    let dir = folder.path().join("locks");
    let store = open(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
    let (sender, _changed) = mpsc::channel(1);
    assert!(store.watch(&name("prod"), sender).is_none());
}

#[test]
fn a_spec_opens_it() {
    let folder = Folder::new();
    let spec = StoreSpec::Local { dir: folder.path().join("locks") };
    let store = block_on(spec.open()).unwrap();
    assert_eq!(store.describe(), spec.describe());
    assert!(store.describe().contains(folder.path().to_str().unwrap()));
}

#[test]
fn a_folder_is_listed_a_thousand_locks_at_a_time() {
    let folder = Folder::new();
    let store = open(folder.path());
    for number in 0..2500 {
        let json = format!("{{\"LockID\": \"tfguard:lock-{number}\", \"schema\": 2}}");
        std::fs::write(folder.path().join(format!("lock-{number}.json")), json).unwrap();
    }
    block_on(async {
        let pages = pages_of(&store, "", false).await.unwrap();
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        let names: std::collections::BTreeSet<String> =
            pages.into_iter().flatten().map(|entry| entry.name).collect();
        assert_eq!(names.len(), 2500);
    });
}

#[test]
fn a_change_of_any_record_is_told() {
    let folder = Folder::new();
    let store = open(folder.path());
    block_on(async {
        let (sender, mut changed) = mpsc::channel(1);
        let _watch = store.watch_all(sender).unwrap();
        for lock in ["one", "other"] {
            assert_eq!(store.swap(&name(lock), None, &record("a"), PLENTY).await, Ok(Swap::Written));
            tokio::time::timeout(PLENTY, changed.recv()).await.unwrap().unwrap();
        }
    });
}
