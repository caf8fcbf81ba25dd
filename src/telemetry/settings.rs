//! The environment of OpenTelemetry, as far as the SDK does not read it itself. Pure.

use std::time::Duration;

/// A signal of OpenTelemetry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    const fn word(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) traces: bool,
    pub(super) metrics: bool,
    /// The trace goes on from the one around us, and in the commands that we run.
    pub(super) propagates: bool,
    /// The user said how counts are to add up.
    pub(super) temporality_given: bool,
}

/// What the SDK takes when nothing is said.
const TIMEOUT: Duration = Duration::from_secs(10);

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

fn given(env: Env<'_>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What is wanted; `None`: nothing. That is so where no collector is named: it is not looked for on
/// this machine.
///
/// # Errors
/// What is wanted and cannot be had, a sentence.
pub(super) fn read(env: Env<'_>) -> Result<Option<Settings>, String> {
    if given(env, "OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let traces = wanted(env, Signal::Traces)?;
    let metrics = wanted(env, Signal::Metrics)?;
    let preference = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let propagates = given(env, "OTEL_PROPAGATORS")
        .is_none_or(|names| names.split(',').any(|name| name.trim() == "tracecontext"));
    let temporality_given = given(env, preference).is_some();
    let settings = Settings { traces, metrics, propagates, temporality_given };
    Ok((traces || metrics).then_some(settings))
}

fn wanted(env: Env<'_>, signal: Signal) -> Result<bool, String> {
    let word = signal.word();
    let exporter = format!("OTEL_{word}_EXPORTER");
    let named = match given(env, &exporter).as_deref() {
        Some("none") => return Ok(false),
        Some("otlp") => true,
        Some(other) => return Err(format!("{exporter}={other} is not known here; otlp and none are")),
        None => false,
    };
    let endpoint = |name: &str| given(env, name).is_some();
    let has_endpoint =
        endpoint(&format!("OTEL_EXPORTER_OTLP_{word}_ENDPOINT")) || endpoint("OTEL_EXPORTER_OTLP_ENDPOINT");
    if !named && !has_endpoint {
        return Ok(false);
    }
    let [own, common] =
        [format!("OTEL_EXPORTER_OTLP_{word}_PROTOCOL"), "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned()];
    match [own, common].into_iter().find_map(|name| Some((given(env, &name)?, name))) {
        Some((protocol, name)) if protocol != "http/protobuf" => Err(format!(
            "{name}={protocol} is not spoken here; http/protobuf is, which collectors take on port 4318"
        )),
        _ => Ok(true),
    }
}

/// How long one request may take.
pub(super) fn timeout(env: Env<'_>, signal: Signal) -> Duration {
    let word = signal.word();
    let own = given(env, &format!("OTEL_EXPORTER_OTLP_{word}_TIMEOUT"));
    let milliseconds =
        own.or_else(|| given(env, "OTEL_EXPORTER_OTLP_TIMEOUT")).and_then(|value| value.parse().ok());
    milliseconds.map_or(TIMEOUT, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<(bool, bool)>, String> {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        read(&env).map(|settings| settings.map(|settings| (settings.traces, settings.metrics)))
    }

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        for (variables, expected) in [
            (&[][..], None),
            (&[("OTEL_SERVICE_NAME", "x"), ("TRACEPARENT", "00-1-2-01")], None),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], None),
            (&[endpoint], Some((true, true))),
            (&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], None),
            (&[endpoint, ("OTEL_SDK_DISABLED", "no")], Some((true, true))),
            (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], Some((false, true))),
            (&[endpoint, ("OTEL_METRICS_EXPORTER", "none")], Some((true, false))),
            (&[endpoint, ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")], None),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/t")], Some((true, false))),
            (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c/m")], Some((false, true))),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], Some((true, false))),
            (&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Some((true, true))),
        ] {
            assert_eq!(of(variables), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        for (variable, says) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not spoken here"),
            (("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"), "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc"),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "OTEL_TRACES_EXPORTER=zipkin is not known here"),
        ] {
            assert!(of(&[endpoint, variable]).unwrap_err().starts_with(says), "{variable:?}");
        }
        // Where nothing is to be sent it does not matter.
        assert_eq!(of(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), Ok(None));
    }

    #[test]
    fn a_signals_own_timeout_wins() {
        let env = |name: &str| {
            [("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "500")]
                .into_iter()
                .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        assert_eq!(timeout(&env, Signal::Traces), Duration::from_millis(500));
        assert_eq!(timeout(&env, Signal::Metrics), Duration::from_secs(3));
        assert_eq!(timeout(&|_| None, Signal::Metrics), TIMEOUT);
    }
}
