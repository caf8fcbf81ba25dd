//! Metrics.

use serde_json::json;

use super::collector::{Collector, Manner};
use crate::support::project::Project;
use crate::support::run::Run;

#[test]
fn waiting_holding_and_outcomes_are_measured() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let script = project.script("works", "sleep 0.3; exit 2");
    collector
        .watches(Run::new(&project))
        .args(["exec", "--lock", "prod", "--store", "local", "--"])
        .arg(&script)
        .output()
        .exits(2);
    let wait = collector.points("tfguard.lock.wait.duration");
    assert_eq!(wait.len(), 1, "{wait:?}");
    assert_eq!((&wait[0].0["tfguard.lock.name"], wait[0].1), (&json!("prod"), 1));
    assert_eq!(wait[0].0["tfguard.outcome"], "acquired");
    let hold = collector.points("tfguard.lock.hold.duration");
    assert!(hold.len() == 1 && hold[0].1 == 1 && hold[0].2 >= 0.3, "{hold:?}");
    assert!(hold[0].0["tfguard.lock.store"].as_str().unwrap().starts_with("folder "));
    let runs = collector.points("tfguard.runs");
    assert_eq!(runs.len(), 1, "{runs:?}");
    for (name, value) in [
        ("tfguard.command", json!("exec")),
        ("tfguard.outcome", json!("failed")),
        ("process.exit.code", json!(2)),
    ] {
        assert_eq!(runs[0].0[name], value, "{name}");
    }
}

#[test]
fn a_signal_is_sent_where_its_own_variables_say() {
    let project = Project::empty();
    let words = ["exec", "--lock", "prod", "--store", "local", "--", "true"];
    let (traces, metrics) = (Collector::start(Manner::Takes), Collector::start(Manner::Takes));
    Run::new(&project)
        .args(words)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", traces.endpoint()))
        .env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("{}/v1/metrics", metrics.endpoint()))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=infra,authorization=Bearer%20s3cret")
        .env("OTEL_SERVICE_NAME", "pipelines")
        .output()
        .exits(0);
    assert!(traces.spans_of("pipelines").0.len() > 3 && metrics.points("tfguard.runs").len() == 1);
    assert!(traces.points("tfguard.runs").is_empty() && metrics.spans_of("pipelines").0.is_empty());
    for head in traces.heads().iter().chain(&metrics.heads()) {
        assert!(head.contains("x-team: infra") && head.contains("authorization: Bearer s3cret"), "{head}");
    }
    for (variable, sends) in
        [("OTEL_TRACES_EXPORTER", "/v1/metrics"), ("OTEL_METRICS_EXPORTER", "/v1/traces")]
    {
        let collector = Collector::start(Manner::Takes);
        collector.watches(Run::new(&project)).args(words).env(variable, "none").output().exits(0);
        let heads = collector.heads();
        assert!(!heads.is_empty() && heads.iter().all(|head| head.contains(sends)), "{variable}: {heads:?}");
    }
}
