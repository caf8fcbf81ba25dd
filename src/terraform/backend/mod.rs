//! Where Terraform keeps its state, as far as it decides about lock, store and set-up.
//!
//! A [`Configured`] backend is a type and its settings, each with where it stands. A directory has
//! up to two: the one that `init` set up, and the one that is written, with what `-backend-config`
//! adds to it. [`Configured::lock_name`] names the state of a workspace.

mod changed;
mod environment;
mod expression;
pub(crate) mod given;
mod local;
mod name;
mod path;
mod s3;
mod settings;

pub use changed::{Difference, Saved, between, differences};
pub use given::Given;
pub use local::StateFile;
pub use name::Unnamed;
pub use s3::S3;
pub use settings::{Setting, Settings};

pub(super) use expression::{json_settings, settings};
pub(super) use given::read as read_given;
pub(crate) use name::readable;

use super::directory::Lookup;
use crate::escape;
use crate::lease::LockName;

/// A backend with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Its type: `s3`, `gcs`, `cloud`…
    pub kind: String,
    /// Its settings, with what Terraform takes from the environment where nothing is set.
    pub settings: Settings,
    /// Where it stands, for people: `backend block in main.tf:3`.
    pub origin: String,
}

impl Configured {
    /// With what Terraform takes from the environment where `settings` has nothing.
    pub(super) fn new(kind: &str, mut settings: Settings, origin: &str, env: Lookup<'_>) -> Self {
        environment::fall_back(kind, &mut settings, env);
        Self { kind: kind.to_owned(), settings, origin: origin.to_owned() }
    }

    /// In words: `the s3 backend in main.tf:3`.
    pub fn shown(&self) -> String {
        let place = self.origin.split_once(" in ").map_or(self.origin.as_str(), |(_, place)| place);
        format!("the {} backend in {}", escape::field(&self.kind), escape::field(place))
    }

    /// Whether the state is a file on this machine.
    pub fn is_local(&self) -> bool {
        self.kind == "local"
    }

    /// The settings of an `s3` backend; `None` for another type, or without a bucket and a key.
    pub fn s3(&self) -> Option<S3> {
        if self.kind == "s3" { S3::from_settings(&self.settings) } else { None }
    }

    /// The name of the lock for the state of `workspace`. Not for `local` ones, whose state has a
    /// place on this machine, see [`StateFile`].
    ///
    /// # Errors
    /// [`Unnamed`]: what is missing.
    pub fn lock_name(&self, workspace: &str) -> Result<LockName, Unnamed> {
        name::of(self, workspace)
    }
}
