//! What a child prints, as it passes.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::unbounded_channel;

use super::{assert_harmless, assert_json_line, now};
use crate::child::{Marker, Nowhere, Sink, Tally};
use crate::ci::desk::Site;
use crate::ci::summary::{self, Subject};
use crate::ci::{Desk, System, command};
use crate::lease::Counts;
use crate::report::{JsonOutput, SharedWriter, Stream};

/// Whatever it is and wherever it is cut: every byte comes out once, one JSON object a line; what is read
/// off it is the same, bounded, and gives CI systems no command.
pub fn terraform_output(bytes: &[u8]) {
    let whole = [bytes];
    let parts = cut(bytes);
    for stream in [Stream::Stdout, Stream::Stderr] {
        let lines = as_json(stream, &whole);
        assert_eq!(lines, as_json(stream, &parts), "it depends on where it is cut");
        assert_carried(bytes, &lines);
    }
    assert_eq!(told(&whole), told(&parts), "it depends on where it is cut");
    let pages = noted(&whole);
    assert_eq!(pages, noted(&parts), "it depends on where it is cut");
}

/// Pieces whose lengths are drawn from what is in them.
fn cut(bytes: &[u8]) -> Vec<&[u8]> {
    let seed = bytes.iter().fold(bytes.len() as u64, |seed, byte| seed.wrapping_mul(31) + u64::from(*byte));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut rest = bytes;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rng.usize(1..=rest.len().min(40)));
        parts.push(part);
        rest = after;
    }
    parts
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn feed(mut sink: impl Sink, parts: &[&[u8]]) {
    parts.iter().for_each(|part| sink.chunk(part));
    sink.end();
}

fn as_json(stream: Stream, parts: &[&[u8]]) -> Vec<u8> {
    let memory = Memory::default();
    feed(JsonOutput::new(stream, SharedWriter::new(memory.clone()), now), parts);
    std::mem::take(&mut *memory.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A line of ours for each of the child's, in its words.
fn assert_carried(bytes: &[u8], written: &[u8]) {
    let printed = String::from_utf8_lossy(bytes);
    let mut printed = printed.split_inclusive('\n');
    for line in written.split_inclusive(|byte| *byte == b'\n') {
        let value = assert_json_line(line);
        let was = printed.next().unwrap_or_else(|| panic!("a line that was never printed: {value}"));
        let ours = value["type"] == "output" && value["@module"] == "tfguard";
        if was.as_bytes().trim_ascii_end() != line.trim_ascii_end() {
            assert!(ours, "not passed on as it is: {was:?}");
            let was = was.strip_suffix('\n').unwrap_or(was);
            assert_eq!(value["line"], was.strip_suffix('\r').unwrap_or(was));
        }
    }
    assert_eq!(printed.next(), None, "a line was lost");
}

fn told(parts: &[&[u8]]) -> (Option<Counts>, usize) {
    let tally = Tally::default();
    feed(Boxed(tally.of(Box::new(Nowhere))), parts);
    let (tell, mut told) = unbounded_channel();
    feed(Marker::new(Box::new(Nowhere), tell), parts);
    let interrupts = std::iter::from_fn(|| told.try_recv().ok()).count();
    assert!(interrupts <= 1);
    (tally.counts(), interrupts)
}

struct Boxed(Box<dyn Sink>);

impl Sink for Boxed {
    fn chunk(&mut self, bytes: &[u8]) {
        self.0.chunk(bytes);
    }

    fn end(&mut self) {
        self.0.end();
    }
}

/// What a CI system is told of it.
fn noted(parts: &[&[u8]]) -> (Option<String>, Vec<String>) {
    let subject = || Subject { command: "apply".into(), directory: "env/prod".into() };
    let desk = Desk::new(Site {
        system: System::GitHub,
        subject: subject(),
        json: false,
        summary: None,
        page: None,
        commands: None,
        token: "t".into(),
        now,
    });
    feed(Boxed(desk.listen(Box::new(Nowhere), Stream::Stdout, true)), parts);
    desk.noted(|note| {
        let page = summary::page(&subject(), note, 20_000);
        if let Some(page) = &page {
            assert!(page.len() <= 20_000, "{} bytes", page.len());
            assert_harmless(page);
        }
        let annotations = note.annotations(10);
        let annotations = annotations.iter().map(|found| {
            let file = found.file.as_deref().and_then(|file| command::place("env/prod", file));
            command::annotation(found, file.as_deref())
        });
        let annotations: Vec<String> = annotations.collect();
        annotations.iter().for_each(|made| super::text::assert_one_command(made));
        (page, annotations)
    })
}
