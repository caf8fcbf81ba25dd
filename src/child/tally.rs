//! What Terraform says that it changes, read off its output as it passes.
//!
//! In text that is its line `Plan: 1 to add, 0 to change, 2 to destroy.`, and after an apply
//! `Apply complete! Resources: …`; with `-json` the object `change_summary`. Asking `show -json`
//! for it instead would start Terraform and its providers once more while the lock is held.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::lines::Lines;
use super::output::Sink;
use crate::lease::Counts;

/// A line longer than this is none of those.
const LONGEST: usize = 2048;
/// Each of those holds one of these.
const WORDS: [&str; 5] = ["Plan:", " complete! Resources:", "No changes.", "\"change_summary\"", "Outputs:"];

/// Where the counts are put. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Option<Counts>>>);

impl Tally {
    /// What was said last; `None` while nothing was.
    pub fn counts(&self) -> Option<Counts> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what passes on its way into another sink.
    pub fn of(&self, into: Box<dyn Sink>) -> Box<dyn Sink> {
        Box::new(Teller { into, lines: Lines::with(LONGEST, &WORDS), tally: self.clone(), over: false })
    }

    fn look(&self, line: &[u8], over: &mut bool) {
        *over = *over || is_outputs(line);
        if *over {
            return;
        }
        if let Some(counts) = counts(line) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts);
        }
    }
}

struct Teller {
    into: Box<dyn Sink>,
    lines: Lines,
    tally: Tally,
    /// What follows are the values of outputs, which may look like anything.
    over: bool,
}

impl Sink for Teller {
    fn chunk(&mut self, bytes: &[u8]) {
        let (tally, over) = (&self.tally, &mut self.over);
        self.lines.feed(bytes, |line| tally.look(line, over));
        self.into.chunk(bytes);
    }

    fn end(&mut self) {
        let (tally, over) = (&self.tally, &mut self.over);
        self.lines.finish(|line| tally.look(line, over));
        self.into.end();
    }
}

/// The heading of the values, which Terraform prints last.
fn is_outputs(line: &[u8]) -> bool {
    let text = line.trim_ascii_end();
    text == b"Outputs:" || text.ends_with(b"mOutputs:")
}

#[derive(Deserialize)]
struct Summary {
    r#type: String,
    changes: Changes,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Changes {
    add: u64,
    change: u64,
    remove: u64,
    import: u64,
}

/// What one line says, if it is one that does.
fn counts(line: &[u8]) -> Option<Counts> {
    if line.first() == Some(&b'{') {
        memchr::memmem::find(line, b"\"change_summary\"")?;
        let summary: Summary = serde_json::from_slice(line).ok()?;
        let Changes { add, change, remove, import } = summary.changes;
        return (summary.r#type == "change_summary").then_some(Counts {
            add,
            change,
            destroy: remove,
            import,
        });
    }
    // Most lines are told apart here, without another look.
    let found = [&b"Plan:"[..], b" complete! Resources:", b"No changes."];
    found.iter().find(|words| memchr::memmem::find(line, words).is_some())?;
    let text = anstream::adapter::strip_str(std::str::from_utf8(line).ok()?).to_string();
    // Not indented: so is whatever a plan shows of a resource.
    if text.starts_with("No changes.") {
        return Some(Counts::default());
    }
    let lists = ["Plan: ", "Apply complete! Resources: ", "Destroy complete! Resources: "];
    let list = lists.into_iter().find_map(|before| text.strip_prefix(before))?;
    let mut counts = Counts::default();
    let mut any = false;
    for part in list.split(['.', ',']) {
        let mut words = part.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
        any = true;
        match words.last() {
            Some("add" | "added") => counts.add = number,
            Some("change" | "changed") => counts.change = number,
            Some("destroy" | "destroyed") => counts.destroy = number,
            Some("import" | "imported") => counts.import = number,
            // Newer ones tell more: to forget, to invoke.
            _ => {}
        }
    }
    any.then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        fn chunk(&mut self, _: &[u8]) {}
        fn end(&mut self) {}
    }

    fn of(add: u64, change: u64, destroy: u64, import: u64) -> Option<Counts> {
        Some(Counts { add, change, destroy, import })
    }

    #[test]
    fn each_form_is_read() {
        for (line, expected) in [
            ("Plan: 1 to add, 2 to change, 3 to destroy.", of(1, 2, 3, 0)),
            ("\u{1b}[1mPlan:\u{1b}[0m 0 to add, 1 to change, 0 to destroy.", of(0, 1, 0, 0)),
            ("Plan: 4 to import, 1 to add, 0 to change, 0 to destroy.", of(1, 0, 0, 4)),
            ("Plan: 1 to add, 0 to change, 0 to destroy, 7 to forget.", of(1, 0, 0, 0)),
            ("Plan: 1 to add, 0 to change, 0 to destroy. Actions: 2 to invoke.", of(1, 0, 0, 0)),
            ("Apply complete! Resources: 1 imported, 2 added, 3 changed, 4 destroyed.", of(2, 3, 4, 1)),
            ("Destroy complete! Resources: 5 destroyed.", of(0, 0, 5, 0)),
            ("\u{1b}[0m\u{1b}[1m\u{1b}[32mNo changes.\u{1b}[0m Your infrastructure matches", of(0, 0, 0, 0)),
            (
                r#"{"@message":"x","changes":{"add":1,"change":2,"import":3,"remove":4,"operation":"plan"},"type":"change_summary"}"#,
                of(1, 2, 4, 3),
            ),
            (r#"{"@message":"x","changes":{"add":1},"type":"change_summary"}"#, of(1, 0, 0, 0)),
            (r#"{"@message":"Plan: 1 to add","type":"log"}"#, None),
            ("    Plan: 1 to add, 2 to change, 3 to destroy.", None),
            ("terraform_data.x (local-exec): Plan: 9 to add", None),
            ("Plan: to rule the world.", None),
            ("", None),
        ] {
            assert_eq!(counts(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn an_output_says_nothing() {
        for heading in ["Outputs:", "\u{1b}[0m\u{1b}[1mOutputs:\r"] {
            let tally = Tally::default();
            let mut sink = tally.of(Box::new(Nowhere));
            sink.chunk(b"Apply complete! Resources: 2 added, 0 changed, 0 destroyed.\n\n");
            sink.chunk(format!("{heading}\n\nx = <<EOT\nPlan: 9 to add\nEOT\n").as_bytes());
            sink.end();
            assert_eq!(tally.counts(), of(2, 0, 0, 0), "{heading}");
        }
    }

    #[test]
    fn the_last_word_counts_however_it_is_cut() {
        let text = b"x\nPlan: 3 to add, 0 to change, 0 to destroy.\r\n\nApply complete! Resources: 2 added, 0 changed, 0 destroyed.";
        for at in 0..text.len() {
            let tally = Tally::default();
            let mut sink = tally.of(Box::new(Nowhere));
            sink.chunk(&text[..at]);
            sink.chunk(&text[at..]);
            sink.end();
            assert_eq!(tally.counts(), of(2, 0, 0, 0), "cut at {at}");
        }
    }
}
