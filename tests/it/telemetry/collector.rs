//! A collector on loopback that speaks OTLP over HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::trace::v1::{Span, span::Event, status::StatusCode};
use prost::Message;
use serde_json::{Value, json};

use crate::support::http::{Reply, Request, Server, answer};
use crate::support::run::Run;

/// What it does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It takes everything.
    Takes,
    /// It takes the request and never answers.
    Hangs,
    /// It answers with this status.
    Answers(u16),
}

/// The collector, stopped on drop.
pub(super) struct Collector {
    server: Server,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    heads: Vec<String>,
}

impl Collector {
    pub(super) fn start(manner: Manner) -> Self {
        let received = Arc::new(Mutex::new(Received::default()));
        let into = received.clone();
        Self { server: Server::start(move |request| take(&request, manner, &into)), received }
    }

    pub(super) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The run sends what it has to send here.
    pub(super) fn watches(&self, run: Run) -> Run {
        run.env("OTEL_EXPORTER_OTLP_ENDPOINT", self.endpoint())
    }

    /// The heads of all requests.
    pub(super) fn heads(&self) -> Vec<String> {
        self.received.lock().unwrap().heads.clone()
    }

    /// Waits until something has come, at whatever path.
    pub(super) fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.heads().is_empty() {
            assert!(Instant::now() < deadline, "nothing came");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All spans of the service called `service`.
    pub(super) fn spans_of(&self, service: &str) -> Trace {
        let received = self.received.lock().unwrap();
        let resources = received.traces.iter().flat_map(|request| &request.resource_spans);
        let of_service = resources.filter(|spans| {
            let resource = spans.resource.as_ref().map(|resource| attributes(&resource.attributes));
            resource.is_some_and(|resource| resource.get("service.name") == Some(&json!(service)))
        });
        let spans = of_service.flat_map(|spans| &spans.scope_spans).flat_map(|scope| scope.spans.clone());
        Trace(spans.collect())
    }

    pub(super) fn spans(&self) -> Trace {
        self.spans_of("tfguard")
    }

    /// The attributes of the resource that spans (`false`: metrics) are of.
    pub(super) fn resource(&self, of_spans: bool) -> HashMap<String, Value> {
        let received = self.received.lock().unwrap();
        let resource = match of_spans {
            true => received.traces.first().unwrap().resource_spans[0].resource.clone(),
            false => received.metrics.first().unwrap().resource_metrics[0].resource.clone(),
        };
        attributes(&resource.unwrap().attributes)
    }

    /// The points of a metric: attributes, count, sum. `None`: it did not come.
    pub(super) fn points(&self, name: &str) -> Vec<(HashMap<String, Value>, u64, f64)> {
        let received = self.received.lock().unwrap();
        let scopes = received.metrics.iter().flat_map(|request| &request.resource_metrics);
        let metrics: Vec<&Metric> =
            scopes.flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics).collect();
        let mut points = Vec::new();
        for metric in metrics.iter().filter(|metric| metric.name == name) {
            match metric.data.as_ref().unwrap() {
                metric::Data::Histogram(histogram) => {
                    assert_eq!(metric.unit, "s");
                    assert_eq!(histogram.aggregation_temporality, 1, "delta");
                    points.extend(histogram.data_points.iter().map(|point| {
                        (attributes(&point.attributes), point.count, point.sum.unwrap_or_default())
                    }));
                }
                metric::Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    assert_eq!(sum.aggregation_temporality, 1, "delta");
                    points
                        .extend(sum.data_points.iter().map(|point| (attributes(&point.attributes), 1, 0.0)));
                }
                other => panic!("{other:?}"),
            }
        }
        points
    }
}

fn take(request: &Request, manner: Manner, into: &Mutex<Received>) -> Reply {
    let mut received = into.lock().unwrap();
    received.heads.push(request.head.clone());
    match manner {
        Manner::Takes => {}
        Manner::Hangs => return Reply::Hang,
        Manner::Answers(status) => return answer(status, "no"),
    }
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    match request.target() {
        "/v1/traces" => received.traces.push(Message::decode(request.body()).unwrap()),
        "/v1/metrics" => received.metrics.push(Message::decode(request.body()).unwrap()),
        other => panic!("{other}"),
    }
    answer(200, "")
}

/// Attributes as JSON.
pub(super) fn attributes(list: &[KeyValue]) -> HashMap<String, Value> {
    list.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, value))).collect()
}

fn value(any: &AnyValue) -> Value {
    match any.value.as_ref() {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::BoolValue(truth)) => json!(truth),
        Some(any_value::Value::ArrayValue(array)) => array.values.iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}

/// Spans that came.
#[derive(Debug)]
pub(super) struct Trace(pub(super) Vec<Span>);

impl Trace {
    /// The only span of this name.
    #[track_caller]
    pub(super) fn one(&self, name: &str) -> &Span {
        let found = self.all(name);
        assert_eq!(found.len(), 1, "{name} among {:?}", self.names());
        found[0]
    }

    pub(super) fn all(&self, name: &str) -> Vec<&Span> {
        let mut found: Vec<_> = self.0.iter().filter(|span| span.name == name).collect();
        found.sort_by_key(|span| span.start_time_unix_nano);
        found
    }

    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The name of the span that this one is below.
    #[track_caller]
    pub(super) fn parent(&self, span: &Span) -> &str {
        let parent = self.0.iter().find(|other| other.span_id == span.parent_span_id);
        parent.map(|parent| parent.name.as_str()).unwrap_or_default()
    }
}

/// Why a span is an error.
pub(super) fn failure(span: &Span) -> Option<&str> {
    let status = span.status.as_ref()?;
    (status.code == StatusCode::Error as i32).then_some(status.message.as_str())
}

pub(super) fn attribute(span: &Span, name: &str) -> Value {
    attributes(&span.attributes).remove(name).unwrap_or(Value::Null)
}

pub(super) fn events<'a>(span: &'a Span, name: &str) -> Vec<&'a Event> {
    span.events.iter().filter(|event| event.name == name).collect()
}
