//! Lock records as files of one folder, for runs that share a machine.
//!
//! All work that may wait for a disk is done on tokio's threads for blocking calls. On a healthy disk a write
//! takes about 2 ms, nearly all of it the two fsyncs; the hand-over to another thread is lost in that. But a
//! disk that is slow or hangs must not hold up signals, the child's output and the lease's deadlines, which
//! live on the one thread of the runtime.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout as within};

use super::dir::{Folder, shown};
use super::file::{self, Files, WriteLock};
use super::history::History;
use super::name::Naming;
use super::watch;
use crate::clock::SystemClock;
use crate::lease::KEY_PREFIX;
use crate::lease::{Found, Instant, LockName, PastRun, Phase, Record, RecordError, Stamp};
use crate::store::codec::{KEY, bad, decode, encode};
use crate::store::text::chain;
use crate::store::{Cursor, Listed, Listing, Page, Store, StoreError, StoreResult, Swap, Unavailable, Watch};

/// How long an operator's request may take; those of the protocol say it themselves.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(10);
/// Files that are read for one page of a listing.
const PAGE: usize = 1000;
/// The longest wait before the write lock is tried again, once it was not free for [`BUSY`].
const LONGEST_WAIT_MS: u64 = 8;
/// A write holds the lock for about a millisecond, and whoever wants it often waits for just that one:
/// a waiter sees what was written before its writer is done. For so long the lock is tried again
/// and again, on a thread that may block.
const BUSY: Duration = Duration::from_millis(4);
/// The shortest time that is worth another try. One that is cut off may write all the same, and nobody would know.
const SHORTEST: Duration = Duration::from_millis(50);
/// The pause between two such tries.
const AGAIN: Duration = Duration::from_micros(100);

/// A folder with one JSON file for each lock.
///
/// It excludes those who share the folder. Whoever has another folder, in another container or as
/// another user, is not excluded.
#[derive(Debug, Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    naming: Naming,
}

impl LocalStore {
    /// Opens the folder `dir`, creating it with mode 0700 and a `.gitignore` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] where it cannot be made, is no folder, or belongs to another
    /// user.
    pub fn open(dir: &Path) -> StoreResult<Self> {
        let folder = Folder::prepare(dir)?;
        let naming = Naming::new(&folder.path);
        Ok(Self { shared: Arc::new(Shared { folder, naming }) })
    }

    /// Runs `work` on a thread that may block. When the time is up the work still goes on there.
    async fn blocking<T: Send + 'static>(
        &self,
        left: Duration,
        work: impl FnOnce(&Shared) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let shared = Arc::clone(&self.shared);
        match within(left, tokio::task::spawn_blocking(move || work(&shared))).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.unavailable(Unavailable::Failed, "cannot be used: the work broke off")),
            Err(_) => Err(self.unavailable(Unavailable::Timeout, "does not answer: its disk may hang")),
        }
    }

    /// Runs `work` under the write lock of `name`, waiting for the lock without blocking a thread for
    /// longer than [`BUSY`]. The lock ends when `work` drops it.
    async fn exclusively<T: Send + 'static>(
        &self,
        name: &LockName,
        timeout: Duration,
        work: impl Fn(&Shared, &Files, WriteLock) -> StoreResult<T> + Send + Sync + 'static,
    ) -> StoreResult<T> {
        let end = SystemClock.mono() + timeout;
        let mut random = fastrand::Rng::with_seed(seed());
        let files = self.shared.files(name);
        let work = Arc::new(work);
        loop {
            let (files, work) = (files.clone(), Arc::clone(&work));
            let left = end.since(SystemClock.mono());
            let done = self
                .blocking(left, move |shared| match shared.lock_soon(&files, left.min(BUSY))? {
                    Some(lock) => work(shared, &files, lock).map(Some),
                    None => Ok(None),
                })
                .await?;
            if let Some(done) = done {
                return Ok(done);
            }
            let pause = Duration::from_millis(random.u64(1..=LONGEST_WAIT_MS));
            if end.since(SystemClock.mono()) <= pause + SHORTEST {
                // Nothing was written and nothing will be, which is what this kind says.
                return Err(self.unavailable(Unavailable::Throttled, "is busy: others keep writing to it"));
            }
            sleep(pause).await;
        }
    }

    fn unavailable(&self, kind: Unavailable, what: &str) -> StoreError {
        let message = format!("the lock folder {} {what}", shown(&self.shared.folder.path));
        StoreError::Unavailable { kind, message }
    }
}

