//! One record file: read whole, replaced whole, under a lock that dies with its process.

use std::fs::{self, File, OpenOptions, Permissions};
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, OFlags, Uid, fchown, flock};

use super::dir::Owner;

/// No record comes near this; what does is not ours, and is not read into memory.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The files of one lock.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
    record: PathBuf,
    lock: PathBuf,
    temp: PathBuf,
    owner: Option<Owner>,
}

impl Files {
    pub(super) fn new(folder: &Path, stem: &str, owner: Option<Owner>) -> Self {
        let file = |ending: &str| folder.join(format!("{stem}.{ending}"));
        Self { folder: folder.to_owned(), record: file("json"), lock: file("lock"), temp: file("tmp"), owner }
    }

    /// The bytes of the record. Needs no lock: a record is replaced by renaming, so it is seen
    /// whole or not at all.
    pub(super) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.record)
    }

    /// The bytes of the record, if they can be had without any wait, in a folder that is
    /// [prompt](super::dir::Folder::prompt): `None` says nothing about it.
    pub(super) fn glance(&self) -> Option<Vec<u8>> {
        cached(&self.record)
    }

    /// The right to write, or `None` while another has it. It ends when it is dropped and when
    /// the process dies, however that happens.
    pub(super) fn try_lock(&self) -> io::Result<Option<WriteLock>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_surprises())
            .open(&self.lock)?;
        let opened = regular(&file)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let lock = WriteLock(file);
        match fs::symlink_metadata(&self.lock) {
            Ok(now) if (now.dev(), now.ino()) == (opened.dev(), opened.ino()) => {}
            // Somebody removed the folder's files: what we locked, nobody else will ever lock.
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        own(&lock.0, self.owner)?;
        Ok(Some(lock))
    }

    /// Replaces the record. It survives a loss of power from [`Files::sync`] on, which needs no lock any
    /// more: whoever writes next syncs what was renamed before along with its own.
    ///
    /// The temporary file has one fixed name, since only the holder of the lock writes it: what a
    /// killed writer left behind is removed by the next.
    pub(super) fn replace(&self, _: &WriteLock, bytes: &[u8]) -> io::Result<()> {
        absent_is_fine(fs::remove_file(&self.temp))?;
        let mut temp = create_new(&self.temp, self.owner)?;
        let written = temp.write_all(bytes).and_then(|()| temp.sync_all());
        if let Err(error) = written {
            // A full disk is not helped by half a record.
            absent_is_fine(fs::remove_file(&self.temp))?;
            return Err(error);
        }
        fs::rename(&self.temp, &self.record)
    }

    /// Removes the record, for good from [`Files::sync`] on.
    pub(super) fn remove(&self, _: &WriteLock) -> io::Result<()> {
        absent_is_fine(fs::remove_file(&self.record))
    }

    /// Makes what was replaced or removed last.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// See [`Files::try_lock`].
#[derive(Debug)]
pub(super) struct WriteLock(File);

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Said aloud: closing alone would leave it locked while a child that is just being
        // started still has a copy of the descriptor. Nothing helps if it fails.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// The bytes of a file of ours; `None` if there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match OpenOptions::new().read(true).custom_flags(no_surprises()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = regular(&file)?;
    // One byte more, so that the end is seen without another read.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len().min(LARGEST)).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The bytes of a file, from the kernel's caches alone, path and all; a missing one is not in them. Nothing is
/// written down of the read, which a disk that hangs could hold up.
#[cfg(target_os = "linux")]
fn cached(path: &Path) -> Option<Vec<u8>> {
    use rustix::fs::{CWD, Mode, ResolveFlags, openat2};
    use rustix::io::{ReadWriteFlags, preadv2};
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOATIME;
    let file = File::from(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?);
    let found = regular(&file).ok().filter(|found| found.len() <= LARGEST)?;
    let mut bytes = vec![0; usize::try_from(found.len()).ok()?];
    let read = preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT).ok()?;
    (read == bytes.len()).then_some(bytes)
}

#[cfg(not(target_os = "linux"))]
fn cached(_path: &Path) -> Option<Vec<u8>> {
    None
}

/// A file that was not there before, mode 0600 whatever the umask.
pub(super) fn create_new(path: &Path, owner: Option<Owner>) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    own(&file, owner)?;
    Ok(file)
}

/// Makes sure that a file we created is as private and as owned as it should be.
fn own(file: &File, owner: Option<Owner>) -> io::Result<()> {
    let found = file.metadata()?;
    if let Some(owner) = owner
        && found.uid() != owner.uid
    {
        fchown(file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    }
    if found.mode() & 0o7777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Neither a link to somewhere else nor a pipe that never opens.
fn no_surprises() -> i32 {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    flags.bits().cast_signed()
}

fn regular(file: &File) -> io::Result<fs::Metadata> {
    let found = file.metadata()?;
    if found.is_file() {
        return Ok(found);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "a file of the store is something else than a file"))
}

pub(super) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
