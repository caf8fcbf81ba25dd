//! Terraform's errors and warnings, read off its output: the JSON object `diagnostic`, or in text
//! the block that begins with `Error: ` or `Warning: ` at the start of a line (behind `│` where
//! there is colour), with ` on FILE line N` in it. Text of any other form is left alone.

use serde::Deserialize;

use super::markup::cut;

/// Characters that are kept of a diagnostic's text.
const DETAIL: usize = 4000;
/// Lines that are looked at of one diagnostic.
const LINES: usize = 200;

/// Error or warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something to know.
    Warning,
}

/// What Terraform has to say of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// One line.
    pub summary: String,
    /// More, on lines of its own; may be empty.
    pub detail: String,
    /// The file, relative to the directory of the configuration.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    diagnostic: Body,
}

#[derive(Deserialize)]
struct Body {
    severity: Severity,
    summary: String,
    #[serde(default)]
    detail: String,
    range: Option<Range>,
}

#[derive(Deserialize)]
struct Range {
    filename: String,
    start: Start,
}

#[derive(Deserialize)]
struct Start {
    line: u64,
}

/// The diagnostic in a line of Terraform's JSON.
pub fn of_json(line: &[u8]) -> Option<Diagnostic> {
    memchr::memmem::find(line, b"\"diagnostic\"")?;
    let Message { r#type, diagnostic } = serde_json::from_slice(line).ok()?;
    let (file, line) = diagnostic.range.map(|range| (range.filename, range.start.line)).unzip();
    (r#type == "diagnostic").then(|| Diagnostic {
        severity: diagnostic.severity,
        summary: diagnostic.summary,
        detail: cut(&diagnostic.detail, DETAIL).into_owned(),
        file,
        line,
    })
}

/// Reads the text of one stream, line by line.
#[derive(Debug, Default)]
pub struct Reader {
    block: Option<Block>,
}

#[derive(Debug)]
struct Block {
    diagnostic: Diagnostic,
    /// Behind `│`; else it has no end that could be seen.
    boxed: bool,
    /// The paragraph: 0 the summary, 1 the source or the detail.
    paragraph: usize,
    /// The paragraph shows the source.
    source: bool,
    lines: usize,
}

impl Reader {
    /// Takes the next line, without colour, and gives back what it has completed.
    pub fn line(&mut self, line: &str) -> Option<Diagnostic> {
        let line = line.trim_end();
        let boxed = line.strip_prefix('│').map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        if let Some((severity, summary)) = head(boxed.unwrap_or(line)) {
            let before = self.finish();
            let diagnostic = Diagnostic {
                severity,
                summary: summary.into(),
                detail: String::new(),
                file: None,
                line: None,
            };
            let boxed = boxed.is_some();
            self.block = Some(Block { diagnostic, boxed, paragraph: 0, source: false, lines: 0 });
            return before;
        }
        let block = self.block.as_mut()?;
        block.lines += 1;
        let content = if block.boxed { boxed } else { Some(line) };
        match content {
            Some(content) if block.lines < LINES && block.take(content) => None,
            _ => self.finish(),
        }
    }

    /// The stream has ended, or what follows is none of Terraform's words.
    pub fn finish(&mut self) -> Option<Diagnostic> {
        let mut diagnostic = self.block.take()?.diagnostic;
        diagnostic.detail.truncate(diagnostic.detail.trim_end().len());
        Some(diagnostic)
    }
}

impl Block {
    /// Whether the diagnostic may go on.
    fn take(&mut self, line: &str) -> bool {
        if line.is_empty() {
            // Without a box nobody can tell a further paragraph from what comes next.
            if !self.boxed && self.paragraph > 0 && !self.source {
                return false;
            }
            self.paragraph += 1;
            self.source = false;
            if !self.diagnostic.detail.is_empty() {
                self.diagnostic.detail.push('\n');
            }
            return true;
        }
        if self.paragraph == 0 {
            // A long summary goes on.
            self.diagnostic.summary.push(' ');
            self.diagnostic.summary.push_str(line);
            return self.diagnostic.summary.len() < DETAIL;
        }
        if self.diagnostic.detail.is_empty() && (self.source || line.starts_with("  ")) {
            self.source = true;
            if self.diagnostic.line.is_none()
                && let Some((file, number)) = place(line)
            {
                self.diagnostic.file = Some(file.into());
                self.diagnostic.line = Some(number);
            }
            return true;
        }
        let detail = &mut self.diagnostic.detail;
        if detail.len() + line.len() < DETAIL {
            detail.push_str(line);
            detail.push('\n');
        }
        true
    }
}

