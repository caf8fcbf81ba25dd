//! GitHub's workflow commands: lines that begin with `::`. Pure.

use std::borrow::Cow;

use super::diagnostic::{Diagnostic, Severity};
use super::markup::cut;
use crate::escape;

/// Characters of an annotation's text.
const LONGEST: usize = 4000;

/// `::group::TITLE`.
pub fn group(title: &str) -> String {
    format!("::group::{}\n", data(&escape::bounded(title, escape::FIELD)))
}

/// `::endgroup::`.
pub const END_GROUP: &str = "::endgroup::\n";

/// From here on no line is a command, until [`resume`] with the same token.
pub fn stop(token: &str) -> String {
    format!("::stop-commands::{token}\n")
}

/// Lines may be commands again.
pub fn resume(token: &str) -> String {
    format!("::{token}::\n")
}

/// An error or a warning that GitHub shows beside the line it is about. `file`: relative to the
/// repository; `None`: it is shown with the job.
pub fn annotation(diagnostic: &Diagnostic, file: Option<&str>) -> String {
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let file = file.map(|file| property(&escape::line(file)));
    let place = match (file, diagnostic.line) {
        (Some(file), Some(line)) => format!("file={file},line={line},"),
        (Some(file), None) => format!("file={file},"),
        (None, _) => String::new(),
    };
    let title = cut(&diagnostic.summary, escape::FIELD);
    let title = escape::line(&title);
    let text = if diagnostic.detail.is_empty() { &diagnostic.summary } else { &diagnostic.detail };
    let text = cut(text, LONGEST);
    let lines: Vec<Cow<'_, str>> = text.lines().map(|line| escape::bounded(line, usize::MAX)).collect();
    let text = lines.join("\n");
    format!("::{kind} {place}title={}::{}\n", property(&title), data(&text))
}

/// `file` of the configuration in `directory`, both relative, as seen from the top of the
/// repository; `None` where it is outside.
pub fn place(directory: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!file.starts_with('/') && !directory.starts_with('/')).then(|| parts.join("/"))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(summary: &str, detail: &str) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            file: None,
            line: Some(3),
        }
    }

    #[test]
    fn an_annotation_names_file_and_line() {
        assert_eq!(
            annotation(&diagnostic("Bad: a, b", "It is 100%\nbad."), Some("env/a,b:c.tf")),
            "::error file=env/a%2Cb%3Ac.tf,line=3,title=Bad%3A a%2C b::It is 100%25%0Abad.\n"
        );
        assert_eq!(annotation(&diagnostic("Bad", ""), None), "::error title=Bad::Bad\n");
    }

    #[test]
    fn nothing_makes_a_second_command() {
        for evil in ["x\n::error::y", "x\r\n::set-env name=A::b", "%0A::error::", "##[error]x", "\u{1b}[2Jx"]
        {
            for made in [
                annotation(&diagnostic(evil, evil), Some(evil)),
                group(evil),
                annotation(&Diagnostic { line: None, ..diagnostic(evil, evil) }, Some(evil)),
            ] {
                assert_eq!(made.matches('\n').count(), 1, "{made}");
                assert!(made.ends_with('\n') && !made.contains(['\r', '\u{1b}']), "{made}");
                assert!(!made.contains("##"), "{made}");
            }
        }
    }

    #[test]
    fn a_file_is_named_from_the_top() {
        for (directory, file, place_of) in [
            ("", "main.tf", Some("main.tf")),
            ("env/prod", "main.tf", Some("env/prod/main.tf")),
            ("env/prod", "../../modules/./m/main.tf", Some("modules/m/main.tf")),
            ("env", "../../main.tf", None),
            ("env", "/etc/x.tf", None),
            ("/elsewhere", "x.tf", None),
        ] {
            assert_eq!(place(directory, file).as_deref(), place_of, "{directory} {file}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let made = annotation(&diagnostic("x", &"y\n".repeat(100_000)), None);
        assert!(made.len() < 4 * LONGEST, "{}", made.len());
    }
}
