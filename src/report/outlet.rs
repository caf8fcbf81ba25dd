//! Where a child's output goes, by the format.

use jiff::Timestamp;

use super::output::{JsonOutput, Stream};
use super::shared::SharedWriter;
use crate::child::{Passthrough, Sink};

/// The way out for the children of one run.
#[derive(Debug)]
pub struct Outlet(Form);

#[derive(Debug)]
enum Form {
    Text,
    Json { out: SharedWriter, now: fn() -> Timestamp },
}

impl Outlet {
    /// Byte for byte on our own streams.
    pub fn text() -> Self {
        Self(Form::Text)
    }

    /// NDJSON on `out`, which our own lines share; `now` stamps what is wrapped.
    pub fn json(out: SharedWriter, now: fn() -> Timestamp) -> Self {
        Self(Form::Json { out, now })
    }

    /// Whether children may write to our streams themselves.
    pub fn is_text(&self) -> bool {
        matches!(self.0, Form::Text)
    }

    /// What takes the bytes of one stream of a child.
    pub fn sink(&self, stream: Stream) -> Box<dyn Sink> {
        match &self.0 {
            Form::Text => Box::new(match stream {
                Stream::Stdout => Passthrough::stdout(),
                Stream::Stderr => Passthrough::stderr(),
            }),
            Form::Json { out, now } => Box::new(JsonOutput::new(stream, out.clone(), *now)),
        }
    }
}