fn head(line: &str) -> Option<(Severity, &str)> {
    let kinds = [("Error: ", Severity::Error), ("Warning: ", Severity::Warning)];
    kinds.into_iter().find_map(|(word, severity)| Some((severity, line.strip_prefix(word)?)))
}

/// `  on FILE line N, in …`, `  on FILE line N:`.
fn place(line: &str) -> Option<(&str, u64)> {
    let rest = line.strip_prefix("  on ")?;
    // The last one: a file's name may have anything in it, what follows the number not.
    rest.rmatch_indices(" line ").find_map(|(at, word)| {
        let after = &rest[at + word.len()..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = after[..digits].parse().ok()?;
        // `<value for var.x>` is no file.
        let file = Some(&rest[..at]).filter(|file| !file.is_empty() && !file.starts_with('<'))?;
        matches!(after[digits..].chars().next(), Some(',' | ':') | None).then_some((file, number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Diagnostic> {
        let mut reader = Reader::default();
        let mut found: Vec<Diagnostic> = text.lines().filter_map(|line| reader.line(line)).collect();
        found.extend(reader.finish());
        found
    }

    fn one(severity: Severity, summary: &str, detail: &str, place: Option<(&str, u64)>) -> Diagnostic {
        let (file, line) = place.map(|(file, line)| (file.to_owned(), line)).unzip();
        Diagnostic { severity, summary: summary.into(), detail: detail.into(), file, line }
    }

    #[test]
    fn boxes_are_read_to_their_end() {
        let text = "x\n╷\n│ Error: Unsupported argument\n│ \n│   with module.m[\"a line 9, b\"].x,\n│   on modules/m/main.tf line 22, in resource \"a\" \"b\":\n│   22:  foo = 1\n│     ├────────────────\n│     │ var.a is \"b\"\n│ \n│ An argument is not expected\n│ here.\n│ \n│ At all.\n╵\nmore\n╷\n│ Warning: W\n│ \n╵\n";
        assert_eq!(
            read(text),
            [
                one(
                    Severity::Error,
                    "Unsupported argument",
                    "An argument is not expected\nhere.\n\nAt all.",
                    Some(("modules/m/main.tf", 22))
                ),
                one(Severity::Warning, "W", "", None),
            ]
        );
    }

    #[test]
    fn without_colour_there_is_no_box() {
        let text = "\nWarning: Check block assertion failed\n\n  on main.tf line 22, in check \"c\":\n  22:     condition = a == \"no\"\n    ├────────────────\n    │ a is \"6\"\n\nCareful.\n\nApply complete! Resources: 3 added.\n\nError: creating x: AccessDenied\n\n  with x.y,\n  on a b.tf line 7:\n   7: x {\n\n";
        assert_eq!(
            read(text),
            [
                one(Severity::Warning, "Check block assertion failed", "Careful.", Some(("main.tf", 22))),
                one(Severity::Error, "creating x: AccessDenied", "", Some(("a b.tf", 7))),
            ]
        );
    }

    #[test]
    fn what_only_looks_like_one_is_left_alone() {
        assert_eq!(read("a.b (local-exec): Error: x\n  Error: y\nAn Error: z\n+ \"Error: a\"\n"), []);
        assert_eq!(place("  on <value for var.x> line 1:"), None);
        assert_eq!(place("  on main.tf line x:"), None);
        assert_eq!(place("  on main.tf line 12 and more"), None);
        assert_eq!(place("  on a line 3, b.tf line 12, in x:"), Some(("a line 3, b.tf", 12)));
    }

    #[test]
    fn json_is_read() {
        let line = br#"{"@level":"error","@message":"x","diagnostic":{"severity":"error","summary":"S","detail":"D","range":{"filename":"main.tf","start":{"line":22,"column":1}}},"type":"diagnostic"}"#;
        assert_eq!(of_json(line), Some(one(Severity::Error, "S", "D", Some(("main.tf", 22)))));
        let bare = br#"{"diagnostic":{"severity":"warning","summary":"S"},"type":"diagnostic"}"#;
        assert_eq!(of_json(bare), Some(one(Severity::Warning, "S", "", None)));
        assert_eq!(of_json(br#"{"diagnostic":{"severity":"odd","summary":"S"},"type":"diagnostic"}"#), None);
        assert_eq!(of_json(br#"{"type":"log","x":"\"diagnostic\""}"#), None);
    }
}
