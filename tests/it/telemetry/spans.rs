//! The spans of a run: parents, times, attributes, errors.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::collector::{Collector, Manner, attribute, attributes, events, failure};
use crate::support::project::Project;
use crate::support::run::Run;

fn run(project: &Project, collector: &Collector, words: &str) -> Run {
    collector.watches(Run::new(project)).args(words.split(' '))
}

fn within(inner: &Span, outer: &Span) -> bool {
    outer.start_time_unix_nano <= inner.start_time_unix_nano
        && inner.end_time_unix_nano <= outer.end_time_unix_nano
}

#[test]
fn a_run_of_phases_is_one_trace() {
    let (project, collector) = (Project::hello(), Collector::start(Manner::Takes));
    run(&project, &collector, "run --lock prod --store local --auto-approve").output().exits(0);
    let trace = collector.spans();
    let names =
        ["apply", "hold", "plan", "release", "terraform apply", "terraform plan", "tfguard run", "wait"];
    assert_eq!(trace.names(), names);
    let root = trace.one("tfguard run");
    assert!(root.parent_span_id.is_empty() && failure(root).is_none(), "{root:?}");
    for name in names {
        let span = trace.one(name);
        assert_eq!(span.trace_id, root.trace_id);
        assert!(within(span, root), "{name}");
        let parent = match name {
            "tfguard run" => "",
            "terraform plan" => "plan",
            "terraform apply" => "apply",
            _ => "tfguard run",
        };
        assert_eq!(trace.parent(span), parent, "{name}");
    }
    let ordered = ["wait", "plan", "apply", "release"].map(|name| trace.one(name));
    assert!(ordered.windows(2).all(|pair| pair[0].end_time_unix_nano <= pair[1].start_time_unix_nano));
    let hold = trace.one("hold");
    assert!(within(trace.one("plan"), hold) && within(trace.one("release"), hold));
    assert_eq!(hold.start_time_unix_nano, trace.one("wait").end_time_unix_nano);

    assert_eq!(attribute(root, "tfguard.command"), "run");
    assert_eq!(attribute(root, "tfguard.outcome"), "succeeded");
    assert_eq!(attribute(root, "process.exit.code"), 0);
    assert_eq!(attribute(root, "cicd.pipeline.task.run.result"), "success");
    assert_eq!(attribute(root, "tfguard.lock.names"), json!(["prod"]));
    assert_eq!(attribute(root, "tfguard.changes.add"), 1);
    assert_eq!(attribute(hold, "tfguard.lock.name"), "prod");
    assert!(attribute(hold, "tfguard.lock.store").as_str().unwrap().starts_with("folder "));
    assert!(attribute(hold, "tfguard.lock.generation").is_i64());
    assert_eq!(attribute(trace.one("plan"), "tfguard.phase.result"), "changes");
    let command = trace.one("terraform plan");
    // It exits with 2 since there are changes, which is no error.
    assert_eq!((attribute(command, "process.exit.code"), failure(command)), (json!(2), None));
    assert!(attribute(command, "process.pid").as_i64().unwrap() > 1);
    assert_eq!(attribute(command, "process.command_args")[0], "terraform");
}

#[test]
fn a_command_that_fails_is_an_error() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let script = project.script("fails", "exit 3");
    collector
        .watches(Run::new(&project))
        .args(["exec", "--lock", "prod", "--store", "local", "--"])
        .arg(&script)
        .output()
        .exits(3);
    let trace = collector.spans();
    let (root, command) = (trace.one("tfguard run"), trace.one("fails"));
    assert_eq!(failure(command), Some("exit code 3"));
    assert_eq!(failure(root), Some("failed"));
    assert_eq!(attribute(root, "process.exit.code"), 3);
    assert_eq!(attribute(root, "cicd.pipeline.task.run.result"), "failure");
    assert_eq!(attribute(root, "error.type"), "failed");
    assert_eq!(trace.parent(command), "tfguard run");
    // The lock is none of it.
    assert!(failure(trace.one("hold")).is_none() && failure(trace.one("release")).is_none());
}

#[test]
fn what_was_refused_before_the_lock_is_a_trace_too() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    run(&project, &collector, "exec --lock prod --store local -- no-such-program").output().exits(127);
    let trace = collector.spans();
    assert_eq!(trace.names(), ["tfguard run"]);
    let root = trace.one("tfguard run");
    assert!(failure(root).unwrap().contains("no-such-program"), "{root:?}");
    assert_eq!(attributes(&events(root, "error")[0].attributes)["tfguard.message"], failure(root).unwrap());
}

