//! The page about GitLab's executors: its two jobs, cancelled as each executor does.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::super::pipeline::{Job, QUICK};
use super::page::{Page, variables};
use super::site::{interrupts, is_hurried};
use crate::guardian::stage::{Over, Stage, wait_for};

const LOCK: &str = "prod/network";

fn recipe(with: &str) -> Value {
    Page::open("docs/ci/gitlab-executors.md").yaml(with)["apply"].clone()
}

/// A job of the template with a recipe's variables; where its locks are is the stage's.
fn job<'a>(stage: &'a Stage, kind: &'static str, recipe: &Value, name: &str, work: &str) -> Job<'a> {
    let mut job = Job::new(stage, kind, name, work);
    for (name, value) in variables(&recipe["variables"]) {
        match name.as_str() {
            "TFGUARD_STORE" => assert_eq!((value.as_str(), stage.over), ("local", Over::Local)),
            "TFGUARD_LOCAL_DIR" | "TFGUARD_TABLE" | "TFGUARD_REGION" => {}
            "TFGUARD_LOCK" => job = job.with("TFGUARD_LOCK", &value),
            name => panic!("a variable that is not tried: {name}"),
        }
    }
    job
}

fn is_free(stage: &Stage) -> bool {
    let status = stage.status_of(LOCK);
    ["holders", "queue"].iter().all(|field| status[field].as_array().is_none_or(Vec::is_empty))
}

/// Plans; then the next job begins as GitLab lets it: with the artifacts, and of `.terraform` what
/// the recipe caches.
fn planned(stage: &Stage, recipe: &Value) {
    assert_eq!(recipe["extends"], ".tfguard:apply");
    assert_eq!(recipe["cache"]["paths"], serde_json::json!([".terraform/providers/"]));
    let (code, text) = job(stage, ".tfguard:plan", recipe, "plan", "0").script().end();
    assert_eq!(code, Some(0), "{text}");
    let providers = stage.path(".terraform/providers");
    let kept = stage.path("kept");
    let cached = providers.exists() && fs::rename(&providers, &kept).is_ok();
    fs::remove_dir_all(stage.path(".terraform")).unwrap();
    if cached {
        fs::create_dir(stage.path(".terraform")).unwrap();
        fs::rename(kept, providers).unwrap();
    }
}

#[test]
fn the_jobs_of_both_executors_apply_their_plan() {
    for (with, over) in [("tags: [shell]", Over::Local), ("image:", Over::Dynamo)] {
        let (stage, recipe) = (Stage::new(over), recipe(with));
        planned(&stage, &recipe);
        let apply = job(&stage, ".tfguard:apply", &recipe, "apply", "0");
        let (code, text) = apply.script().end();
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("Resources: 1 added") && text.contains("lock prod/network released"), "{text}");
        assert_eq!(apply.after(), "");
        assert!(is_free(&stage));
        stage.assert_clean();
    }
}

#[test]
fn a_cancel_by_either_executor_is_one_interrupt() {
    for (with, over) in [("tags: [shell]", Over::Local), ("image:", Over::Dynamo)] {
        let (stage, recipe) = (Stage::new(over), recipe(with));
        planned(&stage, &recipe);
        let apply = job(&stage, ".tfguard:apply", &recipe, "apply", "60");
        let script = apply.working();
        stage.state.slow_down(Duration::from_secs(1));
        if over == Over::Local {
            script.cancel_group();
        } else {
            script.cancel_container(&apply, QUICK);
        }
        apply.after();
        let text = script.text();
        assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{with}: {text}");
        wait_for("the release", || is_free(&stage));
        assert_eq!(stage.status_of(LOCK)["last"]["outcome"], "released");
        script.end();
        stage.state.slow_down(Duration::ZERO);
        stage.assert_clean();
    }
}
