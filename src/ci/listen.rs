//! A child's output is looked at as it passes: what Terraform finds wrong, and what it changes.

use std::sync::Arc;

use super::desk::Inner;
use super::diagnostic::Reader;
use super::{change, diagnostic};
use crate::child::{Lines, Sink};
use crate::report::Stream;

/// A longer line is none of Terraform's words.
const LONGEST: usize = 256 * 1024;

/// Passes everything on unchanged.
pub(super) struct Listener {
    into: Box<dyn Sink>,
    desk: Arc<Inner>,
    ear: Option<Ear>,
    stream: Stream,
}

impl Listener {
    /// `terraform`: the child is Terraform, whose words are known.
    pub(super) fn new(into: Box<dyn Sink>, desk: Arc<Inner>, stream: Stream, terraform: bool) -> Self {
        let ear = terraform.then(|| Ear { lines: Lines::new(LONGEST), hears: Hears::default() });
        Self { into, desk, ear, stream }
    }
}

struct Ear {
    lines: Lines,
    hears: Hears,
}

#[derive(Default)]
struct Hears {
    reader: Reader,
    /// What follows are the values of outputs, which may look like anything.
    over: bool,
}

impl Hears {
    fn line(&mut self, desk: &Inner, line: &[u8]) {
        if self.over {
            return;
        }
        if line.first() == Some(&b'{') {
            if let Some(diagnostic) = diagnostic::of_json(line) {
                desk.note(|note| note.diagnostic(diagnostic));
            } else if let Some(told) = change::of_json(line) {
                desk.note(|note| note.changes.note(told));
            }
            return;
        }
        let Ok(text) = std::str::from_utf8(line) else { return };
        let stripped;
        let text = match memchr::memchr(0x1b, line) {
            Some(_) => {
                stripped = anstream::adapter::strip_str(text).to_string();
                &stripped
            }
            None => text,
        };
        if text.trim_end() == "Outputs:" {
            self.over = true;
            self.finish(desk);
            return;
        }
        if let Some(told) = change::of_text(text) {
            desk.note(|note| note.changes.note(told));
        }
        if let Some(diagnostic) = self.reader.line(text) {
            desk.note(|note| note.diagnostic(diagnostic));
        }
    }

    fn finish(&mut self, desk: &Inner) {
        if let Some(diagnostic) = self.reader.finish() {
            desk.note(|note| note.diagnostic(diagnostic));
        }
    }
}

impl Sink for Listener {
    fn chunk(&mut self, bytes: &[u8]) {
        if let Some(Ear { lines, hears }) = &mut self.ear {
            let desk = &self.desk;
            lines.feed(bytes, |line| hears.line(desk, line));
        }
        self.into.chunk(bytes);
        self.desk.passed(self.stream, bytes);
    }

    fn end(&mut self) {
        if let Some(Ear { lines, hears }) = &mut self.ear {
            let desk = &self.desk;
            lines.finish(|line| hears.line(desk, line));
            hears.finish(desk);
        }
        self.into.end();
    }
}
