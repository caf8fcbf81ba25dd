//! The child's output in the NDJSON format: lines that are Terraform's own JSON pass as they are,
//! everything else is wrapped, so that stdout holds one JSON object a line and nothing else.

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::json;
use super::plain::is_plain;
use super::shared::SharedWriter;
use crate::child::Sink;

/// A line longer than this many bytes is split.
pub const MAX_LINE: usize = 1 << 20;
/// So much is written at once: what a pipe holds on Linux, and no more, so that it is still in the
/// processor's cache when the reader takes it.
const BATCH: usize = 1 << 16;

/// Which stream of the child a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Terraform's JSON lines are on this one.
    Stdout,
    /// Always wrapped.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Turns the bytes of one stream of the child into lines of NDJSON. Memory stays below a few
/// times [`MAX_LINE`] plus the largest chunk.
pub struct JsonOutput {
    stream: Stream,
    out: SharedWriter,
    now: fn() -> Timestamp,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Part of the pending line has been written: what follows is not a JSON line, whatever it
    /// looks like.
    split: bool,
    /// Lines ready to be written, whole ones only.
    batch: Vec<u8>,
    /// What stands between the two texts of a line: its time is that of the chunk. Empty until a line
    /// of it needed one.
    middle: Vec<u8>,
}

impl JsonOutput {
    /// Lines go to `out`, which is shared with our own; `now` stamps those that are wrapped.
    pub fn new(stream: Stream, out: SharedWriter, now: fn() -> Timestamp) -> Self {
        Self { stream, out, now, pending: Vec::new(), split: false, batch: Vec::new(), middle: Vec::new() }
    }

    /// Adds to the pending line, and writes off its first [`MAX_LINE`] bytes while it is longer.
    fn extend(&mut self, mut bytes: &[u8]) {
        while self.pending.len() + bytes.len() > MAX_LINE {
            let room = MAX_LINE - self.pending.len();
            self.pending.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            if bytes == b"\n" {
                break;
            }
            let cut = char_boundary(&self.pending);
            let rest = self.pending.split_off(cut);
            let piece = std::mem::replace(&mut self.pending, rest);
            self.split = true;
            self.wrap(&piece);
            self.write();
        }
        self.pending.extend_from_slice(bytes);
    }

    /// One line, with its newline unless it is the last of the stream.
    fn line(&mut self, line: &[u8]) {
        let whole = !std::mem::take(&mut self.split);
        if whole && self.stream == Stream::Stdout && is_terraforms(line) {
            self.batch.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.batch.push(b'\n');
            }
            return;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        self.wrap(text.strip_suffix(b"\r").unwrap_or(text));
    }

    /// Written by hand: the parts that are the same for every line are most of it.
    fn wrap(&mut self, text: &[u8]) {
        if self.middle.is_empty() {
            let (stamp, stream) = (json::timestamp((self.now)()), self.stream.name());
            self.middle = format!(
                r#","@module":"{}","@timestamp":"{stamp}","type":"output","stream":"{stream}","line":"#,
                json::MODULE
            )
            .into_bytes();
        }
        self.batch.extend_from_slice(br#"{"@level":"info","@message":"#);
        let start = self.batch.len();
        if is_plain(text) {
            self.batch.push(b'"');
            self.batch.extend_from_slice(text);
            self.batch.push(b'"');
        } else {
            json::write(&mut self.batch, &String::from_utf8_lossy(text));
        }
        let end = self.batch.len();
        self.batch.extend_from_slice(&self.middle);
        self.batch.extend_from_within(start..end);
        self.batch.extend_from_slice(b"}\n");
    }

    fn write(&mut self) {
        if !self.batch.is_empty() {
            // A closed stdout does not end the run: the writer swallows what comes after.
            let _ = self.out.write(&self.batch);
            self.batch.clear();
        }
        self.middle.clear();
    }
}

/// Where to cut: at the end, or before a character whose last bytes have not come yet.
fn char_boundary(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let lead = bytes[tail..].iter().rposition(|byte| byte & 0xc0 != 0x80).map(|at| tail + at);
    let Some(lead) = lead.filter(|lead| *lead > 0) else { return bytes.len() };
    let length = match bytes[lead] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if lead + length > bytes.len() { lead } else { bytes.len() }
}

/// Whether a line is a JSON object in Terraform's envelope.
fn is_terraforms(line: &[u8]) -> bool {
    // Plain text is told apart without parsing it.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return false;
    }
    std::str::from_utf8(line).is_ok_and(|line| serde_json::from_str::<Envelope>(line).is_ok())
}