#[test]
fn who_waits_and_gives_up_tells_of_the_wait() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let lock = ["exec", "--lock", "prod", "--store", "local"];
    let script = project.script("holds", "echo > held; until [ -e let-go ]; do sleep 0.05; done");
    let mut holder = Run::new(&project).args(lock).arg("--").arg(&script).start();
    holder.wait_until("the holder", |_| project.path("held").exists().then_some(()));
    collector
        .watches(Run::new(&project))
        .args(lock)
        .args(["--wait-timeout", "1s", "--", "true"])
        .output()
        .exits(75);
    project.write("let-go", "");
    holder.finish().exits(0);
    let trace = collector.spans();
    assert_eq!(trace.names(), ["tfguard run", "wait"]);
    let wait = trace.one("wait");
    assert!(
        Duration::from_nanos(wait.end_time_unix_nano - wait.start_time_unix_nano) >= Duration::from_secs(1)
    );
    assert!(failure(wait).unwrap().contains("lock prod is held by"), "{wait:?}");
    let queued = events(wait, "queued");
    assert_eq!(attributes(&queued[0].attributes)["tfguard.queue.holders"], 1);
    let root = trace.one("tfguard run");
    assert_eq!(attribute(root, "tfguard.outcome"), "not_acquired");
    assert_eq!(attribute(root, "cicd.pipeline.task.run.result"), "timeout");
}

#[test]
fn a_cancelled_run_tells_of_the_signal() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let script = project.script("holds", "trap 'exit 9' INT; echo > held; while :; do sleep 0.05; done");
    let lock = ["exec", "--lock", "prod", "--store", "local", "--"];
    let mut run = collector.watches(Run::new(&project)).args(lock).arg(&script).start();
    run.wait_until("the command", |_| project.path("held").exists().then_some(()));
    kill_process(run.pid(), Signal::TERM).unwrap();
    run.finish().exits(9);
    let trace = collector.spans();
    let root = trace.one("tfguard run");
    let signal = attributes(&events(root, "signal")[0].attributes);
    assert_eq!((&signal["tfguard.signal"], &signal["tfguard.action"]), (&json!("SIGTERM"), &json!("passed")));
    assert_eq!(attribute(root, "tfguard.outcome"), "cancelled");
    assert_eq!(attribute(root, "cicd.pipeline.task.run.result"), "cancellation");
    assert_eq!(failure(root), Some("cancelled"));
    assert_eq!(failure(trace.one("holds")), Some("exit code 9"));
}

#[test]
fn every_lock_has_spans_of_its_own() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    run(&project, &collector, "exec --lock b --lock a --store local -- true").output().exits(0);
    let trace = collector.spans();
    assert_eq!(trace.names(), ["hold", "hold", "release", "release", "tfguard run", "true", "wait", "wait"]);
    let locks = |name: &str| -> Vec<String> {
        trace
            .all(name)
            .into_iter()
            .map(|span| attribute(span, "tfguard.lock.name").as_str().unwrap().into())
            .collect()
    };
    // In the order in which they are taken.
    assert_eq!((locks("wait"), locks("hold")), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    let waits = trace.all("wait");
    assert_eq!(waits[0].end_time_unix_nano, waits[1].start_time_unix_nano);
}

#[test]
fn the_job_around_the_run_is_told() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    run(&project, &collector, "exec --lock prod --store local -- true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_REPOSITORY", "acme/infra")
        .env("GITHUB_SHA", "abc123")
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_WORKFLOW", "deploy")
        .env("GITHUB_JOB", "apply")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,service.version=9")
        .output()
        .exits(0);
    let spans = collector.resource(true);
    for (name, value) in [
        ("service.name", "tfguard"),
        ("service.version", "9"),
        ("deployment.environment.name", "prod"),
        ("cicd.pipeline.name", "deploy"),
        ("cicd.pipeline.run.id", "4711"),
        ("cicd.pipeline.task.name", "apply"),
        ("vcs.repository.name", "infra"),
        ("vcs.owner.name", "acme"),
        ("vcs.ref.head.revision", "abc123"),
    ] {
        assert_eq!(spans.get(name), Some(&json!(value)), "{name}");
    }
    let metrics = collector.resource(false);
    assert_eq!(metrics.get("deployment.environment.name"), Some(&json!("prod")));
    assert!(!metrics.contains_key("cicd.pipeline.run.id"), "a time series for each run");
}
