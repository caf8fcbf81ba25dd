//! Stdout in `json`: NDJSON and nothing else, Terraform's own lines unchanged.

use serde_json::Value;

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

over_both_stores![a_run_tells_its_course_in_order];

/// Every line of stdout, parsed. There is nothing on stderr.
#[track_caller]
fn lines(finished: &Finished) -> Vec<Value> {
    assert_eq!(finished.stderr, "");
    let text = std::str::from_utf8(&finished.stdout).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for field in ["@level", "@message", "@module", "@timestamp", "type"] {
            assert!(line[field].is_string(), "{field} is missing: {line}");
        }
        let at: jiff::Timestamp = line["@timestamp"].as_str().unwrap().parse().unwrap();
        assert!(at.as_second() > 1_700_000_000, "{line}");
    }
    lines
}

fn kinds<'a>(lines: &'a [Value], module: &str) -> Vec<&'a str> {
    let ours = lines.iter().filter(|line| line["@module"] == module);
    ours.map(|line| line["type"].as_str().unwrap()).collect()
}

fn a_run_tells_its_course_in_order(locks: &Locks) {
    let project = Project::hello();
    let run = ["apply", "--log-format", "json", "--", "-auto-approve"];
    let applied = locks.run(&project).args(run).output().exits(0);
    let lines = lines(&applied);
    let course =
        ["run_started", "lock_acquired", "child_started", "child_exited", "lock_released", "run_summary"];
    assert_eq!(kinds(&lines, "tfguard"), course);
    let terraforms = kinds(&lines, "terraform.ui");
    for kind in ["version", "planned_change", "change_summary", "apply_start", "apply_complete", "outputs"] {
        assert!(terraforms.contains(&kind), "{kind} is not among {terraforms:?}");
    }
    // What the child said stands between its start and its end.
    let place = |kind: &str| lines.iter().position(|line| line["type"] == kind).unwrap();
    assert!(place("child_started") < place("version"));
    assert!(place("outputs") < place("child_exited"));
    assert_eq!(lines.len(), course.len() + terraforms.len());

    let of = |kind: &str| &lines[place(kind)];
    assert_eq!(of("lock_acquired")["lock"], "e2e");
    assert_eq!(of("lock_acquired")["generation"], locks.free_record()["generation"]);
    assert_eq!(of("lock_acquired")["session"], locks.free_record()["last"]["session"]);
    let argv = ["terraform", "apply", "-input=false", "-json", "-auto-approve"];
    assert_eq!(of("child_started")["argv"], serde_json::json!(argv));
    assert_eq!(of("child_exited")["code"], 0);
    assert!(of("lock_released")["held_ms"].as_u64().is_some());
    assert_eq!(of("run_summary")["outcome"], "succeeded");
    assert_eq!(of("run_summary")["exit_code"], 0);
}

#[test]
fn terraforms_own_lines_are_unchanged_to_the_byte() {
    let locks = Locks::local();
    let project = Project::with("resource \"terraform_data\" \"work\" { input = \"Grüße \\u003c 🔒\" }");
    let recorder = project.script("bin/terraform", "terraform \"$@\" | tee raw");
    let run = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", &recorder);
    let planned = run.args(["plan", "--log-format", "json"]).output().exits(0);
    lines(&planned);
    let raw = project.lines("raw");
    assert!(raw.iter().any(|line| line.contains("planned_change")), "{raw:?}");
    let shown = planned.stdout_text();
    let passed: Vec<_> = shown.lines().filter(|line| !line.contains("\"@module\":\"tfguard\"")).collect();
    assert_eq!(passed, raw);
}

#[test]
fn a_foreign_way_to_write_json_is_kept() {
    let locks = Locks::local();
    let project = Project::empty();
    let line = r#"  {"@timestamp":"2026-01-01T00:00:00Z", "@level" : "info","@message":"\u0061\/é", "@module":"x","type":"x","n":1.50e3 }"#;
    project.write("lines", &format!("{line}\n"));
    let run =
        locks.run(&project).args(["exec", "--log-format", "json", "--", "cat", "lines"]).output().exits(0);
    lines(&run);
    assert!(run.stdout_text().lines().any(|shown| shown == line), "{}", run.stdout_text());
}

