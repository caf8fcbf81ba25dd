//! CircleCI: the steps of a job. How it stops one is not documented, so both ways that there are
//! have to end well.

use std::time::{Duration, Instant};

use super::page::{Page, variables};
use super::site::{Job, Site, interrupts, is_hurried};
use crate::guardian::process::signal;
use crate::guardian::stage::wait_for;

/// Docker's own time between SIGTERM and SIGKILL, in a fifth of the time.
const BRIEF: Duration = Duration::from_secs(2);

/// The job `apply` of the page.
struct Recipe {
    environment: Vec<(String, String)>,
    /// The commands of the `run` steps.
    commands: Vec<String>,
}

impl Recipe {
    fn read() -> Self {
        let config = Page::open("docs/ci/circleci.md").yaml("version: 2.1");
        let job = &config["jobs"]["apply"];
        let commands = job["steps"].as_array().unwrap().iter();
        let commands = commands.filter_map(|step| step["run"]["command"].as_str().map(str::to_owned));
        let recipe = Self { environment: variables(&job["environment"]), commands: commands.collect() };
        assert_eq!((recipe.environment.len(), recipe.commands.len()), (5, 2));
        recipe
    }

    fn step(&self, site: &Site, number: usize, work: &str) -> Job {
        let script = site.path(&format!("step{number}.sh"));
        std::fs::write(&script, &self.commands[number]).unwrap();
        let mut command = site.command("/bin/bash", work);
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(script)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // The recipe's minute is too long for a test.
            .env("TFGUARD_LEASE", "10s")
            .env("CIRCLECI", "true")
            .env("CIRCLE_USERNAME", "eve")
            .env("CIRCLE_BUILD_URL", "https://circleci.com/gh/acme/infra/1");
        Job::start(site, &format!("step{number}"), command)
    }

    /// Runs all steps until one fails. Its code.
    fn run(&self, site: &Site, work: &str) -> (Option<i32>, String) {
        let mut last = (None, String::new());
        for number in 0..self.commands.len() {
            let step = self.step(site, number, work);
            last = (step.end(), step.text());
            if last.0 != Some(0) {
                break;
            }
        }
        last
    }

    /// Plans, and starts an apply that works.
    fn working(&self, site: &Site) -> Job {
        assert_eq!(self.step(site, 0, "60").end(), Some(0));
        let step = self.step(site, 1, "60");
        step.works(site);
        let by = site.held_by();
        assert_eq!(
            (&by["actor"], &by["url"]),
            (&"eve".into(), &"https://circleci.com/gh/acme/infra/1".into())
        );
        step
    }
}

fn kill_the_container(site: &Site) {
    // So that no guardian is posted anew in between.
    for number in [libc::SIGSTOP, libc::SIGKILL] {
        site.processes().into_iter().for_each(|pid| signal(pid, number));
    }
    wait_for("the container to be gone", || site.processes().is_empty());
}

#[test]
fn a_circleci_job_plans_applies_and_leaves_nothing() {
    let site = Site::new();
    let (code, text) = Recipe::read().run(&site, "0");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Apply complete! Resources: 1 added"), "{text}");
    site.assert_clean();
}

#[test]
fn a_circleci_job_whose_apply_fails_releases() {
    let site = Site::new();
    let (code, text) = Recipe::read().run(&site, "for ever");
    assert_eq!(code, Some(1), "{text}");
    site.assert_clean();
}

#[test]
fn a_circleci_step_that_is_asked_to_end_interrupts_once() {
    let site = Site::new();
    let step = Recipe::read().working(&site);
    site.stage.state.slow_down(BRIEF / 4);
    signal(step.pid(), libc::SIGTERM);
    let start = Instant::now();
    while start.elapsed() < BRIEF * 5 && step.ended().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = step.text();
    assert!(step.ended().is_some(), "{text}");
    assert!(site.is_free(), "the step is over, and Terraform is not: {text}");
    assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{text}");
    site.stage.state.slow_down(Duration::ZERO);
    site.assert_clean();
}

/// Terraform needs longer than the container lives; or the container is killed at once.
#[test]
fn a_circleci_container_that_is_killed_is_taken_over_with_its_state_lock() {
    for asked in [true, false] {
        let (site, recipe) = (Site::new(), Recipe::read());
        let step = recipe.working(&site);
        if asked {
            site.stage.state.slow_down(Duration::from_secs(60));
            signal(step.pid(), libc::SIGTERM);
            step.wait_for("Interrupt received.");
            std::thread::sleep(BRIEF);
        }
        let killed = Instant::now();
        kill_the_container(&site);
        site.stage.state.slow_down(Duration::ZERO);
        assert!(!site.is_free() && site.stage.state.lock().is_some());
        let (code, text) = recipe.run(&site, "0");
        println!("measured: the next job is through {:?} after the kill", killed.elapsed());
        assert_eq!(code, Some(0), "{text}");
        site.assert_clean();
    }
}
