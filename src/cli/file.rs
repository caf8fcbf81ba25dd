//! `tfguard.toml`: the options of a repository, under their long names.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::hooks::anchored;
use crate::error::Error;
use crate::escape;
use crate::report::event::Hook;

/// Its name.
const NAME: &str = "tfguard.toml";

/// What the file may hold. What belongs to one run only (`--chdir`, `--shared`, `--reason`, `-v`,
/// `-q`) does not stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) lock: Option<Names>,
    pub(super) store: Option<String>,
    pub(super) table: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) local_dir: Option<PathBuf>,
    pub(super) lease: Option<Time>,
    pub(super) wait_timeout: Option<Time>,
    pub(super) stop_timeout: Option<Time>,
    pub(super) on_lease_lost: Option<String>,
    pub(super) deadline: Option<Time>,
    pub(super) rescue_dir: Option<PathBuf>,
    pub(super) require_clean: Option<bool>,
    pub(super) min_session: Option<Time>,
    pub(super) stop_before_expiry: Option<Time>,
    pub(super) terraform_bin: Option<PathBuf>,
    pub(super) init: Option<String>,
    pub(super) free_state_lock: Option<String>,
    pub(super) log_format: Option<String>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) ci: Option<String>,
    pub(super) ci_report: Option<PathBuf>,
    pub(super) color: Option<String>,
    pub(super) hooks: Option<Hooks>,
}

/// The commands that are told of what happens to the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Hooks {
    waiting: Option<Words>,
    acquired: Option<Words>,
    at_risk: Option<Words>,
    lost: Option<Words>,
    released: Option<Words>,
    pub(super) timeout: Option<Time>,
}

impl Hooks {
    pub(super) fn get(&self, hook: Hook) -> Option<&Words> {
        match hook {
            Hook::Waiting => &self.waiting,
            Hook::Acquired => &self.acquired,
            Hook::AtRisk => &self.at_risk,
            Hook::Lost => &self.lost,
            Hook::Released => &self.released,
        }
        .as_ref()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Words> {
        [&mut self.waiting, &mut self.acquired, &mut self.at_risk, &mut self.lost, &mut self.released]
            .into_iter()
            .flatten()
    }
}

/// A command, word by word.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Words(#[serde(deserialize_with = "words")] pub(super) Vec<String>);

fn words<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a hook is a list of words: the program and its arguments, such as [\"./notify.sh\"] or \
                     [\"sh\", \"-c\", \"…\"]"
    )]
    enum Given {
        Words(Vec<String>),
    }
    Given::deserialize(deserializer).map(|Given::Words(words)| words)
}

impl File {
    /// A hook's program with a folder in its name is looked for from the file's own folder.
    pub(super) fn anchor_hooks(&mut self, folder: &Path) {
        for Words(words) in self.hooks.iter_mut().flat_map(Hooks::all) {
            if let Some(program) = words.first_mut() {
                *program = anchored(program, folder);
            }
        }
    }
}

/// One lock, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a name or a list of names")]
pub(super) enum Names {
    /// `"prod"`
    One(String),
    /// `["network", "prod"]`
    Several(Vec<String>),
}

impl Names {
    pub(super) fn all(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Several(names) => names.clone(),
        }
    }
}

/// A duration: a text, or a whole number of seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Time {
    /// `"3m"`
    Text(String),
    /// `180`
    Seconds(u32),
}

impl Time {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Seconds(seconds) => seconds.to_string(),
        }
    }
}

/// The file that counts for `directory`, with the path it was found at: the nearest one, from the
/// directory up to the one that holds `.git`. Without a repository only the directory itself is
/// looked at, so that nothing from somebody else's home or `/tmp` takes part.
///
/// # Errors
/// [`Error::Config`], naming the file and what is wrong with it.
pub(super) fn find(directory: &Path) -> Result<Option<(PathBuf, File)>, Error> {
    // A directory that does not exist is told of later, better.
    let Ok(directory) = directory.canonicalize() else { return Ok(None) };
    let up_to = directory.ancestors().position(|folder| folder.join(".git").exists()).unwrap_or(0);
    let found =
        directory.ancestors().take(up_to + 1).map(|folder| folder.join(NAME)).find(|path| path.is_file());
    let Some(path) = found else { return Ok(None) };
    let shown = escape::field(&path.to_string_lossy()).into_owned();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::Config(format!("{shown} cannot be read: {error}")))?;
    let mut file = read(&text).map_err(|cause| Error::Config(format!("{shown}: {cause}")))?;
    let folder = path.parent().unwrap_or(&directory);
    for relative in [&mut file.local_dir, &mut file.log_file, &mut file.ci_report, &mut file.rescue_dir] {
        *relative = relative.take().map(|path| folder.join(path));
    }
    file.anchor_hooks(folder);
    // A bare name is looked for on PATH.
    file.terraform_bin =
        file.terraform_bin.map(|bin| if bin.components().count() > 1 { folder.join(bin) } else { bin });
    Ok(Some((path, file)))
}

pub(super) fn read(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_long_names_of_the_options() {
        let file =
            read("lock = \"prod\"\nlease = 60\nwait-timeout = \"1h 30m\"\nlog-file = \"x\"\n").unwrap();
        assert_eq!(file.lock, Some(Names::One("prod".into())));
        assert_eq!(file.lease.as_ref().map(Time::text).as_deref(), Some("60"));
        assert_eq!(file.wait_timeout.as_ref().map(Time::text).as_deref(), Some("1h 30m"));
    }

    #[test]
    fn locks_are_one_name_or_a_list() {
        let file = read("lock = [\"network\", \"prod\"]\n").unwrap();
        assert_eq!(file.lock.unwrap().all(), ["network", "prod"]);
        let error = read("lock = [7]\n").unwrap_err();
        assert!(error.contains("a name or a list of names"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = read("lock = \"prod\"\ntabel = \"x\"\n").unwrap_err();
        assert!(error.starts_with("line 2: ") && error.contains("tabel"), "{error}");
        assert!(read("lock = 7").unwrap_err().starts_with("line 1: "));
    }
}
