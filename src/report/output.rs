//! The child's output in the NDJSON format: lines that are Terraform's own JSON pass as they are,
//! everything else is wrapped, so that stdout holds one JSON object a line and nothing else.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::json;
use super::shared::SharedWriter;
use crate::child::Sink;

/// A line longer than this many bytes is split.
pub const MAX_LINE: usize = 1 << 20;

/// Which stream of the child a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
}

impl JsonOutput {
    /// Lines go to `out`, which is shared with our own; `now` stamps those that are wrapped.
    pub fn new(stream: Stream, out: SharedWriter, now: fn() -> Timestamp) -> Self {
        Self { stream, out, now, pending: Vec::new(), split: false, batch: Vec::new() }
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

    fn wrap(&mut self, text: &[u8]) {
        let line = String::from_utf8_lossy(text);
        let wrapped = Wrapped {
            level: "info",
            message: &line,
            module: json::MODULE,
            timestamp: json::timestamp((self.now)()),
            kind: "output",
            stream: self.stream,
            line: &line,
        };
        self.batch.append(&mut json::to_bytes(&wrapped));
        self.batch.push(b'\n');
    }

    fn write(&mut self) {
        if !self.batch.is_empty() {
            // A closed stdout does not end the run: the writer swallows what comes after.
            let _ = self.out.write(&self.batch);
            self.batch.clear();
        }
    }
}

#[derive(Serialize)]
struct Wrapped<'a> {
    #[serde(rename = "@level")]
    level: &'static str,
    #[serde(rename = "@message")]
    message: &'a str,
    #[serde(rename = "@module")]
    module: &'static str,
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(rename = "type")]
    kind: &'static str,
    stream: Stream,
    line: &'a str,
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
