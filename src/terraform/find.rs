//! Finds the program that becomes our child.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::escape;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// What relative paths are relative to: for `--terraform-bin` the directory that tfguard was
    /// started in, for the program of `exec` the one it will run in.
    pub base: &'a Path,
    /// Our own executable, canonical: a `terraform` on `PATH` that is a link to us would start
    /// itself for ever.
    pub own: Option<PathBuf>,
}

/// The names that Terraform goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Name {
    /// `terraform`
    #[default]
    Terraform,
    /// `tofu`: OpenTofu.
    Tofu,
}

impl Name {
    /// The one that a program's name is.
    pub fn of(name: &OsStr) -> Option<Self> {
        [Self::Terraform, Self::Tofu].into_iter().find(|known| name == known.as_str())
    }

    /// As it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    fn and_the_other(self) -> [Self; 2] {
        match self {
            Self::Terraform => [self, Self::Tofu],
            Self::Tofu => [self, Self::Terraform],
        }
    }
}

/// The Terraform to run: `explicit` (`--terraform-bin`), else the program of the name that is looked
/// for `first`, else of the other one, from `PATH`.
///
/// The path is absolute and not resolved further: version managers decide by the name they are
/// called by.
///
/// # Errors
/// [`Error::NotFound`] where there is none, [`Error::CannotRun`] where there is one that is not
/// executable or is tfguard itself.
pub fn terraform(explicit: Option<&Path>, first: Name, search: &Search<'_>) -> Result<PathBuf, Error> {
    if let Some(explicit) = explicit {
        let found = program(explicit.as_os_str(), search).map_err(|error| with_hint(error, TERRAFORM_BIN))?;
        if search.is_own(&found) {
            return Err(Error::CannotRun(format!(
                "{} is tfguard itself; give the real Terraform with --terraform-bin",
                shown(found.as_os_str())
            )));
        }
        return Ok(found);
    }
    let mut refused = None;
    for name in first.and_the_other().map(|name| OsStr::new(name.as_str())) {
        if let Some(found) = search.on_path(name).into_iter().find(|found| !search.is_own(found)) {
            return Ok(found);
        }
        refused = refused.or_else(|| search.not_executable(name));
    }
    Err(match refused {
        Some(path) => Error::CannotRun(format!(
            "{} is not executable; make it so, or give another with --terraform-bin PATH",
            shown(path.as_os_str())
        )),
        None => Error::NotFound(format!(
            "neither terraform nor tofu was found on PATH ({}); install one, or give it with --terraform-bin PATH",
            search.path_shown()
        )),
    })
}

const TERRAFORM_BIN: &str = " (from --terraform-bin)";

/// The program of `exec`: a path as it is, a bare name from `PATH`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::CannotRun`].
pub fn program(name: &OsStr, search: &Search<'_>) -> Result<PathBuf, Error> {
    if !name.as_encoded_bytes().contains(&b'/') {
        return search.on_path(name).into_iter().next().ok_or_else(|| match search.not_executable(name) {
            Some(path) => Error::CannotRun(format!("{} is not executable", shown(path.as_os_str()))),
            None => {
                Error::NotFound(format!("{} was not found on PATH ({})", shown(name), search.path_shown()))
            }
        });
    }
    let path = search.base.join(name);
    let kind = std::fs::metadata(&path);
    match kind {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NotFound(format!("{} does not exist", shown(path.as_os_str()))))
        }
        Err(error) => Err(Error::CannotRun(format!("{} cannot be run: {error}", shown(path.as_os_str())))),
        Ok(kind) if kind.is_dir() => {
            Err(Error::CannotRun(format!("{} is a directory, not a program", shown(path.as_os_str()))))
        }
        Ok(_) if !executable(&path) => {
            Err(Error::CannotRun(format!("{} is not executable", shown(path.as_os_str()))))
        }
        Ok(_) => Ok(path),
    }
}

impl Search<'_> {
    fn on_path(&self, name: &OsStr) -> Vec<PathBuf> {
        let found = which::which_in_all(name, self.path.clone(), self.base);
        found.map(|all| all.map(|path| self.base.join(path)).collect()).unwrap_or_default()
    }

    /// A file of that name on `PATH` that the system would not run.
    fn not_executable(&self, name: &OsStr) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        std::env::split_paths(path)
            .map(|folder| self.base.join(folder).join(name))
            .find(|file| file.is_file() && !executable(file))
    }

    /// Whether it is this very program, or a copy of it: two copies under Terraform's name would
    /// hand the command to each other for ever.
    fn is_own(&self, found: &Path) -> bool {
        let Some(own) = &self.own else { return false };
        found.canonicalize().is_ok_and(|found| found == *own) || same_content(found, own)
    }

    fn path_shown(&self) -> String {
        match &self.path {
            Some(path) if !path.is_empty() => escape::field(&path.to_string_lossy()).into_owned(),
            _ => "which is empty".to_owned(),
        }
    }
}

/// The lengths first: nothing is read of what is another program.
fn same_content(a: &Path, b: &Path) -> bool {
    let length =
        |path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    length(a).is_some() && length(a) == length(b) && {
        let read = |path| std::fs::read(path).ok();
        read(a).is_some_and(|content| read(b) == Some(content))
    }
}

fn executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn shown(name: &OsStr) -> String {
    escape::field(&name.to_string_lossy()).into_owned()
}

fn with_hint(error: Error, hint: &str) -> Error {
    match error {
        Error::NotFound(text) => Error::NotFound(text + hint),
        Error::CannotRun(text) => Error::CannotRun(text + hint),
        other => other,
    }
}
