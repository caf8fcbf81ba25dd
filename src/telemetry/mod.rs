//! Traces and metrics of a run, for OpenTelemetry. Only with the feature `otel`, and then only where
//! the environment names a collector: else there is no thread and no cost.
//!
//! [`story`] makes of every event what is to be done with spans and instruments, purely; [`sdk`]
//! does it; [`export`] sets it up; [`send`] carries what the SDK exports over HTTP, on a thread of its own. Nothing here is
//! waited for but the last export, after the release and for a bound.
//!
//! [`settings`] reads `OTEL_…`, [`site`] what is known of the pipeline around us.

mod export;
mod sdk;
mod send;
mod settings;
mod site;
mod story;
mod words;

pub use sdk::Telemetry;
