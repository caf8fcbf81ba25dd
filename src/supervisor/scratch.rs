//! The folder of a plan that nobody else is to see: a plan holds secrets.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A private folder, removed on drop with all that is in it.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes `folder`, mode 0700, and in it `file`, mode 0600, which Terraform writes over.
    ///
    /// # Errors
    /// When there is such a folder already, or it cannot be made.
    pub(super) fn make(folder: &Path, file: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(folder)?;
        let made = Self(folder.to_owned());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        Ok(made)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes such a folder, if it is there. Links in it are not followed.
pub(crate) fn remove(folder: &Path) {
    let ours = folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"tfguard-"));
    if ours {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_goes_away() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("tfguard-scratch");
        let file = folder.join("plan");
        let scratch = Scratch::make(&folder, &file).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        // Whoever was there before is not trusted.
        assert!(Scratch::make(&folder, &file).is_err());
        drop(scratch);
        assert!(!folder.exists());
    }
}
