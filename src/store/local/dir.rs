//! The folder of the local store: created private, and trusted only when it is ours.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::geteuid;

use super::file;
use crate::store::text::{chain, plain};
use crate::store::{StoreError, StoreResult, Unavailable};

/// Whom new files are given to, where that is not simply us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The folder, checked.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Absolute.
    pub(super) path: PathBuf,
    /// Set when root works in somebody else's folder: files that stayed root's would lock their
    /// owner out.
    pub(super) owner: Option<Owner>,
    /// A file that is in memory is opened and read without a wait: the file system asks no other program and no
    /// other machine.
    pub(super) prompt: bool,
}

/// The file systems of Linux of which that is known: ext4, XFS, Btrfs, F2FS, tmpfs, and overlays of such.
#[cfg(target_os = "linux")]
const PROMPT: [i64; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994, 0x794C_7630];

impl Folder {
    /// Creates the folder with mode 0700 where there is none, and with a `.gitignore` that keeps
    /// it out of repositories. One that exists is left as it is.
    ///
    /// Files in it are created 0600 and never followed when they are links, so a folder that
    /// others may write to harms nobody but its users; one that belongs to others is refused,
    /// since they could take the record away under a holder. A link of our own or of root's is
    /// followed: that is how people move a folder.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] where it cannot be made or is not ours to use,
    /// [`StoreError::Unavailable`] where the disk fails or is full.
    pub(super) fn prepare(dir: &Path) -> StoreResult<Self> {
        let path = std::path::absolute(dir).map_err(|error| failure(dir, "be found", &error))?;
        let created = create(&path).map_err(|error| failure(&path, "be created", &error))?;
        let found = fs::metadata(&path).map_err(|error| failure(&path, "be opened", &error))?;
        let link = fs::symlink_metadata(&path).map_err(|error| failure(&path, "be opened", &error))?;
        if !found.is_dir() {
            return Err(misconfigured(&path, "is not a folder"));
        }
        let us = geteuid().as_raw();
        let foreign = |owner: u32| us != 0 && owner != us && owner != 0;
        if foreign(found.uid()) || (link.is_symlink() && foreign(link.uid())) {
            return Err(misconfigured(&path, "belongs to another user, who could change the locks in it"));
        }
        let owner = (us == 0 && found.uid() != 0).then(|| Owner { uid: found.uid(), gid: found.gid() });
        if created {
            ignore(&path, owner).map_err(|error| failure(&path, "be written to", &error))?;
        }
        let prompt = is_prompt(&path);
        Ok(Self { path, owner, prompt })
    }

    /// What an error of a file in the folder means.
    pub(super) fn failure(&self, what: &str, error: &io::Error) -> StoreError {
        failure(&self.path, what, error)
    }
}

#[cfg(target_os = "linux")]
#[allow(clippy::useless_conversion, reason = "it is narrower where addresses are")]
fn is_prompt(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| PROMPT.contains(&i64::from(found.f_type)))
}

#[cfg(not(target_os = "linux"))]
fn is_prompt(_path: &Path) -> bool {
    false
}

fn create(path: &Path) -> io::Result<bool> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            // The umask may have taken bits away that we need.
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn ignore(folder: &Path, owner: Option<Owner>) -> io::Result<()> {
    let mut file: File = match file::create_new(&folder.join(".gitignore"), owner) {
        Ok(file) => file,
        // Another process of ours was here first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.write_all(b"*\n")
}

fn failure(path: &Path, what: &str, error: &io::Error) -> StoreError {
    let lasting = matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::NotFound
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
            | ErrorKind::Unsupported
    ) || Errno::from_io_error(error) == Some(Errno::LOOP);
    let cause = chain(error);
    if lasting {
        return misconfigured(path, &format!("cannot {what}: {cause}"));
    }
    StoreError::Unavailable {
        kind: Unavailable::Failed,
        message: format!("the lock folder {} cannot {what}: {cause}", shown(path)),
    }
}

fn misconfigured(path: &Path, what: &str) -> StoreError {
    StoreError::Misconfigured {
        message: format!(
            "the lock folder {} {what}; give a folder that you own and may write to with --local-dir",
            shown(path)
        ),
    }
}

pub(super) fn shown(path: &Path) -> String {
    plain(&path.display().to_string())
}
