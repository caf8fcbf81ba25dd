//! The history in a folder: one small file for each run that is over, `history/<lock>/<run>.json`.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::dir::Owner;
use super::file::{self, absent_is_fine, create_new};
use crate::lease::{Found, PastRun, RecordError};

/// The folder below the store's own.
const FOLDER: &str = "history";
/// The most files that one writer removes: the next one goes on.
const PRUNED: usize = 32;

/// The items of one lock.
#[derive(Debug)]
pub(super) struct History {
    folder: PathBuf,
    owner: Option<Owner>,
}

impl History {
    /// `store` is the store's folder, `stem` that of the lock's files.
    pub(super) fn new(store: &Path, stem: &str, owner: Option<Owner>) -> Self {
        Self { folder: store.join(FOLDER).join(stem), owner }
    }

    /// Writes the item of `past`, unless one that knows more is there.
    pub(super) fn write(&self, past: &PastRun) -> io::Result<()> {
        let path = self.path(past.run);
        if let Ok(Some(known)) = read(&path)
            && known.is_ok_and(|known| !past.replaces(&known))
        {
            return Ok(());
        }
        self.prepare()?;
        let mut bytes = serde_json::to_vec(past).map_err(io::Error::other)?;
        bytes.push(b'\n');
        // Two writers of one run have two names: whoever is later wins, whole.
        let temp = self.folder.join(format!("{}.{}.tmp", past.run, std::process::id()));
        absent_is_fine(fs::remove_file(&temp))?;
        let mut draft = create_new(&temp, self.owner)?;
        // Not synced: what a loss of power takes is one line of history, and a sync takes as long
        // as a whole release.
        let written = draft.write_all(&bytes).and_then(|()| fs::rename(&temp, &path));
        if written.is_err() {
            absent_is_fine(fs::remove_file(&temp))?;
        }
        written?;
        self.prune(past.ended_at.as_second());
        Ok(())
    }

    /// The items of these runs, in rising order.
    pub(super) fn read(&self, numbers: &RangeInclusive<u64>) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for run in self.numbers()?.into_iter().filter(|run| numbers.contains(run)) {
            if let Some(past) = read(&self.path(run))? {
                found.push(Found { run, past });
            }
        }
        Ok(found)
    }

    /// Removes what is out of date at `now`, in epoch seconds. The numbers rise with time, so that
    /// nothing is looked at behind the first item that stays.
    fn prune(&self, now: i64) {
        let now = u64::try_from(now).unwrap_or(0);
        for run in self.numbers().unwrap_or_default().into_iter().take(PRUNED) {
            let path = self.path(run);
            match read(&path) {
                Ok(Some(Ok(past))) if past.expires_at <= now => {
                    // The next run tries again.
                    let _ = fs::remove_file(&path);
                }
                _ => return,
            }
        }
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let run: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            numbers.extend(run);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, run: u64) -> PathBuf {
        self.folder.join(format!("{run}.json"))
    }

    fn prepare(&self) -> io::Result<()> {
        let outer = self.folder.parent().unwrap_or(&self.folder);
        for folder in [outer, self.folder.as_path()] {
            match DirBuilder::new().mode(0o700).create(folder) {
                Ok(()) => {
                    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
                    if let Some(owner) = self.owner {
                        chown(folder, Some(owner.uid), Some(owner.gid))?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Option<Result<PastRun, RecordError>>> {
    let Some(bytes) = file::read(path)? else { return Ok(None) };
    let value = serde_json::from_slice(&bytes).map_err(|error| RecordError::Rubbish(error.to_string()));
    Ok(Some(value.and_then(PastRun::from_json)))
}
