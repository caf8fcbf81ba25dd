//! Whether a run has left a state behind, and where it goes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ERRORED, keep};

/// What is the same for every command of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// The folder that takes rescued states; made when it is needed. Absolute.
    pub into: PathBuf,
    /// The directory in which Terraform leaves them. Absolute.
    pub from: PathBuf,
    /// The command that pushes one, for a shell, all but its path.
    pub push: String,
    /// The run is a CI's, whose workspace does not last.
    pub ci: bool,
}

/// The watch over one command, begun before it is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    #[serde(with = "bytes")]
    errored: PathBuf,
    before: Option<Print>,
    #[serde(with = "bytes")]
    kept: PathBuf,
    push: String,
    /// See [`Setting::ci`].
    pub ci: bool,
}

/// Tells one file from another and from itself after it was written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Print {
    inode: u64,
    length: u64,
    seconds: i64,
    nanos: i64,
}

/// A state that was left, and where it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Why it is still where Terraform left it.
    pub trouble: Option<String>,
    /// The command that pushes it.
    pub command: String,
}

impl Watch {
    /// Begins: whatever is there now is not of the command to be started. `now` and the run give
    /// the kept file its name.
    pub fn begin(setting: &Setting, now: Timestamp, run: Option<u64>, session: &str) -> Self {
        let errored = setting.from.join(ERRORED);
        let run = run.map_or(String::new(), |run| format!("-run{run}"));
        let short: String = session.chars().filter(char::is_ascii_alphanumeric).collect();
        let short = &short[short.len().saturating_sub(12)..];
        let name = format!("errored-{}{run}-{short}.tfstate", now.strftime("%Y%m%dT%H%M%SZ"));
        Self {
            before: print(&errored),
            errored,
            kept: setting.into.join(name),
            push: setting.push.clone(),
            ci: setting.ci,
        }
    }

    /// After the command, and all it left, is dead and did not succeed: what it left is moved to
    /// safety. `None` when it left nothing. May be called again, by another process too.
    pub fn collect(&self) -> Option<Kept> {
        let left = print(&self.errored).filter(|now| self.before.as_ref() != Some(now));
        if left.is_none() {
            // Whoever was here first has moved it.
            return self.kept.is_file().then(|| self.kept_at(&self.kept, None));
        }
        match keep::move_to(&self.errored, &self.kept) {
            Ok(path) => Some(self.kept_at(&path, None)),
            Err(error) => {
                let trouble = format!("it could not be moved to {}: {error}", self.kept.display());
                Some(self.kept_at(&self.errored, Some(trouble)))
            }
        }
    }

    fn kept_at(&self, path: &Path, trouble: Option<String>) -> Kept {
        let command = push_command(&self.push, &path.to_string_lossy());
        Kept { path: path.to_owned(), trouble, command }
    }
}

/// The command that pushes the state at `path`.
pub fn push_command(push: &str, path: &str) -> String {
    // Only a NUL cannot be quoted, and none can be in a path.
    format!("{push} {}", shlex::try_quote(path).unwrap_or_default())
}

/// A path on its way to another process, whatever bytes it consists of.
pub(crate) mod bytes {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| OsString::from_vec(bytes).into())
    }
}

/// Links are not followed: Terraform writes a file, and nothing else is moved.
fn print(path: &Path) -> Option<Print> {
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Print { inode: found.ino(), length: found.len(), seconds: found.mtime(), nanos: found.mtime_nsec() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder that goes away with the test.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn setting(&self) -> Setting {
            let push = "tfguard push".into();
            Setting {
                into: self.path().join(".tfguard/rescue"),
                from: self.path().to_owned(),
                push,
                ci: false,
            }
        }

        fn begin(&self) -> Watch {
            let now = Timestamp::from_second(1_800_000_000).unwrap();
            Watch::begin(&self.setting(), now, Some(7), "0190-1234-abcdef012345")
        }

        fn errored(&self) -> PathBuf {
            self.path().join(ERRORED)
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_was_there_before_is_left_alone_and_what_is_new_is_moved() {
        let folder = Folder::new();
        fs::write(folder.errored(), "old").unwrap();
        let watch = folder.begin();
        assert_eq!(watch.collect(), None);
        assert!(folder.errored().exists() && !folder.path().join(".tfguard").exists());
        fs::write(folder.errored(), "newer").unwrap();
        let kept = watch.collect().unwrap();
        assert_eq!(kept.trouble, None);
        assert_eq!(
            kept.path,
            folder.path().join(".tfguard/rescue/errored-20270115T080000Z-run7-abcdef012345.tfstate")
        );
        assert_eq!(fs::read_to_string(&kept.path).unwrap(), "newer");
        assert!(!folder.errored().exists());
        assert_eq!(mode(&kept.path), 0o600);
        assert_eq!(mode(&folder.path().join(".tfguard/rescue")), 0o700);
        assert_eq!(fs::read_to_string(folder.path().join(".tfguard/.gitignore")).unwrap(), "*\n");
        // The guardian, coming after a supervisor that died right here, finds the same.
        assert_eq!(watch.collect(), Some(kept));
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = Folder::new();
        let watch = folder.begin();
        let mut kept = Vec::new();
        for text in ["one", "two", "three"] {
            fs::write(folder.errored(), text).unwrap();
            kept.push(watch.collect().unwrap().path);
        }
        let texts: Vec<String> = kept.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[test]
    fn a_state_that_cannot_be_moved_stays_and_is_told_of() {
        let folder = Folder::new();
        fs::write(folder.path().join("file"), "").unwrap();
        let setting = Setting { into: folder.path().join("file/rescue"), ..folder.setting() };
        let watch = Watch::begin(&setting, Timestamp::UNIX_EPOCH, None, "s");
        fs::write(folder.errored(), "state").unwrap();
        let kept = watch.collect().unwrap();
        assert_eq!(kept.path, folder.errored());
        assert!(kept.trouble.is_some());
        assert_eq!(fs::read_to_string(folder.errored()).unwrap(), "state");
    }

    #[test]
    fn the_guardian_is_told_of_any_path() {
        use std::os::unix::ffi::OsStrExt;
        let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/a\xff\nb"));
        let setting = Setting { into: odd.clone(), from: odd, ..Setting::default() };
        let watch = Watch::begin(&setting, Timestamp::UNIX_EPOCH, Some(1), "s");
        let json = serde_json::to_vec(&watch).unwrap();
        assert_eq!(serde_json::from_slice::<Watch>(&json).unwrap(), watch);
    }

    #[test]
    fn a_link_is_not_taken_for_a_state() {
        let folder = Folder::new();
        let watch = folder.begin();
        fs::write(folder.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.errored()).unwrap();
        assert_eq!(watch.collect(), None);
    }
}
