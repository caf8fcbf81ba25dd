//! Whether `init` has to run before the command.

use super::Directory;

/// The values of `--init`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InitPolicy {
    /// Where the directory is not initialised and its configuration needs it.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// Whether to run `init` first.
///
/// A configuration of built-in types with local state applies without it, and `init` leaves no
/// trace of itself there: without this rule it would run before every command.
pub fn needed(policy: InitPolicy, directory: &Directory) -> bool {
    match policy {
        InitPolicy::Always => true,
        InitPolicy::Never => false,
        InitPolicy::Auto => {
            let backend_is_new =
                directory.written_backend.is_some() && directory.initialised_backend.is_none();
            directory.refers_outside && (!directory.initialised || backend_is_new)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(initialised: bool, refers_outside: bool) -> Directory {
        Directory { initialised, refers_outside, ..Directory::default() }
    }

    #[test]
    fn auto_runs_it_only_where_something_is_missing() {
        for (policy, initialised, refers_outside, expected) in [
            (InitPolicy::Auto, false, true, true),
            (InitPolicy::Auto, false, false, false),
            (InitPolicy::Auto, true, true, false),
            (InitPolicy::Always, true, false, true),
            (InitPolicy::Never, false, true, false),
        ] {
            assert_eq!(needed(policy, &directory(initialised, refers_outside)), expected);
        }
    }
}
