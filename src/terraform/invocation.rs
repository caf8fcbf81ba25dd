//! Command lines of Terraform's or OpenTofu's that reach us as somebody's own (`exec`), as far as
//! it matters what they do to the state.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::flags::{Piece, flags, pieces};

/// Subcommands that leave the state and what it describes as they are. What is not listed may
/// change something.
const READS: [&[&str]; 17] = [
    &["console"],
    &["fmt"],
    &["get"],
    &["graph"],
    &["init"],
    &["metadata"],
    &["output"],
    &["plan"],
    &["providers"],
    &["show"],
    &["state", "list"],
    &["state", "pull"],
    &["state", "show"],
    &["validate"],
    &["version"],
    &["workspace", "list"],
    &["workspace", "show"],
];

/// A command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What `-chdir` says.
    pub chdir: Option<PathBuf>,
    words: Vec<OsString>,
}

/// What `state push` pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The file of this path, as it was given.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Invocation {
    /// Reads `program` and its arguments. `None` when the program is neither `terraform` nor
    /// `tofu` by its name.
    pub fn of(program: &OsStr, args: &[OsString]) -> Option<Self> {
        let name = Path::new(program).file_name()?;
        (name == "terraform" || name == "tofu").then(|| Self::read(args))
    }

    /// Reads the arguments of what is known to be Terraform.
    pub fn read(args: &[OsString]) -> Self {
        let chdir = flags(args).find(|flag| flag.name == "chdir").and_then(|flag| flag.value);
        let words = pieces(args).into_iter().filter_map(|piece| match piece {
            Piece::Word(word) => Some(word.to_owned()),
            Piece::Flag(_) => None,
        });
        Self { chdir: chdir.map(|value| value.into_os().into()), words: words.collect() }
    }

    /// Whether it leaves the state and what it describes as they are.
    pub fn only_reads(&self) -> bool {
        READS.iter().any(|command| self.starts_with(command))
    }

    /// What it pushes to the backend, if it is `state push`.
    pub fn pushes(&self) -> Option<Push> {
        if !self.starts_with(&["state", "push"]) {
            return None;
        }
        let file = self.words.get(2)?;
        Some(if file == "-" { Push::Stdin } else { Push::File(file.into()) })
    }

    /// Whether these words are its command.
    pub fn starts_with(&self, command: &[&str]) -> bool {
        self.words.len() >= command.len() && self.words.iter().zip(command).all(|(word, name)| word == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Invocation> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Invocation::of(&words[0], &words[1..])
    }

    #[test]
    fn only_terraform_and_opentofu_are_understood() {
        assert!(of("terraform apply").is_some());
        assert!(of("/opt/bin/tofu apply").is_some());
        assert!(of("terragrunt plan").is_none());
        assert!(of("make plan").is_none());
    }

    #[test]
    fn what_is_not_known_to_read_may_change_something() {
        for (line, reads) in [
            ("terraform plan -out p", true),
            ("terraform -chdir=infra show -json p", true),
            ("terraform state list", true),
            ("terraform state pull", true),
            ("terraform state rm x", false),
            ("terraform state", false),
            ("terraform apply p", false),
            ("terraform import a.b c", false),
            ("terraform workspace new x", false),
            ("terraform", false),
            ("terraform destroy -var plan", false),
        ] {
            assert_eq!(of(line).unwrap().only_reads(), reads, "{line}");
        }
    }

    #[test]
    fn a_push_names_its_file() {
        let file = |path: &str| Some(Push::File(path.into()));
        for (line, pushes) in [
            ("terraform state push errored.tfstate", file("errored.tfstate")),
            ("tofu -chdir=x state push -force -lock-timeout 5m /a/b", file("/a/b")),
            ("terraform state push -", Some(Push::Stdin)),
            ("terraform state push", None),
            ("terraform state pull", None),
            ("terraform apply state", None),
        ] {
            assert_eq!(of(line).unwrap().pushes(), pushes, "{line}");
        }
        assert_eq!(of("tofu -chdir=x state push y").unwrap().chdir, Some("x".into()));
    }
}
