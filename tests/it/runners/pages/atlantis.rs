//! Atlantis: the steps of a server-side workflow with the variables that it documents, each in a
//! `sh -c`. As in `run_step_runner.go`.

use std::process::Command;

use serde_json::Value;

use super::page::Page;
use super::site::{Job, Site};
use crate::guardian::process::signal;
use crate::guardian::stage::wait_for;

/// Where the project is in its repository; the recipe makes it the lock's name.
const DIRECTORY: &str = "prod/network";

struct Recipe(Value);

impl Recipe {
    /// The workflow that the repository is given.
    fn read() -> Self {
        let config = Page::open("docs/ci/atlantis.md").yaml("workflows:");
        let name = config["repos"][0]["workflow"].as_str().unwrap();
        Self(config["workflows"][name].clone())
    }

    fn command(site: &Site, line: &str, work: &str, set: &[(String, String)]) -> Command {
        let mut command = site.command("sh", work);
        command
            .args(["-c", line])
            // Of the server.
            .env("TFGUARD_TABLE", "terraform-lock")
            .env("AWS_REGION", "eu-west-1")
            .env("ATLANTIS_TERRAFORM_VERSION", "1.11.4")
            .env("BASE_REPO_OWNER", "acme")
            .env("BASE_REPO_NAME", "infra")
            .env("DIR", site.path(""))
            .env("HEAD_COMMIT", "3f1c2d")
            .env("PLANFILE", site.path("default.tfplan"))
            .env("PROJECT_NAME", "")
            .env("PULL_AUTHOR", "kim")
            .env("PULL_NUM", "31")
            .env("PULL_URL", "https://github.com/acme/infra/pull/31")
            .env("REPO_REL_DIR", DIRECTORY)
            .env("USER_NAME", "lea")
            .env("WORKSPACE", "default")
            .envs(set.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a stage's steps up to its last one, which is under way.
    fn start(&self, site: &Site, stage: &str, work: &str) -> Job {
        let steps = self.0[stage]["steps"].as_array().unwrap();
        let mut set = Vec::new();
        let mut last = None;
        for (number, step) in steps.iter().enumerate() {
            assert!(last.is_none(), "a step after the one that works");
            if step == "init" {
                let mut init = Self::command(site, "terraform init -input=false", work, &set);
                assert!(init.output().unwrap().status.success());
            } else if let Some(name) = step["env"]["name"].as_str() {
                let line = step["env"]["command"].as_str().unwrap();
                let output = Self::command(site, line, work, &set).output().unwrap();
                assert!(output.status.success(), "{line}");
                set.push((name.into(), String::from_utf8(output.stdout).unwrap()));
            } else {
                let line = step["run"].as_str().unwrap();
                let name = format!("{stage}{number}");
                last = Some(Job::start(site, &name, Self::command(site, line, work, &set)));
            }
        }
        last.unwrap()
    }
}

#[test]
fn an_atlantis_plan_is_applied_and_the_lock_says_for_whom() {
    let (site, recipe) = (Site::new(), Recipe::read());
    let plan = recipe.start(&site, "plan", "0");
    assert_eq!(plan.end(), Some(0), "{}", plan.text());
    assert!(site.path("default.tfplan").exists());
    let apply = recipe.start(&site, "apply", "2");
    apply.works(&site);
    let by = site.held_by();
    assert_eq!((&by["actor"], &by["change"]), (&"lea".into(), &"#31".into()));
    assert_eq!(by["url"], "https://github.com/acme/infra/pull/31");
    assert_eq!(apply.end(), Some(0), "{}", apply.text());
    assert!(apply.text().contains("Resources: 1 added"), "{}", apply.text());
    site.assert_clean();
}

#[test]
fn an_atlantis_apply_that_fails_releases() {
    let (site, recipe) = (Site::new(), Recipe::read());
    assert_eq!(recipe.start(&site, "plan", "for ever").end(), Some(0));
    let apply = recipe.start(&site, "apply", "for ever");
    assert_eq!(apply.end(), Some(1), "{}", apply.text());
    site.assert_clean();
}

/// Atlantis' own lock keeps out other pull requests; ours keeps out a pipeline.
#[test]
fn an_atlantis_plan_waits_for_a_pipeline() {
    let (site, recipe) = (Site::new(), Recipe::read());
    let holder = site.holder();
    let plan = recipe.start(&site, "plan", "0");
    plan.wait_for("waiting for lock prod/network");
    holder.let_go();
    assert_eq!(plan.end(), Some(0), "{}", plan.text());
    site.assert_clean();
}

/// Kubernetes has waited long enough for the server.
#[test]
fn when_the_atlantis_server_is_killed_the_next_run_takes_over() {
    let (site, recipe) = (Site::new(), Recipe::read());
    assert_eq!(recipe.start(&site, "plan", "60").end(), Some(0));
    recipe.start(&site, "apply", "60").works(&site);
    for number in [libc::SIGSTOP, libc::SIGKILL] {
        site.processes().into_iter().for_each(|pid| signal(pid, number));
    }
    wait_for("the pod to be gone", || site.processes().is_empty());
    assert!(!site.is_free());
    site.stage.state.force_unlock();
    let plan = recipe.start(&site, "plan", "0");
    assert_eq!(plan.end(), Some(0), "{}", plan.text());
    assert_eq!(recipe.start(&site, "apply", "0").end(), Some(0));
    site.assert_clean();
}

/// `tfguard unlock`, since Atlantis has no cancel.
#[test]
fn an_atlantis_apply_is_stopped_from_elsewhere() {
    let (site, recipe) = (Site::new(), Recipe::read());
    assert_eq!(recipe.start(&site, "plan", "60").end(), Some(0));
    let apply = recipe.start(&site, "apply", "60");
    apply.works(&site);
    let unlock = "tfguard unlock --lock prod/network --reason 'wrong branch' --yes";
    let unlock = Recipe::command(&site, unlock, "0", &[]).output().unwrap();
    assert!(unlock.status.success(), "{}", String::from_utf8_lossy(&unlock.stderr));
    assert_ne!(apply.end(), Some(0));
    assert_eq!(super::site::interrupts(&apply.text()), 1, "{}", apply.text());
    site.assert_clean();
}
