//! Which command is a hook for what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::event::Hook;

/// How long a hook may take where nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that may be asked for: the end of a run waits for its last hooks.
pub const LONGEST: Duration = Duration::from_secs(300);

/// The variable by which a hook, and whatever it starts, is known.
pub const MARK: &str = "TFGUARD_HOOK";

/// The hooks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Program and arguments, for every hook that there is. The program is an absolute path, or a bare
    /// name that is looked up in `PATH`.
    pub commands: BTreeMap<Hook, Vec<String>>,
    /// How long one may take.
    pub timeout: Duration,
    /// Where they run.
    pub dir: PathBuf,
}
