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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use jiff::Timestamp;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::report::{Destination, Screen, SharedWriter};

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

    #[test]
    fn only_our_own_traces_are_shown() {
        let sink = Sink::default();
        let out = Destination::Text { out: SharedWriter::new(sink.clone()), screen: Screen::PLAIN };
        let reporter = Reporter::start(out, Level::Debug, None, || Timestamp::UNIX_EPOCH).unwrap();
        let subscriber = tracing_subscriber::registry().with(TraceLayer::new(reporter.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "tfguard::store", attempt = 2, "read");
            tracing::debug!(target: "aws_config", secret = "x", "credentials");
        });
        assert!(reporter.flush(Duration::from_secs(20)));
        let shown = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(shown, "tfguard: tfguard::store: read attempt=2\n");
    }
}
