//! Becoming the real Terraform, for commands that came under its name and need no lock.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::setup;
use crate::cli::{self, Passed, Surroundings};
use crate::error::Error;
use crate::terraform::find;

/// Replaces this process. Returns only when that cannot be done.
///
/// # Errors
/// [`Error::NotFound`], [`Error::CannotRun`], [`Error::Config`] for a wrong `tfguard.toml`.
pub(super) fn pass(passed: &Passed) -> Result<std::convert::Infallible, Error> {
    let cwd = setup::cwd()?;
    let surroundings = Surroundings { env: &setup::env, cwd: &cwd, terminal: false };
    let explicit = cli::real_terraform(passed.chdir.as_deref(), surroundings)?;
    let program = find::terraform(explicit.as_deref(), passed.name, &setup::search(&cwd))?;
    let error = Command::new(&program).args(&passed.args).exec();
    Err(Error::CannotRun(format!("{} cannot be run: {error}", program.display())))
}
