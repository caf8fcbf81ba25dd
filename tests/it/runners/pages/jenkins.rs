//! Jenkins: a declarative pipeline on an agent. As in `BourneShellScript.java` of the plugin
//! durable-task, `DurableTaskStep.java` and `ExecutorStepExecution.java` of
//! workflow-durable-task-step, and `ProcessTree.java` of Jenkins itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::page::Page;
use super::site::{Job, Site, interrupts, is_hurried};
use crate::guardian::process::{has, signal};
use crate::guardian::stage::wait_for;

/// For how long Jenkins waits for the processes that it has asked to end: `SoftKillWaitSeconds`,
/// 5 s. Here in a third of the time, as the next.
const SOFT_KILL: Duration = Duration::from_millis(1700);
/// After this long an aborted step is over, whatever its processes do: `REMOTE_TIMEOUT`, 20 s.
const STEP: Duration = Duration::from_millis(6700);

const NODE_COOKIE: &str = "5e0b64c7-4e2f-4e9d-8c52-6b0d9b3f7a11";

/// A declarative pipeline, as far as a runner of its shell steps has to know it.
#[derive(Default)]
struct Pipeline {
    environment: Vec<(String, String)>,
    /// The scripts of the stages in their order.
    stages: Vec<String>,
    /// The scripts of `post { always { … } }`.
    post: Vec<String>,
}

impl Pipeline {
    /// Reads a Jenkinsfile that holds no strings but in single quotes, and no comments.
    fn read(text: &str) -> Self {
        let mut pipeline = Self::default();
        let (mut within, mut words) = (Vec::new(), String::new());
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '{' => within.push(std::mem::take(&mut words).trim().to_owned()),
                '}' => assert!(within.pop().is_some(), "too many closing braces"),
                '\n' => words.clear(),
                '\'' => {
                    let string: String = rest.by_ref().take_while(|next| *next != '\'').collect();
                    let inside = |block: &str| within.iter().any(|name| name == block);
                    match words.trim() {
                        "sh" if inside("post") => pipeline.post.push(string),
                        "sh" if inside("stages") => pipeline.stages.push(string),
                        word if inside("environment") => {
                            let name = word.trim_end_matches(" =").to_owned();
                            pipeline.environment.push((name, string));
                        }
                        _ => words.push_str(&string),
                    }
                }
                _ => words.push(character),
            }
        }
        assert!(within.is_empty(), "blocks that nobody closes: {within:?}");
        pipeline
    }

    fn of_the_page() -> Self {
        let pipeline = Self::read(&Page::open("docs/ci/jenkins.md").block("groovy", "pipeline {"));
        assert_eq!((pipeline.environment.len(), pipeline.stages.len(), pipeline.post.len()), (3, 2, 1));
        pipeline
    }
}

/// A build of the pipeline.
struct Build<'a> {
    site: &'a Site,
    pipeline: &'a Pipeline,
    work: &'a str,
}

impl Build<'_> {
    /// Starts a `sh` step.
    fn sh(&self, name: &str, script: &str) -> Step {
        let control = self.site.path(&format!("durable-{name}"));
        fs::create_dir(&control).unwrap();
        let file = |name: &str| control.join(name).display().to_string();
        fs::write(control.join("script.sh"), script).unwrap();
        let (script, log, result) = (file("script.sh"), file("jenkins-log.txt"), file("jenkins-result.txt"));
        let cookie = format!("durable-{name}");
        // The wrapper is not to be killed, so it has another cookie; it is a daemon.
        let wrapper = format!(
            "({{ while [ -d '{}' -a \\! -f '{result}' ]; do touch '{log}'; sleep 3; done }} & jsc={cookie}; \
             JENKINS_SERVER_COOKIE=$jsc 'sh' -xe '{script}' > '{log}' 2>&1; echo $? > '{result}.tmp'; \
             mv '{result}.tmp' '{result}'; wait) >&- 2>&- &",
            control.display()
        );
        let mut command = self.site.command("nohup", self.work);
        command
            .args(["sh", "-c", &wrapper])
            .envs(self.pipeline.environment.iter().map(|(name, value)| (name, value)))
            .env("JENKINS_SERVER_COOKIE", "please-do-not-kill-me")
            .env("JENKINS_NODE_COOKIE", NODE_COOKIE)
            .env("JENKINS_URL", "https://jenkins.example/")
            .env("BUILD_ID", "5")
            .env("BUILD_URL", "https://jenkins.example/job/network/5/")
            .env("WORKSPACE", self.site.path(""));
        assert_eq!(Job::start(self.site, name, command).end(), Some(0));
        Step { cookie, log: PathBuf::from(log), result: PathBuf::from(result) }
    }

    /// Runs the stages until one fails, and `post`. The code of the last step before `post`.
    fn run(&self) -> (i32, String) {
        let (mut code, mut text) = (0, String::new());
        for (number, script) in self.pipeline.stages.iter().enumerate() {
            let step = self.sh(&format!("stage{number}"), script);
            code = step.end();
            text.push_str(&step.text());
            if code != 0 {
                break;
            }
        }
        self.post();
        (code, text)
    }

    fn post(&self) {
        for (number, script) in self.pipeline.post.iter().enumerate() {
            let step = self.sh(&format!("post{number}"), script);
            assert_eq!(step.end(), 0, "{}", step.text());
        }
    }

    /// What Jenkins does last: it ends whatever has the node's cookie.
    fn leave_the_node(&self, order: Order) {
        kill_all(self.site, "JENKINS_NODE_COOKIE", NODE_COOKIE, order);
    }
}

