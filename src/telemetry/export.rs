//! What is exported, and by whom: the SDK's providers, set up by the environment, and the one
//! complaint when something was not sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};

use super::sdk::key_values;
use super::send::Courier;
use super::settings::{self, Settings, Signal};
use super::words::Attribute;
use crate::report::Reporter;
use crate::report::event::{Event, Level};

/// Those of both signals, as far as they are wanted.
type Providers = (Option<SdkTracerProvider>, Option<SdkMeterProvider>);

/// What makes spans and instruments and sends them.
///
/// # Errors
/// What is wrong with the settings, in the SDK's words.
pub(super) fn providers(
    settings: Settings,
    site: &[Attribute],
    env: &dyn Fn(&str) -> Option<String>,
    complaint: &Arc<Complaint>,
) -> Result<Providers, String> {
    let tracers = settings.traces.then(|| {
        let courier = Arc::new(Courier::new(settings::timeout(env, Signal::Traces)));
        let exporter = SpanExporter::builder().with_http().with_http_client(Shared(courier.clone())).build();
        let inner = exporter.map_err(|error| error.to_string())?;
        let exporter = Told { inner, courier, complaint: complaint.clone() };
        let resource = resource(site, env);
        Ok::<_, String>(
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build(),
        )
    });
    let meters = settings.metrics.then(|| {
        let courier = Arc::new(Courier::new(settings::timeout(env, Signal::Metrics)));
        let mut builder = MetricExporter::builder();
        if !settings.temporality_given {
            // Every run is a process of its own: its counts begin and end with it.
            builder = builder.with_temporality(Temporality::Delta);
        }
        let exporter = builder.with_http().with_http_client(Shared(courier.clone())).build();
        let inner = exporter.map_err(|error| error.to_string())?;
        let exporter = Told { inner, courier, complaint: complaint.clone() };
        Ok::<_, String>(
            SdkMeterProvider::builder()
                .with_periodic_exporter(exporter)
                .with_resource(resource(&[], env))
                .build(),
        )
    });
    Ok((tracers.transpose()?, meters.transpose()?))
}

/// What the user says in `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` wins.
fn resource(site: &[Attribute], env: &dyn Fn(&str) -> Option<String>) -> Resource {
    let ours = [
        KeyValue::new("service.name", "tfguard"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", crate::session::id()),
    ];
    let builder = Resource::builder_empty()
        .with_attributes(ours)
        .with_attributes(key_values(site.to_vec()))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match env("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
        Some(name) => builder.with_service_name(name).build(),
        None => builder.build(),
    }
}

/// Says once that something was not sent.
#[derive(Debug)]
pub(super) struct Complaint {
    reporter: Reporter,
    told: AtomicBool,
}

impl Complaint {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self { reporter, told: AtomicBool::new(false) }
    }

    pub(super) fn tell(&self, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let why = crate::escape::field(why);
            let text = format!("traces or metrics were not sent: {why}; the run is not affected");
            self.reporter.emit(Event::say(Level::Warn, text));
        }
    }
}

/// An exporter whose failures are told.
#[derive(Debug)]
struct Told<E> {
    inner: E,
    courier: Arc<Courier>,
    complaint: Arc<Complaint>,
}

impl<E> Told<E> {
    fn judge(&self, result: OTelSdkResult) -> OTelSdkResult {
        if let Err(error) = &result {
            self.complaint.tell(&self.courier.trouble().unwrap_or_else(|| error.to_string()));
        }
        result
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Told<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = opentelemetry_sdk::trace::SpanExporter::export(&self.inner, batch).await;
        self.judge(result)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        opentelemetry_sdk::trace::SpanExporter::shutdown_with_timeout(&self.inner, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut self.inner, resource);
    }
}

impl PushMetricExporter for Told<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.judge(result)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

/// One courier, for the SDK and for us.
#[derive(Debug)]
struct Shared(Arc<Courier>);

#[async_trait]
impl HttpClient for Shared {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.0.send_bytes(request).await
    }
}
