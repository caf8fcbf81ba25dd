//! A folder for one test, removed with everything in it.
#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of the test functions")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) struct Folder {
    path: PathBuf,
    _removed: TempDir,
}

impl Folder {
    /// `name` is that of the test.
    pub(crate) fn new(name: &str) -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")), name)
    }

    /// The usual place lies inside our own repository.
    pub(crate) fn outside_of_any_repository(name: &str) -> Self {
        Self::below(&std::env::temp_dir(), name)
    }

    fn below(parent: &Path, name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("tfguard-{name}-")).tempdir_in(parent).unwrap();
        Self { path: folder.path().canonicalize().unwrap(), _removed: folder }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, and the folders it needs.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        // Each a program of its own: a copy of tfguard is known by its content.
        let path = self.file(name, &format!("#!/bin/sh\n# {name}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}
