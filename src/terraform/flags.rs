//! Terraform's command lines, read the way its flag parser reads them.

use std::ffi::{OsStr, OsString};

/// Flags that take the next argument as their value when they have no `=`. All others are
/// switches.
const TAKES_VALUE: [&str; 26] = [
    "backend-config",
    "backup",
    "config",
    "deprecation",
    "exclude",
    "exclude-file",
    "from-module",
    "generate-config-out",
    "invoke",
    "json-into",
    "lock-timeout",
    "lockfile",
    "module-depth",
    "out",
    "parallelism",
    "plugin-dir",
    "policy-paths",
    "replace",
    "state",
    "state-out",
    "target",
    "target-file",
    "test-directory",
    "var",
    "var-file",
    "chdir",
];

/// One piece of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// `-name`, `-name=value`, `-name value`, each with one dash or two.
    Flag(Flag<'a>),
    /// Anything else.
    Word(&'a OsStr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flag<'a> {
    /// The dashes and the name as they were written.
    pub(super) written: String,
    /// The name alone.
    pub(super) name: String,
    pub(super) value: Option<Value<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Behind `=`. What is not UTF-8 in it is replaced.
    Joined(String),
    /// The next argument.
    Next(&'a OsStr),
}

impl Value<'_> {
    pub(super) fn into_os(self) -> OsString {
        match self {
            Self::Joined(value) => value.into(),
            Self::Next(value) => value.to_owned(),
        }
    }
}

impl Flag<'_> {
    pub(super) fn value(&self) -> Option<String> {
        match self.value.as_ref()? {
            Value::Joined(value) => Some(value.clone()),
            Value::Next(value) => Some(value.to_string_lossy().into_owned()),
        }
    }
}

/// Takes a command line apart. A lone `--` ends the flags, as it does for Terraform.
pub(super) fn pieces(args: &[OsString]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(args.len());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            pieces.extend(rest.by_ref().map(|word| Piece::Word(word)));
            break;
        }
        let text = arg.to_string_lossy();
        let Some(name) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|n| !n.is_empty())
        else {
            pieces.push(Piece::Word(arg));
            continue;
        };
        let dashes = &text[..text.len() - name.len()];
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(Value::Joined(value.to_owned()))),
            None if TAKES_VALUE.contains(&name) => (name, rest.next().map(|v| Value::Next(v))),
            None => (name, None),
        };
        pieces.push(Piece::Flag(Flag { written: format!("{dashes}{name}"), name: name.to_owned(), value }));
    }
    pieces
}

/// The flags alone.
pub(super) fn flags(args: &[OsString]) -> impl Iterator<Item = Flag<'_>> {
    pieces(args).into_iter().filter_map(|piece| match piece {
        Piece::Flag(flag) => Some(flag),
        Piece::Word(_) => None,
    })
}