/// Whether `record` gives the lock to those alone who have to write before they do anything under it. They sync
/// the folder with what they write, and our own sync would only keep them from the disk meanwhile. After a
/// loss of power before that the record is the one before, whose holder is as dead as everybody else.
fn hands_over(record: &Record) -> bool {
    !record.holders.is_empty() && record.holders.iter().all(|holder| holder.phase == Phase::Granted)
}

/// Only spreads waits: it need not be hard to guess.
fn seed() -> u64 {
    let nanos = SystemClock.mono().since(Instant::from_nanos(0)).as_nanos();
    u64::try_from(nanos).unwrap_or(u64::MAX) ^ (u64::from(std::process::id()) << 32)
}

impl Shared {
    fn files(&self, name: &LockName) -> Files {
        Files::new(&self.folder.path, &self.naming.stem(name), self.folder.owner)
    }

    fn history(&self, name: &LockName) -> History {
        History::new(&self.folder.path, &self.naming.stem(name), self.folder.owner)
    }

    fn try_lock(&self, files: &Files) -> StoreResult<Option<WriteLock>> {
        let lock = match files.try_lock() {
            // Somebody removed the folder; a holder must be able to put its record back.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Folder::prepare(&self.folder.path)?;
                files.try_lock()
            }
            other => other,
        };
        lock.map_err(|error| self.folder.failure("be written to", &error))
    }

    fn lock_soon(&self, files: &Files, patience: Duration) -> StoreResult<Option<WriteLock>> {
        let end = SystemClock.mono() + patience;
        loop {
            match self.try_lock(files)? {
                None if SystemClock.mono() < end => std::thread::sleep(AGAIN),
                tried => return Ok(tried),
            }
        }
    }

    fn sync(&self, files: &Files) -> StoreResult<()> {
        files.sync().map_err(|error| self.folder.failure("be written to", &error))
    }

    fn read(&self, files: &Files, name: &LockName) -> StoreResult<Option<Record>> {
        let bytes = files.read().map_err(|error| self.folder.failure("be read", &error))?;
        bytes.map(|bytes| decode(&bytes).map_err(|error| bad(name, error))).transpose()
    }

    /// The locks of the next [`PAGE`] files behind `after`, in the order of their stems.
    fn list(&self, prefix: &str, after: Option<&str>) -> StoreResult<Page> {
        let failed = |error| self.folder.failure("be read", &error);
        let mut stems = Vec::new();
        for entry in std::fs::read_dir(&self.folder.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let stem = name.to_str().and_then(|file| file.strip_suffix(".json"));
            let stem = stem.filter(|stem| after.is_none_or(|after| *stem > after));
            // Of one that was cut the file itself knows the name.
            let named = |stem: &&str| stem.contains('~') || self.naming.name(stem, None).starts_with(prefix);
            stems.extend(stem.filter(named).map(str::to_owned));
        }
        stems.sort_unstable();
        let more = stems.len() > PAGE;
        stems.truncate(PAGE);
        let path = |stem: &str| self.folder.path.join(format!("{stem}.json"));
        let entries = stems.iter().filter_map(|stem| self.entry(stem, &path(stem)));
        let locks = entries.filter(|listed| listed.name.starts_with(prefix)).collect();
        Ok(Page { locks, next: stems.pop().filter(|_| more).map(Cursor::After) })
    }

    /// What the file of `stem` holds, if it is a lock's.
    fn entry(&self, stem: &str, path: &Path) -> Option<Listed> {
        let (lock_id, record) = match file::read(path) {
            Ok(bytes) => match serde_json::from_slice::<Value>(&bytes?) {
                // Not written by us, or history.
                Ok(value) if !value.get(KEY).and_then(Value::as_str)?.starts_with(KEY_PREFIX) => return None,
                Ok(value) => {
                    let lock_id = value.get(KEY).and_then(Value::as_str).map(str::to_owned);
                    (lock_id, Record::from_json(value))
                }
                Err(error) => (None, Err(RecordError::Rubbish(error.to_string()))),
            },
            Err(error) => (None, Err(RecordError::Rubbish(chain(&error)))),
        };
        let name = self.naming.name(stem, lock_id.as_deref());
        let history =
            [Some(name.as_str()), lock_id.as_deref()].into_iter().flatten().any(|id| id.contains('#'));
        (!history).then_some(Listed { name, record })
    }
}

