//! Where a child's output goes, by the format.

use jiff::Timestamp;

use super::output::{JsonOutput, Stream};
use super::shared::SharedWriter;
use crate::child::{Passthrough, Sink};
use crate::ci::Desk;

/// The way out for the children of one run.
#[derive(Debug)]
pub struct Outlet {
    form: Form,
    desk: Option<Desk>,
}

#[derive(Debug)]
enum Form {
    Text,
    Json { out: SharedWriter, now: fn() -> Timestamp },
}

impl Outlet {
    /// Byte for byte on our own streams.
    pub fn text() -> Self {
        Self { form: Form::Text, desk: None }
    }

    /// NDJSON on `out`, which our own lines share; `now` stamps what is wrapped.
    pub fn json(out: SharedWriter, now: fn() -> Timestamp) -> Self {
        Self { form: Form::Json { out, now }, desk: None }
    }

    /// The same, with a CI system's desk beside it.
    #[must_use]
    pub fn beside(self, desk: Option<Desk>) -> Self {
        Self { desk, ..self }
    }

    /// The desk of the CI system, where we work with one.
    pub fn desk(&self) -> Option<&Desk> {
        self.desk.as_ref()
    }

    /// Whether children may write to our streams themselves.
    pub fn is_text(&self) -> bool {
        matches!(self.form, Form::Text)
    }

    /// What takes the bytes of one stream of a child. `terraform`: its words are Terraform's.
    pub fn sink(&self, stream: Stream, terraform: bool) -> Box<dyn Sink> {
        let sink = self.plain(stream);
        match &self.desk {
            Some(desk) => desk.listen(sink, stream, terraform),
            None => sink,
        }
    }

    fn plain(&self, stream: Stream) -> Box<dyn Sink> {
        match &self.form {
            Form::Text => Box::new(match stream {
                Stream::Stdout => Passthrough::stdout(),
                Stream::Stderr => Passthrough::stderr(),
            }),
            Form::Json { out, now } => Box::new(JsonOutput::new(stream, out.clone(), *now)),
        }
    }
}
