//! A Terraform project in a folder of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::folder::Folder;

/// What the README lets its readers apply first.
const HELLO: &str = include_str!("../../../examples/hello/main.tf");

/// A directory for Terraform, and beside it a home for whoever runs there. Both go with it.
pub(crate) struct Project {
    folder: Folder,
}

impl Project {
    /// The example of the README.
    pub(crate) fn hello() -> Self {
        Self::with(HELLO)
    }

    /// With this `main.tf`. It has to make do with `terraform_data`, which needs no download.
    pub(crate) fn with(main_tf: &str) -> Self {
        let project = Self::empty();
        project.write("main.tf", main_tf);
        project
    }

    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        let project = Self { folder: Folder::new() };
        std::fs::create_dir(project.dir()).unwrap();
        std::fs::create_dir(project.home()).unwrap();
        project
    }

    /// Where Terraform runs, without links in it.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The path of something in the project.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes a file of the project, with the folders on the way to it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a shell script and makes it executable.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What is in a file of the project: nothing, where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The lines of a file of the project.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    /// The names of all that is in the project, in order.
    pub(crate) fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether Terraform has left its own state lock.
    pub(crate) fn state_is_locked(&self) -> bool {
        self.path(".terraform.tfstate.lock.info").exists()
    }
}