#[async_trait]
impl Store for LocalStore {
    fn describe(&self) -> String {
        format!("folder {}", shown(&self.shared.folder.path))
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        let files = self.shared.files(name);
        // Two threads fewer to be woken. A record that somebody has just put there is in memory.
        if let Some(bytes) = self.shared.folder.prompt.then(|| files.glance()).flatten() {
            return decode(&bytes).map(Some).map_err(|error| bad(name, error));
        }
        let name = name.clone();
        self.blocking(timeout, move |shared| shared.read(&files, &name)).await
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        let bytes = encode(name, record).map_err(|error| bad(name, error))?;
        let (owned, expected) = (name.clone(), expected.cloned());
        let hands_over = hands_over(record);
        self.exclusively(name, timeout, move |shared, files, lock| {
            let current = shared.read(files, &owned)?;
            if current.as_ref().map(|record| &record.stamp) != expected.as_ref() {
                return Ok(Swap::Conflict(current));
            }
            files.replace(&lock, &bytes).map_err(|error| shared.folder.failure("be written to", &error))?;
            // Whoever was woken by this may write while we wait for the disk.
            drop(lock);
            if !hands_over {
                shared.sync(files)?;
            }
            Ok(Swap::Written)
        })
        .await
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        let prefix = listing.prefix.to_owned();
        let after = listing.after.map(|(Cursor::After(stem) | Cursor::Token(stem))| stem.clone());
        self.blocking(OPERATOR_TIMEOUT, move |shared| shared.list(&prefix, after.as_deref())).await
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        let (owned, expected) = (name.clone(), expected.cloned());
        self.exclusively(name, OPERATOR_TIMEOUT, move |shared, files, lock| {
            if let Some(expected) = &expected
                && shared.read(files, &owned)?.is_none_or(|record| record.stamp != *expected)
            {
                // Another record stands there by now, and stays.
                return Ok(());
            }
            files.remove(&lock).map_err(|error| shared.folder.failure("be written to", &error))?;
            drop(lock);
            shared.sync(files)
        })
        .await
    }

    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()> {
        let (history, past) = (self.shared.history(name), past.clone());
        self.blocking(timeout, move |shared| {
            history.write(&past).map_err(|error| shared.folder.failure("take the history", &error))
        })
        .await
    }

    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        let history = self.shared.history(name);
        self.blocking(timeout, move |shared| {
            history.read(&numbers).map_err(|error| shared.folder.failure("be read", &error))
        })
        .await
    }

    fn watch(&self, name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        let file = format!("{}.json", self.shared.naming.stem(name));
        watch::start(&self.shared.folder.path, Some(file), changed)
    }

    fn watch_all(&self, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        watch::start(&self.shared.folder.path, None, changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::transition::{Candidate, Ending, acquire, confirm, release};
    use crate::lease::{Identity, Lease, Mode, Outcome};

    fn candidate(session: &str, mode: Mode) -> Candidate {
        Candidate {
            session: session.into(),
            mode,
            changes: true,
            lease: Lease::new(Duration::from_secs(60)).unwrap(),
            asked_at: jiff::Timestamp::UNIX_EPOCH,
            identity: Identity::default(),
        }
    }

    /// What a holder does next is done under what it wrote last, which has to outlive a loss of power.
    #[test]
    fn only_who_gives_the_lock_away_leaves_the_sync_to_others() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let (writer, one, other) =
            (candidate("w", Mode::Exclusive), candidate("r1", Mode::Shared), candidate("r2", Mode::Shared));
        let held = acquire(None, &writer, at).unwrap();
        assert!(!hands_over(&held));
        let waited = acquire(Some(&held), &one, at).unwrap();
        let waited = acquire(Some(&waited), &other, at).unwrap();
        assert!(!hands_over(&waited), "the holder is still at work");
        let ending = Ending::new(Outcome::Released, Some(0));
        let granted = release(&waited, "w", &ending, at);
        assert_eq!(granted.holders.len(), 2);
        assert!(hands_over(&granted));
        assert!(!hands_over(&confirm(&granted, &one, at)), "one begins, whatever the other does");
        assert!(!hands_over(&release(&held, "w", &ending, at)), "nobody comes after us");
    }
}
