//! A job on a GitLab runner: its script as the runner writes it, its cancel as the shell and the
//! docker executor do it, its `after_script`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::recipes;
use crate::guardian::process::{is_alive, signal, signal_group};
use crate::guardian::stage::{Over, Stage, wait_for, wait_within};

/// How long the docker executor waits for one process before it goes on to the next: six tries, a
/// second apart.
pub(super) const FULL: Duration = Duration::from_secs(6);
/// The same in a fifth of the time.
pub(super) const QUICK: Duration = Duration::from_millis(1200);

/// A job of the template.
pub(super) struct Job<'a> {
    stage: &'a Stage,
    /// The name of the hidden job.
    kind: &'static str,
    /// Number of the job, and name of the run.
    name: String,
    shell: Vec<String>,
    variables: Vec<(String, String)>,
}

impl<'a> Job<'a> {
    pub(super) fn new(stage: &'a Stage, kind: &'static str, name: &str, work: &str) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_tfguard")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let text = |path: PathBuf| path.display().to_string();
        let mut variables = vec![
            ("PATH", path),
            ("CI", "true".into()),
            ("GITLAB_CI", "true".into()),
            ("CI_JOB_ID", name.into()),
            ("CI_PROJECT_DIR", text(stage.path("")).trim_end_matches('/').into()),
            ("STAGE_RUN", name.into()),
            ("STAGE_WORK", work.into()),
            ("TF_VAR_run", "run".into()),
            ("TF_CLI_ARGS", "-no-color".into()),
            ("TFGUARD_LOCK", "stage".into()),
            ("TFGUARD_LEASE", "10s".into()),
            ("TFGUARD_TERRAFORM_BIN", text(stage.path("terraform"))),
            ("TFGUARD_REASON", String::new()),
        ];
        match stage.over {
            Over::Local => {
                variables.push(("TFGUARD_STORE", "local".into()));
                variables.push(("TFGUARD_LOCAL_DIR", text(stage.path("locks"))));
            }
            Over::Dynamo => {
                variables.push(("TFGUARD_TABLE", "locks".into()));
                variables.push(("TFGUARD_REGION", "eu-west-1".into()));
                variables.push(("TFGUARD_ENDPOINT_URL", stage.proxy.endpoint()));
            }
            Over::S3 => {
                variables.push(("TFGUARD_STORE", "s3".into()));
                variables.push(("TFGUARD_BUCKET", stage.bucket.clone()));
                variables.push(("TFGUARD_REGION", "eu-west-1".into()));
                variables.push(("TFGUARD_ENDPOINT_URL", stage.proxy.endpoint()));
            }
        }
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { stage, kind, name: name.into(), shell: vec!["bash".into()], variables }
    }

    /// With another shell than bash.
    pub(super) fn shell(mut self, words: &[&str]) -> Self {
        self.shell = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    fn command(&self) -> Command {
        let mut command = self.stage.bare(&self.shell[0]);
        command.args(&self.shell[1..]).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a section of the job as the runner does: a shell that reads it from its stdin.
    fn section(&self, section: &str) -> Script {
        let lines = recipes::lines(self.kind, section);
        let body = lines.join("\n").replace('\'', r"'\''");
        let eval =
            match recipes::template()[".tfguard"]["variables"]["FF_USE_NEW_BASH_EVAL_STRATEGY"].as_str() {
                Some("true") => format!("(eval '{body}')"),
                _ => format!("eval '{body}'"),
            };
        let text = format!(
            "trap exit 1 TERM\n\nif set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit\n\
             set +o noclobber\n: | {eval}\nexit 0\n"
        );
        let log = self.stage.path(&format!("{section}.{}", self.name));
        let mut command = self.command();
        let out = File::create(&log).unwrap();
        command.stdin(Stdio::piped()).stdout(out.try_clone().unwrap()).stderr(out).process_group(0);
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Script { child, log }
    }

    /// Starts the job's script.
    pub(super) fn script(&self) -> Script {
        self.section("script")
    }

    /// Starts the job's script and waits until its command works.
    pub(super) fn working(&self) -> Script {
        let mut script = self.script();
        let ready = self.stage.path(&format!("ready.{}", self.name));
        wait_for("the command to work", || {
            assert!(script.lives(), "{}", script.text());
            ready.exists()
        });
        script
    }

    /// Runs `after_script` to its end, and says what it said. It fails nothing, whatever it does.
    pub(super) fn after(&self) -> String {
        let (code, text) = self.section("after_script").end();
        assert_eq!(code, Some(0), "{text}");
        text
    }

    /// A file of this configuration.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.stage.path(".tfguard-ci/default").join(name)
    }

    /// What tfguard has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.file(&format!("job-{}/events.ndjson", self.name))).unwrap_or_default()
    }

    /// tfguard itself, by its number in the job's notes.
    pub(super) fn supervisor(&self) -> i32 {
        let text = fs::read_to_string(self.file(&format!("job-{}/run", self.name))).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    }

    /// The processes of this job.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mine = |pid: &i32| crate::guardian::process::has(*pid, "STAGE_RUN", &self.name);
        self.stage.processes().into_iter().filter(mine).collect()
    }
}

/// The longest that a section may take: a state that is written in 20 s may have to be written twice, when
/// Terraform is interrupted and at its end.
const SLOWEST: Duration = Duration::from_secs(100);

/// A section under way. On drop its process group is killed.
pub(super) struct Script {
    child: Child,
    log: PathBuf,
}

impl Script {
    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(super) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    pub(super) fn wait_for(&mut self, text: &str) {
        wait_for(&format!("{text:?} in the job's log"), || {
            let found = self.text().contains(text);
            assert!(found || self.lives(), "{}", self.text());
            found
        });
    }

    /// The shell executor: SIGTERM to the whole process group. (After 10 min it would kill.)
    pub(super) fn cancel_group(&self) {
        signal_group(self.pid(), libc::SIGTERM);
    }

    /// The docker executor: SIGTERM to every process but the container's first, highest number
    /// first, each with some time to end before the next.
    pub(super) fn cancel_container(&self, job: &Job<'_>, each: Duration) {
        let mut processes = job.processes();
        processes.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
        for pid in processes.into_iter().filter(|pid| *pid != self.pid()) {
            signal(pid, libc::SIGTERM);
            let start = Instant::now();
            while is_alive(pid) && start.elapsed() < each {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Waits for its end: exit code and what it said.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        wait_within(SLOWEST, "the section to end", || !self.lives());
        (self.child.wait().unwrap().code(), self.text())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.lives() {
            signal_group(self.pid(), libc::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