#[test]
fn other_lines_are_wrapped_with_their_stream() {
    let locks = Locks::local();
    let project = Project::empty();
    let script = r#"printf 'plain "text"\r\n\n{"a": 1}\n'; printf 'bad \377 \033[1mbytes' >&2"#;
    let run = locks.run(&project).args(["exec", "--log-format", "json", "--", "sh", "-c", script]);
    let run = run.output().exits(0);
    let lines = lines(&run);
    let of = |stream: &str| -> Vec<&str> {
        let of = lines.iter().filter(|line| line["type"] == "output" && line["stream"] == stream);
        of.map(|line| line["line"].as_str().unwrap()).collect()
    };
    assert_eq!(of("stdout"), ["plain \"text\"", "", "{\"a\": 1}"]);
    assert_eq!(of("stderr"), ["bad \u{fffd} \u{1b}[1mbytes"]);
}

#[test]
fn an_error_of_terraform_is_json_too() {
    let locks = Locks::local();
    let project = Project::with("output \"x\" { value = file(\"no-such-file\") }");
    let failed = locks.run(&project).args(["plan", "--log-format", "json"]).output().exits(1);
    let lines = lines(&failed);
    let error = lines.iter().find(|line| line["@level"] == "error").unwrap();
    assert_eq!(error["@module"], "terraform.ui");
    assert_eq!(error["diagnostic"]["severity"], "error");
}

#[test]
fn an_error_of_ours_is_a_diagnostic_on_stdout() {
    let locks = Locks::local();
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let refused = locks.run(&project).args(["plan", "--log-format", "json", "--no-wait"]).output().exits(75);
    let lines = lines(&refused);
    assert_eq!(kinds(&lines, "tfguard"), ["run_started", "diagnostic", "run_summary"]);
    assert_eq!(lines[1]["diagnostic"]["severity"], "error");
    assert!(lines[1]["diagnostic"]["summary"].as_str().unwrap().contains("is held by"));
    assert_eq!(lines[2]["exit_code"], 75);
    holder.close_stdin();
    holder.finish().exits(0);
}

#[test]
fn a_waiter_is_named_to_programs() {
    let locks = Locks::local();
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let mut waiter = locks.run(&project).args(["plan", "--log-format", "json"]).start();
    waiter.wait_for("lock_waiting");
    holder.close_stdin();
    holder.finish().exits(0);
    let lines = lines(&waiter.finish().exits(0));
    let waiting = lines.iter().find(|line| line["type"] == "lock_waiting").unwrap();
    assert_eq!(waiting["position"], 1);
    assert_eq!(waiting["holder"]["command"], "cat");
    // Ours, which a clean-up after us may take out; not the holder's.
    let acquired = lines.iter().find(|line| line["type"] == "lock_acquired").unwrap();
    assert_eq!(waiting["session"], acquired["session"]);
    assert_ne!(waiting["session"], waiting["holder"]["session"]);
}

/// A reader and a writer of a pipe that holds 64 KiB wait for each other more than they work.
#[test]
#[cfg(target_os = "linux")]
fn a_pipe_holds_more_from_then_on() {
    let project = Project::empty();
    for (format, changed) in [("json", true), ("text", false)] {
        let (reader, writer) = std::io::pipe().unwrap();
        let size = || rustix::pipe::fcntl_getpipe_size(&reader).unwrap();
        let before = size();
        let args = ["exec", "--lock", "prod", "--store", "local", "--log-format", format, "--", "true"];
        Run::new(&project).args(args).stdout(writer).output().exits(0);
        assert_eq!(size() > before, changed, "{format}: {} from {before}", size());
    }
}
