//! Buildkite: a job's commands as the agent's bootstrap runs them, on a terminal of their own, and
//! how the agent cancels them. As in `process/process.go` and `internal/job/command.go` of the
//! agent.

use std::process::Child;
use std::time::{Duration, Instant};

use super::page::{Page, variables};
use super::site::{Site, interrupts, is_hurried};
use crate::guardian::process::{signal, signal_group};
use crate::guardian::stage::wait_for;
use crate::support::pty::Pty;

/// `signal-grace-period-seconds`, 9 s, in a third of the time.
const SIGNAL_GRACE: Duration = Duration::from_secs(3);
/// From then on to `cancel-grace-period`, 10 s.
const LAST: Duration = Duration::from_millis(333);

/// Not with the experiment `avoid-recursive-trap`.
const TRAP: &str = "trap 'kill -- $$' INT TERM QUIT; ";

/// Copies what the job has left as artifacts, which is everything: one folder has it all.
const AGENT: &str = "#!/bin/sh\n[ \"$1 $2\" = 'artifact download' ] && ls $3 >&2\n";

struct Recipe {
    /// What the agent puts before a command.
    trap: &'static str,
    environment: Vec<(String, String)>,
    /// What each command step runs.
    commands: Vec<String>,
}

impl Recipe {
    fn read() -> Self {
        let pipeline = Page::open("docs/ci/buildkite.md").yaml("steps:");
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let commands = pipeline["steps"].as_array().unwrap().iter().filter_map(|step| {
            let lines =
                step["commands"].as_array().map(|lines| lines.iter().filter_map(text).collect::<Vec<_>>());
            text(&step["command"]).or_else(|| Some(lines?.join("\n")))
        });
        let (environment, commands) = (variables(&pipeline["env"]), commands.collect());
        let recipe = Self { trap: TRAP, environment, commands };
        assert_eq!((recipe.environment.len(), recipe.commands.len()), (4, 2));
        recipe
    }

    fn start<'a>(&self, site: &'a Site, step: usize, work: &str) -> Job<'a> {
        site.install("buildkite-agent", AGENT);
        let pty = Pty::open();
        let script = format!("{}{}", self.trap, self.commands[step]);
        let command = |program: &std::ffi::OsStr| {
            let mut command = site.command(program.to_str().unwrap(), work);
            command
                .envs(self.environment.iter().map(|(name, value)| (name, value)))
                .env("TERM", "xterm-256color")
                .env("BUILDKITE", "true")
                .env("BUILDKITE_BUILD_CREATOR", "Fay")
                .env("BUILDKITE_BUILD_URL", "https://buildkite.com/acme/infra/builds/4")
                .env("BUILDKITE_JOB_ID", "j-1");
            command
        };
        let child = pty.start(command, &["/bin/bash", "-e", "-c", &script]);
        Job { site, pty, child }
    }

    /// Plans, and starts an apply that works.
    fn working<'a>(&self, site: &'a Site) -> Job<'a> {
        self.start(site, 0, "60").ends(Some(0));
        let mut job = self.start(site, 1, "60");
        wait_for("the command to work", || {
            assert!(job.lives(), "{}", job.pty.screen());
            site.path("ready.run").exists()
        });
        let by = site.held_by();
        let url = "https://buildkite.com/acme/infra/builds/4#j-1";
        assert_eq!((&by["actor"], &by["url"]), (&"Fay".into(), &url.into()));
        job
    }
}

/// A command under way.
struct Job<'a> {
    site: &'a Site,
    pty: Pty,
    child: Child,
}

impl Job<'_> {
    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    fn ends(mut self, code: Option<i32>) -> String {
        wait_for("the command to end", || !self.lives());
        let text = self.pty.screen();
        assert_eq!(self.child.wait().unwrap().code(), code, "{text}");
        text
    }

    /// SIGTERM to the group, SIGKILL to the group, the end of the bootstrap and its terminal.
    /// Whether the first was enough.
    fn cancel(&mut self) -> bool {
        signal_group(self.pid(), libc::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < SIGNAL_GRACE {
            if !self.lives() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        signal_group(self.pid(), libc::SIGKILL);
        wait_for("the command to be dead", || !self.lives());
        std::thread::sleep(LAST);
        self.pty.hang_up();
        false
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        if self.lives() {
            signal(self.pid(), libc::SIGKILL);
            let _ = self.child.wait();
        }
        self.site.processes().into_iter().for_each(|pid| signal(pid, libc::SIGCONT));
    }
}

#[test]
fn a_buildkite_build_plans_applies_and_leaves_nothing() {
    let (site, recipe) = (Site::new(), Recipe::read());
    recipe.start(&site, 0, "0").ends(Some(0));
    let text = recipe.start(&site, 1, "0").ends(Some(0));
    assert!(text.contains("tfplan.tfguard.json") && text.contains("Resources: 1 added"), "{text}");
    site.assert_clean();
}

#[test]
fn a_buildkite_build_whose_apply_fails_releases() {
    let (site, recipe) = (Site::new(), Recipe::read());
    recipe.start(&site, 0, "for ever").ends(Some(0));
    recipe.start(&site, 1, "for ever").ends(Some(1));
    site.assert_clean();
}

#[test]
fn a_cancelled_buildkite_job_interrupts_once_and_is_over_when_it_has_released() {
    for trap in [TRAP, ""] {
        let site = Site::new();
        let mut job = Recipe { trap, ..Recipe::read() }.working(&site);
        site.stage.state.slow_down(SIGNAL_GRACE / 10);
        assert!(job.cancel(), "{}", job.pty.screen());
        assert!(site.is_free(), "the step is over, and Terraform is not");
        let text = job.pty.screen();
        assert_eq!(job.child.wait().unwrap().code(), Some(1), "not the code of the apply: {text}");
        assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{text}");
        assert_eq!(site.outcome(), "released");
        site.stage.state.slow_down(Duration::ZERO);
        drop(job);
        site.assert_clean();
    }
}

/// Terraform needs longer than the agent waits: tfguard is killed, and its terminal goes.
#[test]
fn what_a_killed_buildkite_job_leaves_its_guardian_sees_to_its_end() {
    let site = Site::new();
    let mut job = Recipe::read().working(&site);
    site.stage.state.slow_down(SIGNAL_GRACE);
    assert!(!job.cancel(), "{}", job.pty.screen());
    assert!(!site.is_free(), "released while Terraform writes its state");
    let text = job.pty.screen();
    assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{text}");
    wait_for("the release", || site.is_free());
    assert_eq!(site.outcome(), "crashed");
    site.stage.state.slow_down(Duration::ZERO);
    drop(job);
    site.assert_clean();
}
