//! A trace of our own work, for those who look for a fault or for time: `TFGUARD_TRACE=1`.
//!
//! Phases of the start and every call of a store are spans of `tracing`. With the variable set they
//! are lines on stderr, each with the time since we were started and, at its end, how long it took
//! (`busy` on the processor's time, `idle` waiting). Without it they cost a look at a flag.

use std::fmt;
use std::io::Write;
use std::sync::OnceLock;

use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{FmtSpan, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

use crate::clock::SystemClock;
use crate::lease::Instant;
use crate::report::SharedWriter;
use crate::report::text::PREFIX;

/// The variable.
pub const VARIABLE: &str = "TFGUARD_TRACE";

/// When we were started.
static BEGINNING: OnceLock<Instant> = OnceLock::new();

/// From here on, if `wish`, the value of [`VARIABLE`], asks for it.
pub fn start(wish: Option<&str>) {
    if wish.is_none_or(|wish| matches!(wish.trim(), "" | "0" | "false" | "no" | "off")) {
        return;
    }
    let _ = BEGINNING.set(SystemClock.mono());
    // Somebody else's subscriber can only be a test's.
    let _ = tracing::subscriber::set_global_default(subscriber(Stderr));
}

fn subscriber(to: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl Subscriber + Send + Sync {
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .event_format(Line)
        .with_writer(to);
    tracing_subscriber::registry().with(layer.with_filter(filter::filter_fn(is_ours)))
}

/// An SDK's own traces could hold credentials.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "tfguard" || metadata.target().starts_with("tfguard::")
}

/// One line: the time, the spans that it is in, what it says.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let since = BEGINNING.get().map(|beginning| SystemClock.mono().since(*beginning)).unwrap_or_default();
        write!(writer, "{PREFIX}trace {:9.3} ms ", since.as_secs_f64() * 1000.0)?;
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            write!(writer, "{}", span.name())?;
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<tracing_subscriber::fmt::FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(writer, "{{{fields}}}")?;
            }
            write!(writer, ": ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Our stderr, a whole line at a time.
struct Stderr;

impl MakeWriter<'_> for Stderr {
    type Writer = Whole;

    fn make_writer(&self) -> Self::Writer {
        Whole
    }
}

struct Whole;

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A closed stream ends nothing.
        let _ = SharedWriter::stderr().write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

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
    fn our_own_spans_are_lines_with_their_times() {
        let sink = Sink::default();
        let into = sink.clone();
        tracing::subscriber::with_default(subscriber(move || into.clone()), || {
            let outer =
                tracing::debug_span!(target: "tfguard::store", "swap", lock = ?"a\n\u{1b}b").entered();
            tracing::debug!(target: "tfguard::store", attempt = 2, "again");
            tracing::debug!(target: "aws_config", secret = "x", "credentials");
            drop(outer);
        });
        let shown = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(lines.iter().all(|line| line.starts_with("tfguard: trace ")), "{shown}");
        assert!(lines[0].ends_with("swap{lock=\"a\\n\\u{1b}b\"}: again attempt=2"), "{shown}");
        assert!(lines[1].contains(": close time.busy="), "{shown}");
    }
}
