//! What the code traces, shown with `-v`: `tracing` events of this crate become debug events.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::event::{Event, Level};
use super::reporter::Reporter;

/// A layer for [`tracing_subscriber::Registry`]. Events of other crates are left out: an SDK's
/// could hold credentials.
#[derive(Debug)]
pub struct TraceLayer(Reporter);

impl TraceLayer {
    /// Says through `reporter` whatever is traced.
    pub fn new(reporter: Reporter) -> Self {
        Self(reporter)
    }
}

impl<S: Subscriber> Layer<S> for TraceLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let target = metadata.target();
        self.0.wants(Level::Debug) && (target == "tfguard" || target.starts_with("tfguard::"))
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let summary = format!("{}: {}{}", event.metadata().target(), text.message, text.fields);
        self.0.emit(Event::say(Level::Debug, summary));
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