/// A `sh` step under way.
struct Step {
    cookie: String,
    log: PathBuf,
    result: PathBuf,
}

impl Step {
    fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        wait_for(&format!("{text:?} in {}", self.text()), || self.text().contains(text));
    }

    fn end(&self) -> i32 {
        wait_for(&format!("the step to end: {}", self.log.display()), || self.result.exists());
        fs::read_to_string(&self.result).unwrap().trim().parse().unwrap()
    }

    /// What Jenkins does to the step when the build is aborted. It is over when its shell is, or
    /// when it has taken too long.
    fn abort(&self, site: &Site, order: Order) {
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| kill_all(site, "JENKINS_SERVER_COOKIE", &self.cookie, order));
            while !self.result.exists() && start.elapsed() < STEP {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
    }
}

/// Jenkins goes through the processes in the order of a hash table, which is none.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    OldestFirst,
    YoungestFirst,
}

/// `ProcessTree.killAll`: each process that has the variable is ended with all that descends from
/// it, the descendants first. One that is descended from two is ended twice, unless it is gone.
fn kill_all(site: &Site, name: &str, value: &str, order: Order) {
    let mut pids = site.processes();
    pids.sort_unstable();
    if order == Order::YoungestFirst {
        pids.reverse();
    }
    let snapshot: Vec<(i32, i32)> = pids.into_iter().map(|pid| (pid, parent(pid))).collect();
    let marked: Vec<i32> =
        snapshot.iter().map(|(pid, _)| *pid).filter(|pid| has(*pid, name, value)).collect();
    for pid in marked {
        kill_recursively(&snapshot, pid, Instant::now() + SOFT_KILL);
    }
}

fn kill_recursively(snapshot: &[(i32, i32)], pid: i32, deadline: Instant) {
    for (child, _) in snapshot.iter().filter(|(_, parent)| *parent == pid) {
        kill_recursively(snapshot, *child, deadline);
    }
    // On Unix there is no SIGKILL after it.
    signal(pid, libc::SIGTERM);
    while Path::new(&format!("/proc/{pid}/status")).exists() {
        std::thread::sleep(Duration::from_millis(10));
        if Instant::now() > deadline {
            break;
        }
    }
}

fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok()).unwrap_or_default()
}

#[test]
fn a_jenkins_build_plans_applies_and_leaves_nothing() {
    let (site, pipeline) = (Site::new(), Pipeline::of_the_page());
    let build = Build { site: &site, pipeline: &pipeline, work: "0" };
    let (code, text) = build.run();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Apply complete! Resources: 1 added"), "{text}");
    build.leave_the_node(Order::OldestFirst);
    site.assert_clean();
}

#[test]
fn a_jenkins_build_whose_apply_fails_releases() {
    let (site, pipeline) = (Site::new(), Pipeline::of_the_page());
    let (code, text) = Build { site: &site, pipeline: &pipeline, work: "for ever" }.run();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("local-exec provisioner error"), "{text}");
    site.assert_clean();
}

/// An abort of an apply that takes longer to stop than Jenkins waits for a process.
struct Aborted {
    site: Site,
    /// Whether the lock was held when the step was over, and when `post` was.
    held: (bool, bool),
    text: String,
}

fn aborted(pipeline: &Pipeline, order: Order) -> Aborted {
    let site = Site::new();
    let build = Build { site: &site, pipeline, work: "60" };
    assert_eq!(build.sh("plan", &pipeline.stages[0]).end(), 0);
    let step = build.sh("apply", &pipeline.stages[1]);
    step.wait_for("Provisioning with 'local-exec'");
    wait_for("the command to work", || site.path("ready.run").exists());
    assert_eq!(site.held_by()["url"], "https://jenkins.example/job/network/5/");
    // Longer than a soft kill, for each of its writes.
    site.stage.state.slow_down(SOFT_KILL * 2);
    step.abort(&site, order);
    let after_the_step = !site.is_free();
    build.post();
    let after_post = !site.is_free();
    build.leave_the_node(order);
    site.stage.state.slow_down(Duration::ZERO);
    let text = step.text();
    Aborted { site, held: (after_the_step, after_post), text }
}

#[test]
fn an_aborted_jenkins_build_interrupts_once_and_post_waits_for_the_release() {
    for order in [Order::OldestFirst, Order::YoungestFirst] {
        let Aborted { site, held, text } = aborted(&Pipeline::of_the_page(), order);
        assert_eq!(held, (true, false), "{text}");
        assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{text}");
        assert_eq!(site.outcome(), "released");
        site.assert_clean();
    }
}

/// Why the recipe takes the cookies away: with them every process is asked once for itself and once
/// for each of its ancestors.
#[test]
fn with_its_cookies_jenkins_interrupts_terraform_twice() {
    let mut pipeline = Pipeline::of_the_page();
    for script in &mut pipeline.stages {
        *script = script.replace("env -u JENKINS_SERVER_COOKIE -u JENKINS_NODE_COOKIE ", "");
    }
    let Aborted { text, .. } = aborted(&pipeline, Order::OldestFirst);
    assert!(is_hurried(&text), "{text}");
}
