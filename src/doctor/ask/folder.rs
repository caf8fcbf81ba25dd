//! Looking at the folder of the local store.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, access, flock};

use crate::doctor::folder::Folder;

/// Looks at `dir`. A file is made in it and removed again, to see whether that and a lock on it
/// work; a folder that is not there is not made.
pub(in crate::doctor) fn look(dir: &Path) -> Folder {
    let exists = dir.exists();
    let nearest = dir.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let (unwritable, locks_work) = if exists { try_file(dir) } else { (may_create(nearest), None) };
    Folder { dir: dir.to_owned(), exists, unwritable, network: network(nearest), locks_work }
}

fn may_create(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        return Some(format!("{} is not a folder", folder.display()));
    }
    let error = access(folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("{}: {}", folder.display(), io::Error::from(error)))
}

fn try_file(dir: &Path) -> (Option<String>, Option<bool>) {
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    let first = match create(&path) {
        Ok(first) => first,
        Err(error) => return (Some(error.to_string()), None),
    };
    let _removed = Removed(path.clone());
    let write = fs::write(&path, b"tfguard doctor\n").and_then(|()| first.sync_all());
    if let Err(error) = write {
        return (Some(error.to_string()), None);
    }
    if let Err(error) = flock(&first, FlockOperation::NonBlockingLockExclusive) {
        return (Some(format!("files in it cannot be locked: {}", io::Error::from(error))), None);
    }
    let second = File::open(&path);
    let kept_out = second.map(|second| flock(&second, FlockOperation::NonBlockingLockExclusive).is_err());
    (None, kept_out.ok())
}

fn create(path: &Path) -> io::Result<File> {
    // What an earlier doctor of the same number left.
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The kind of network file system that `folder` is on.
#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<&'static str> {
    // The kernel's numbers for them; the type differs between platforms.
    let kind = u64::try_from(rustix::fs::statfs(folder).ok()?.f_type).ok()? & 0xffff_ffff;
    Some(match kind {
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x4750_4653 => "GPFS",
        _ => return None,
    })
}

#[cfg(not(target_os = "linux"))]
fn network(_: &Path) -> Option<&'static str> {
    None
}
