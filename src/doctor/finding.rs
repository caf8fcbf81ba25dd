//! What a check comes to.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::exit;
use crate::escape;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to mend.
    Info,
    /// A run works, and something about it is worse than it looks.
    Warning,
    /// A run would fail.
    Error,
}

/// What it is about: the heading that it stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The program that becomes the child.
    Terraform,
    /// The backend of the configuration.
    Backend,
    /// As whom AWS is asked, and until when.
    Credentials,
    /// This machine's clock.
    Clock,
    /// Where lock records live.
    Store,
    /// The bucket that the state is in.
    Bucket,
    /// The calls that are needed.
    Permissions,
    /// The record of the lock.
    Lock,
    /// Terraform's state, and its own lock on it.
    State,
}

impl Area {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Terraform => "Terraform",
            Self::Backend => "Backend",
            Self::Credentials => "Credentials",
            Self::Clock => "Clock",
            Self::Store => "Lock store",
            Self::Bucket => "State bucket",
            Self::Permissions => "Permissions",
            Self::Lock => "Lock",
            Self::State => "State",
        }
    }
}

/// The outcome of one check. Its texts are escaped and on one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The check's name; stable.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// How bad it is.
    pub severity: Severity,
    /// What is so, a sentence without a full stop.
    pub what: String,
    /// Why it matters; `None` where there is nothing to mend.
    pub why: Option<String>,
    /// What mends it: a command, or a sentence that holds one.
    pub cure: Option<String>,
    /// The facts behind it.
    pub details: Map<String, Value>,
}

impl Finding {
    fn new(id: &'static str, area: Area, severity: Severity, what: impl AsRef<str>) -> Self {
        let what = escape::line(what.as_ref()).into_owned();
        Self { id, area, severity, what, why: None, cure: None, details: Map::new() }
    }

    /// As it should be.
    pub fn ok(id: &'static str, area: Area, what: impl AsRef<str>) -> Self {
        Self::new(id, area, Severity::Ok, what)
    }

    /// Worth knowing.
    pub fn info(id: &'static str, area: Area, what: impl AsRef<str>) -> Self {
        Self::new(id, area, Severity::Info, what)
    }

    /// A run works, with a drawback.
    pub fn warning(id: &'static str, area: Area, what: impl AsRef<str>) -> Self {
        Self::new(id, area, Severity::Warning, what)
    }

    /// A run would fail.
    pub fn error(id: &'static str, area: Area, what: impl AsRef<str>) -> Self {
        Self::new(id, area, Severity::Error, what)
    }

    /// Says why it matters.
    #[must_use]
    pub fn why(mut self, why: impl AsRef<str>) -> Self {
        self.why = Some(escape::line(why.as_ref()).into_owned());
        self
    }

    /// Says what mends it.
    #[must_use]
    pub fn cure(mut self, cure: impl AsRef<str>) -> Self {
        self.cure = Some(escape::line(cure.as_ref()).into_owned());
        self
    }

    /// Adds a fact. Texts in it are escaped.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(escape::line(&text).into_owned()),
            value => value,
        };
        self.details.insert(name.to_owned(), value);
        self
    }
}

/// The exit code that findings come to: [`exit::CONFIG`] when a run would fail, else 0.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|finding| finding.severity == Severity::Error) { exit::CONFIG } else { 0 }
}

/// A command line for a shell.
pub(super) fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    // Only a NUL cannot be quoted, and none can be in an argument.
    shlex::try_join(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unsafe_gets_into_a_finding() {
        let bad = "a\u{1b}[2Jb\n";
        let finding =
            Finding::error("x", Area::Store, bad).why(bad).cure(bad).with("name", bad).with("number", 7);
        let shown = serde_json::to_string(&finding).unwrap();
        assert!(
            !shown.contains("u001b") && !shown.contains("\\n") && shown.contains("\"number\":7"),
            "{shown}"
        );
    }

    #[test]
    fn only_an_error_fails() {
        let of = |severity| [Finding::new("x", Area::Store, severity, "y")];
        assert_eq!(exit_code(&of(Severity::Warning)), 0);
        assert_eq!(exit_code(&of(Severity::Error)), 78);
        assert_eq!(exit_code(&[]), 0);
    }
}
