//! A folder that goes away with the test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// An empty folder of its own, removed on drop. What a killed test left is in nobody's way: process numbers come
/// again, these names do not.
pub(crate) struct Folder {
    /// As programs that ask for their working directory see it.
    path: PathBuf,
    _removed: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tfguard-test-").tempdir().unwrap();
        Self { path: folder.path().canonicalize().unwrap(), _removed: folder }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
