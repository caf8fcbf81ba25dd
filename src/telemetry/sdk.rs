//! Does what the story says, with the SDK of OpenTelemetry.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, KeyValue, StringValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::export::{Complaint, providers};
use super::settings;
use super::site;
use super::story::{Key, Step, Story};
use super::words::{self, Attribute, Value};
use crate::clock::SystemClock;
use crate::lease::Identity;
use crate::report::event::{Event, Level};
use crate::report::{Listener, Reporter};

/// The name of what speaks, for who receives it.
const SCOPE: &str = "tfguard";

/// Traces and metrics of one run. Hears what the reporter says.
#[derive(Debug)]
pub struct Telemetry {
    work: Mutex<Work>,
    tracers: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
    complaint: Arc<Complaint>,
    propagates: bool,
    now: fn() -> Timestamp,
}

#[derive(Debug)]
struct Work {
    story: Story,
    tracer: Option<SdkTracer>,
    instruments: Option<Instruments>,
    /// The trace that goes on in ours.
    around: Context,
    open: Vec<(Key, opentelemetry_sdk::trace::Span)>,
}

#[derive(Debug)]
struct Instruments {
    wait: Histogram<f64>,
    hold: Histogram<f64>,
    runs: Counter<u64>,
}

impl Telemetry {
    /// For a run of `command` that began `at`, if the environment asks for it. What it asks for and
    /// cannot be had is a warning, and nothing is sent.
    pub fn start(
        command: &'static str,
        at: Timestamp,
        identity: &Identity,
        env: &dyn Fn(&str) -> Option<String>,
        reporter: &Reporter,
        now: fn() -> Timestamp,
    ) -> Option<Arc<Self>> {
        let warn = |why: &str| {
            let text = format!("no traces or metrics are sent: {why}; the run is not affected");
            reporter.emit(Event::say(Level::Warn, text));
        };
        let settings = settings::read(env).map_err(|why| warn(&why)).ok()??;
        let complaint = Arc::new(Complaint::new(reporter.clone()));
        let site = site::attributes(identity, env);
        match providers(settings, &site, env, &complaint) {
            Ok((tracers, meters)) => {
                let (story, first) = Story::begin(command, at, Vec::new());
                let mut work = Work {
                    story,
                    tracer: tracers.as_ref().map(|provider| provider.tracer(SCOPE)),
                    instruments: meters.as_ref().map(Instruments::new),
                    around: if settings.propagates { around(env) } else { Context::new() },
                    open: Vec::new(),
                };
                work.take(first);
                let propagates = settings.propagates;
                Some(Arc::new(Self { work: Mutex::new(work), tracers, meters, complaint, propagates, now }))
            }
            Err(why) => {
                warn(&why);
                None
            }
        }
    }

    /// Sends what is left, for `bound` at most. What is not sent by then is lost.
    pub fn finish(&self, bound: Duration) {
        let (done, all_done) = channel();
        let mut expected = 0;
        if let Some(tracers) = self.tracers.clone() {
            expected += 1;
            flush(done.clone(), move || tracers.force_flush());
        }
        if let Some(meters) = self.meters.clone() {
            expected += 1;
            flush(done, move || meters.force_flush());
        }
        let begun = SystemClock.mono();
        for _ in 0..expected {
            let left = bound.saturating_sub(SystemClock.mono().since(begun));
            if all_done.recv_timeout(left).is_err() {
                self.complaint.tell(&format!("the collector did not take them within {} s", bound.as_secs()));
                return;
            }
        }
    }
}

/// On a thread of its own: the SDK keeps its own time, which is longer than ours.
fn flush(done: std::sync::mpsc::Sender<()>, run: impl FnOnce() -> OTelSdkResult + Send + 'static) {
    let run = move || {
        // A failure has been told by the exporter.
        let _ = run();
        let _ = done.send(());
    };
    // Without a thread the sender is dropped, and the wait is over.
    drop(std::thread::Builder::new().name("telemetry flush".into()).spawn(run));
}

