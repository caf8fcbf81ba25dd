//! Files that are there whole or not at all: written under another name, then put in their place.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path`, mode 0600, in place of a file that is there.
///
/// # Errors
/// The file cannot be written; one that was there before still is.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = OsString::from(path);
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    // Left by a process of the same number that was killed.
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // Whatever is left of it says nothing.
        let _ = fs::remove_file(&draft);
    }
    written
}
