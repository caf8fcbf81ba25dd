//! A collector that is not there, hangs or refuses: nothing of the run depends on it.

use std::time::Instant;

use super::collector::{Collector, Manner};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

const WARNING: &str = "traces or metrics were not sent: ";

fn exec(project: &Project) -> Run {
    let script = project.script("works", "exit 3");
    Run::new(project).args(["exec", "--lock", "prod", "--store", "local", "--"]).arg(script)
}

/// The run's code is its command's, the lock is free, and there is one warning.
fn unaffected(project: &Project, finished: Finished, why: &str) {
    assert_eq!(finished.stderr.matches(WARNING).count(), 1, "{}", finished.stderr);
    let finished = finished.exits(3).says(&[why, "the run is not affected"]);
    let kinds = finished.kinds();
    let place = |kind: &str| kinds.iter().position(|other| *other == kind);
    assert!(place("lock_released") < place("run_summary"), "{kinds:?}");
    let status = Run::new(project).args(["status", "--check", "--lock", "prod", "--store", "local"]);
    status.output().exits(0);
}

#[test]
fn a_collector_that_is_down_changes_nothing() {
    let project = Project::empty();
    let run = exec(&project).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    unaffected(&project, run.output(), "Connection refused");
}

#[test]
fn a_collector_that_answers_with_an_error_changes_nothing() {
    for status in [400, 500] {
        let (project, collector) = (Project::empty(), Collector::start(Manner::Answers(status)));
        let finished = collector.watches(exec(&project)).output();
        unaffected(&project, finished, &format!("it answered with HTTP {status}"));
    }
}

/// What waits for it waits after the release, and not for long.
#[test]
fn a_collector_that_hangs_delays_neither_release_nor_end() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Hangs));
    let mut run = collector.watches(exec(&project)).start();
    run.wait_for("run_summary");
    let over = Instant::now();
    let status = ["status", "--check", "--lock", "prod", "--store", "local"];
    // Its request is under way, and its answer never comes.
    collector.wait();
    Run::new(&project).args(status).output().exits(0);
    let finished = run.finish();
    assert!(over.elapsed().as_secs() < 30, "{:?}", over.elapsed());
    unaffected(&project, finished, "the collector did not take them within 2 s");
}

#[test]
fn what_is_not_spoken_here_is_told() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    collector
        .watches(exec(&project))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .output()
        .exits(3)
        .says(&["no traces or metrics are sent: OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not spoken here; http/protobuf is"]);
    assert!(collector.heads().is_empty());
}
