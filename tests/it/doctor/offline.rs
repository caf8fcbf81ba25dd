//! A store that does not answer, and what people see.

use std::time::{Duration, Instant};

use super::super::support::dynamo::{Engine, Shape};
use super::super::support::http::{Reply, Server, nobody};
use super::super::support::project::Project;
use super::super::support::run::Run;
use super::{Diagnosis, at};

#[test]
fn a_store_that_cannot_be_reached_is_told_once_and_the_rest_is_looked_at() {
    let diagnosis = Diagnosis::of(at(&Project::hello(), &nobody()));
    diagnosis.fails().is("store-reachable", "error");
    diagnosis.is("terraform-version", "ok");
    assert!(diagnosis.all("permission").is_empty());
}

#[test]
fn a_store_that_never_answers_does_not_keep_the_doctor() {
    let server = Server::start(|_| Reply::Hang);
    let start = Instant::now();
    Diagnosis::of(at(&Project::hello(), &server.endpoint())).fails().is("store-reachable", "error");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_lock_or_a_store_that_nothing_names() {
    let project = Project::with("terraform {\n  backend \"gcs\" {\n    bucket = \"b\"\n  }\n}\n");
    let text = Diagnosis::of(Run::new(&project)).fails().is("lock-choice", "error");
    assert!(text.contains("--table"), "{text}");
}

#[test]
fn people_see_what_is_wrong_and_with_v_what_is_right() {
    let engine = Engine::start();
    engine.create_table("locks", Shape::SortKey);
    let project = Project::hello();
    let shown = |more: &[&str]| {
        let finished = at(&project, &engine.endpoint).args(["doctor"]).args(more).output().exits(78);
        finished.stdout_text()
    };
    let text = shown(&[]);
    for part in [
        "Lock store\n",
        "  x error   table locks",
        "            why  ",
        "            mend ",
        "a run would fail",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("+ ok"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour off a terminal: {text:?}");
    assert!(shown(&["-v"]).contains("  + ok      it is Terraform 1."));
    assert!(shown(&["--color", "always"]).contains("\u{1b}["));
}