impl Sink for JsonOutput {
    /// Takes what the child wrote. All whole lines in it are written before this returns; it
    /// blocks while stdout does, and after stdout was closed it only drains.
    fn chunk(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.pending.is_empty() && line.len() <= MAX_LINE {
                self.line(line);
                if self.batch.len() >= BATCH {
                    self.write();
                }
                continue;
            }
            self.extend(line);
            let pending = std::mem::take(&mut self.pending);
            self.line(&pending);
            // The allocation is kept for the next line.
            self.pending = pending;
            self.pending.clear();
        }
        self.extend(bytes);
        self.write();
    }

    /// The child has closed the stream: writes a last line that has no newline.
    fn end(&mut self) {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.line(&pending);
        }
        self.write();
    }
}

#[derive(serde::Deserialize)]
struct Envelope {
    #[serde(rename = "@level")]
    _level: AnyString,
    #[serde(rename = "@message")]
    _message: AnyString,
}

/// Some string, which is not kept.
struct AnyString;

impl<'de> Deserialize<'de> for AnyString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl Visitor<'_> for Seen {
            type Value = AnyString;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<AnyString, E> {
                Ok(AnyString)
            }
        }

        deserializer.deserialize_str(Seen).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::child::Sink as _;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const OURS: &[u8] = b"{\"@level\":\"info\",\"@message\":\"a \\\"b\\\"\",\"x\":[1,{\"y\":null}]}";

    fn written(stream: Stream, chunks: &[&[u8]]) -> Vec<u8> {
        let sink = Sink::default();
        let mut output = JsonOutput::new(stream, SharedWriter::new(sink.clone()), || Timestamp::UNIX_EPOCH);
        chunks.iter().for_each(|chunk| output.chunk(chunk));
        output.end();
        drop(output);
        std::mem::take(&mut *sink.0.lock().unwrap())
    }

    /// The `line` of every line, each parsed back; a line that passed is shown as `=`.
    fn lines(stream: Stream, chunks: &[&[u8]]) -> Vec<String> {
        let written = String::from_utf8(written(stream, chunks)).unwrap();
        assert!(written.is_empty() || written.ends_with('\n'));
        written
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).unwrap();
                if value["type"] != "output" {
                    return "=".to_owned();
                }
                assert_eq!(value["@level"], "info");
                assert_eq!(value["@module"], "tfguard");
                assert_eq!(value["@timestamp"], "1970-01-01T00:00:00.000000Z");
                assert_eq!(value["@message"], value["line"]);
                assert_eq!(value["stream"], if stream == Stream::Stdout { "stdout" } else { "stderr" });
                value["line"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    #[test]
    fn terraforms_lines_pass_unchanged_whatever_the_chunks() {
        let mut text = [OURS, b"\n", OURS, b" \r\n"].concat();
        assert_eq!(written(Stream::Stdout, &[&text]), text);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(written(Stream::Stdout, &bytes), text);
        text.extend_from_slice(OURS);
        assert_eq!(written(Stream::Stdout, &[&text]), [&text[..], b"\n"].concat());
    }

    #[test]
    fn everything_else_is_wrapped() {
        for (text, expected) in [
            (&b"plain\n"[..], &["plain"][..]),
            (b"plain", &["plain"]),
            (b"\n\nx\r\n", &["", "", "x"]),
            (b"{\"a\":1}\n", &["{\"a\":1}"]),
            (b"{\"@level\":\"info\"}\n", &["{\"@level\":\"info\"}"]),
            (b"{\"@level\":1,\"@message\":\"x\"}\n", &["{\"@level\":1,\"@message\":\"x\"}"]),
            (
                b"{\"@level\":\"a\",\"@message\":\"b\"} trailing\n",
                &["{\"@level\":\"a\",\"@message\":\"b\"} trailing"],
            ),
            (b"[\"@level\",\"@message\"]\n", &["[\"@level\",\"@message\"]"]),
            (b"a\xffb\n", &["a\u{fffd}b"]),
            (b"::error::x\x1b[2J##[y]\n", &["::error::x\x1b[2J##[y]"]),
            (b"", &[]),
        ] {
            assert_eq!(lines(Stream::Stdout, &[text]), expected, "{text:?}");
        }
        assert_eq!(lines(Stream::Stderr, &[OURS, b"\n"]), [std::str::from_utf8(OURS).unwrap()]);
    }

    #[test]
    fn json_with_bytes_that_are_not_text_does_not_pass() {
        let line = b"{\"@level\":\"info\",\"@message\":\"a\",\"x\":\"\xff\"}\n";
        assert_eq!(
            lines(Stream::Stdout, &[line]),
            ["{\"@level\":\"info\",\"@message\":\"a\",\"x\":\"\u{fffd}\"}"]
        );
    }

    #[test]
    fn a_long_line_is_split_at_a_character() {
        for chunk in [1000, 70_000, 4 * MAX_LINE] {
            // One byte before, so that the limit falls into a character.
            let text = [b"x", "ü".repeat(MAX_LINE).as_bytes(), b"\nnext\n"].concat();
            let chunks: Vec<&[u8]> = text.chunks(chunk).collect();
            let lines = lines(Stream::Stdout, &chunks);
            let lengths: Vec<usize> = lines.iter().map(String::len).collect();
            assert_eq!(lengths, [MAX_LINE - 1, MAX_LINE, 2, 4], "chunks of {chunk}");
            assert!(!lines.concat().contains('\u{fffd}'));
            assert_eq!(lines[3], "next");
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let line = "x".repeat(MAX_LINE);
        for chunk in [MAX_LINE, MAX_LINE + 1, 1 << 16] {
            let text = format!("{line}\n");
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(chunk).collect();
            let lengths: Vec<usize> = lines(Stream::Stdout, &chunks).iter().map(String::len).collect();
            assert_eq!(lengths, [MAX_LINE], "chunks of {chunk}");
        }
    }

    #[test]
    fn the_rest_of_a_split_line_never_passes_for_terraforms() {
        let text = [&vec![b' '; MAX_LINE][..], OURS, b"\n", OURS, b"\n"].concat();
        let lines = lines(Stream::Stdout, &[&text]);
        assert_eq!(lines[1..], [std::str::from_utf8(OURS).unwrap(), "="]);
    }

    #[test]
    fn a_closed_stdout_is_drained_in_silence() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                assert_eq!(self.0, 0, "written to after an error");
                self.0 += bytes.len();
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut output =
            JsonOutput::new(Stream::Stdout, SharedWriter::new(Closed(0)), || Timestamp::UNIX_EPOCH);
        for _ in 0..3 {
            output.chunk(b"line\n");
        }
        output.end();
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_is_cut(
            text in prop::collection::vec(prop::sample::select(b"a{}\"\n\r:\xc3\xbc\xff".to_vec()), 0..200),
            cut in 1_usize..20,
        ) {
            let chunks: Vec<&[u8]> = text.chunks(cut).collect();
            let whole = lines(Stream::Stdout, &[&text]);
            prop_assert_eq!(lines(Stream::Stdout, &chunks), whole.clone());
            let mut expected: Vec<String> = text
                .split(|byte| *byte == b'\n')
                .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
                .collect();
            if text.last().is_none_or(|last| *last == b'\n') {
                expected.pop();
            }
            prop_assert_eq!(whole, expected);
        }
    }
}