impl Listener for Telemetry {
    fn hear(&self, event: &Event, at: Timestamp) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        for step in work.story.hear(event, at) {
            work.take(step);
        }
    }

    fn for_child(&self) -> Vec<(OsString, OsString)> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = work.story.before_command((self.now)()) {
            work.take(step);
        }
        let context = work.context(&Key::Command).filter(|context| self.propagates && context.is_valid());
        let mut carrier = HashMap::new();
        if let Some(context) = context {
            let context = Context::new().with_remote_span_context(context);
            TraceContextPropagator::new().inject_context(&context, &mut carrier);
        }
        let set = carrier.into_iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| (name.to_uppercase().into(), value.into())).collect()
    }
}

impl Work {
    fn context(&self, key: &Key) -> Option<SpanContext> {
        let (_, span) = self.open.iter().rev().find(|(open, _)| open == key)?;
        Some(span.span_context().clone())
    }

    fn span(&mut self, key: &Key) -> Option<&mut opentelemetry_sdk::trace::Span> {
        let found = self.open.iter_mut().rev().find(|(open, _)| open == key);
        found.map(|(_, span)| span)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Start { key, parent, name, at, attributes } => {
                let parent = match parent.and_then(|parent| self.context(&parent)) {
                    Some(parent) => Context::new().with_remote_span_context(parent),
                    None => self.around.clone(),
                };
                let Some(tracer) = &self.tracer else { return };
                let builder = SpanBuilder::from_name(name)
                    .with_kind(SpanKind::Internal)
                    .with_start_time(SystemTime::from(at))
                    .with_attributes(key_values(attributes));
                let span = tracer.build_with_context(builder, &parent);
                self.open.push((key, span));
            }
            Step::Set { key, name, attributes } => {
                let Some(span) = self.span(&key) else { return };
                span.set_attributes(key_values(attributes));
                if let Some(name) = name {
                    span.update_name(name);
                }
            }
            Step::Note { key, name, at, attributes } => {
                let key = if self.context(&key).is_some() { key } else { Key::Run };
                let Some(span) = self.span(&key) else { return };
                span.add_event_with_timestamp(name, SystemTime::from(at), key_values(attributes));
            }
            Step::End { key, at, failed, attributes } => {
                let Some(place) = self.open.iter().rposition(|(open, _)| *open == key) else { return };
                let (_, mut span) = self.open.remove(place);
                span.set_attributes(key_values(attributes));
                if let Some(why) = failed {
                    span.set_status(Status::error(why));
                }
                span.end_with_timestamp(SystemTime::from(at));
            }
            Step::Measure { instrument, seconds, attributes } => {
                let Some(instruments) = &self.instruments else { return };
                let attributes = key_values(attributes);
                match (instrument, seconds) {
                    (words::WAIT, Some(seconds)) => instruments.wait.record(seconds, &attributes),
                    (words::HOLD, Some(seconds)) => instruments.hold.record(seconds, &attributes),
                    _ => instruments.runs.add(1, &attributes),
                }
            }
        }
    }
}

impl Instruments {
    fn new(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter(SCOPE);
        let histogram = |name, what| {
            let bounds = words::BOUNDS.to_vec();
            meter.f64_histogram(name).with_unit("s").with_description(what).with_boundaries(bounds).build()
        };
        Self {
            wait: histogram(words::WAIT, "How long a lock was waited for."),
            hold: histogram(words::HOLD, "How long a lock was held."),
            runs: meter
                .u64_counter(words::RUNS)
                .with_unit("{run}")
                .with_description("Runs that are over.")
                .build(),
        }
    }
}

pub(super) fn key_values(attributes: Vec<Attribute>) -> Vec<KeyValue> {
    let value = |value| match value {
        Value::Text(text) => opentelemetry::Value::from(text),
        Value::Number(number) => number.into(),
        Value::Truth(truth) => truth.into(),
        Value::List(list) => {
            opentelemetry::Value::Array(Array::String(list.into_iter().map(StringValue::from).collect()))
        }
    };
    attributes.into_iter().map(|(name, given)| KeyValue::new(name, value(given))).collect()
}

/// The trace that `TRACEPARENT` and `TRACESTATE` tell of.
fn around(env: &dyn Fn(&str) -> Option<String>) -> Context {
    let carrier: HashMap<String, String> = ["traceparent", "tracestate"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), env(&name.to_uppercase())?)))
        .collect();
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}
