//! The trace around a run, and what the commands in it are told.

use super::collector::{Collector, Manner};
use crate::support::project::Project;
use crate::support::run::Run;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const AROUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn exec(project: &Project) -> Run {
    let script = project.script("tells", "env | grep ^TRACE > seen; exit 0");
    Run::new(project).args(["exec", "--lock", "prod", "--store", "local", "--"]).arg(script)
}

#[test]
fn a_trace_goes_on_in_the_run_and_in_its_command() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let run = collector.watches(exec(&project)).env("TRACEPARENT", AROUND).env("TRACESTATE", "vendor=x");
    run.output().exits(0);
    let trace = collector.spans();
    let (root, command) = (trace.one("tfguard run"), trace.one("tells"));
    assert_eq!((hex(&root.trace_id), hex(&root.parent_span_id)), (TRACE.into(), "b7ad6b7169203331".into()));
    assert_eq!(root.trace_state, "vendor=x");
    let mut seen = project.lines("seen");
    seen.sort();
    assert_eq!(
        seen,
        [format!("TRACEPARENT=00-{TRACE}-{}-01", hex(&command.span_id)), "TRACESTATE=vendor=x".into()]
    );
}

#[test]
fn without_a_collector_nothing_is_changed() {
    for (variable, value) in [("X", "x"), ("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
        let run = exec(&project).env("TRACEPARENT", AROUND).env(variable, value);
        let run = if variable == "X" { run } else { collector.watches(run) };
        run.output().exits(0).never_says(&["traces"]);
        assert_eq!(project.lines("seen"), [format!("TRACEPARENT={AROUND}")], "{variable}");
        assert!(collector.spans().0.is_empty(), "{variable}");
    }
}

#[test]
fn a_trace_that_is_not_sampled_is_passed_on_and_not_sent() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    let around = AROUND.replace("-01", "-00");
    collector.watches(exec(&project)).env("TRACEPARENT", around).output().exits(0);
    assert!(collector.spans().0.is_empty());
    let seen = project.read("seen");
    assert!(
        seen.starts_with(&format!("TRACEPARENT=00-{TRACE}-")) && seen.trim_end().ends_with("-00"),
        "{seen}"
    );
}

#[test]
fn a_traceparent_that_is_none_begins_a_new_trace() {
    let (project, collector) = (Project::empty(), Collector::start(Manner::Takes));
    collector.watches(exec(&project)).env("TRACEPARENT", "nonsense").output().exits(0);
    let trace = collector.spans();
    let root = trace.one("tfguard run");
    assert!(root.parent_span_id.is_empty() && root.trace_id.len() == 16);
}

/// Terraform sends its own spans when it is told to, to the same place. That it takes up our trace is its
/// part: it is told of it, and 1.11 begins one of its own.
#[test]
fn terraforms_own_spans_come_beside_ours() {
    let (project, collector) = (Project::hello(), Collector::start(Manner::Takes));
    collector
        .watches(Run::new(&project))
        .env("OTEL_TRACES_EXPORTER", "otlp")
        .env("TRACEPARENT", AROUND)
        .args(["apply", "--lock", "prod", "--store", "local", "--", "-auto-approve"])
        .output()
        .exits(0);
    let ours = collector.spans();
    assert_eq!(hex(&ours.one("terraform apply").trace_id), TRACE);
    let theirs = collector.spans_of("Terraform CLI");
    assert!(theirs.0.iter().any(|span| span.name.starts_with("terraform apply ")), "{theirs:?}");
}
