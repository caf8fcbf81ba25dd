//! Where the recipes run: the table and the lock that they name, and the environment of a job.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use crate::guardian::process::{is_alive, signal};
use crate::guardian::stage::{Over, Stage, wait_for};

/// What the recipes name.
const TABLE: &str = "terraform-lock";
const LOCK: &str = "prod/network";

/// A stage with the recipes' table.
pub(super) struct Site {
    pub(super) stage: Stage,
}

impl Site {
    pub(super) fn new() -> Self {
        let site = Self { stage: Stage::new(Over::Dynamo) };
        let made = site.tfguard().args(["setup", "--table", TABLE]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.stage.path(name)
    }

    /// A program in a job that works for `work` seconds; what the recipe sets is still missing.
    /// The lease is short, so that what waits for its end does not wait long.
    pub(super) fn command(&self, program: &str, work: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_tfguard")).parent().unwrap();
        let path =
            format!("{}:{}:{}", self.path("bin").display(), bin.display(), std::env::var("PATH").unwrap());
        let mut command = self.stage.bare(program);
        command
            .env("PATH", path)
            .env("CI", "true")
            .env("STAGE_RUN", "run")
            .env("STAGE_WORK", work)
            .env("TF_VAR_run", "run")
            .env("TF_CLI_ARGS", "-no-color")
            .env("TFGUARD_LEASE", "10s")
            .env("TFGUARD_TERRAFORM_BIN", self.path("terraform"))
            .env("TFGUARD_ENDPOINT_URL", self.stage.proxy.endpoint());
        command
    }

    /// Puts a program on the jobs' PATH.
    pub(super) fn install(&self, name: &str, script: &str) {
        std::fs::create_dir_all(self.path("bin")).unwrap();
        std::fs::write(self.path("source"), script).unwrap();
        // By another process: a program that any thread's fork still has open cannot be run.
        let installed = Command::new("install")
            .args(["-m", "755"])
            .arg(self.path("source"))
            .arg(self.path("bin").join(name))
            .status()
            .unwrap();
        assert!(installed.success());
    }

    fn tfguard(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_tfguard"), "0");
        command.env("AWS_REGION", "eu-west-1");
        command
    }

    /// Somebody else who holds the recipes' lock.
    pub(super) fn holder(&self) -> Job {
        let mut command = self.tfguard();
        command.args(["exec", "--table", TABLE, "--lock", LOCK, "--", "sleep", "60"]);
        let job = Job::start(self, "holder", command);
        job.wait_for("lock prod/network acquired");
        job
    }

    fn status(&self) -> serde_json::Value {
        let mut command = self.tfguard();
        let output = command.args(["status", "--json", "--table", TABLE, "--lock", LOCK]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(super) fn is_free(&self) -> bool {
        let status = self.status();
        let none = |field: &str| status[field].as_array().is_none_or(Vec::is_empty);
        none("holders") && none("queue")
    }

    /// Who holds the lock.
    pub(super) fn held_by(&self) -> serde_json::Value {
        self.status()["holders"][0]["identity"].clone()
    }

    /// How the last run ended, as the record says.
    pub(super) fn outcome(&self) -> String {
        self.status()["last"]["outcome"].as_str().unwrap_or_default().to_owned()
    }

    /// Nothing runs any more, nothing is locked, and nothing ran at the same time as anything else.
    pub(super) fn assert_clean(&self) {
        wait_for("every process of the job to be gone", || self.stage.processes().is_empty());
        assert!(self.is_free(), "{}", self.status());
        assert_eq!(self.stage.state.lock(), None, "Terraform's state is still locked");
        assert_eq!(self.stage.lines("overlaps"), Vec::<String>::new());
    }

    /// The processes of the site that somebody on this machine could signal, as they are now.
    pub(super) fn processes(&self) -> Vec<i32> {
        self.stage.processes()
    }
}

/// A process of a job, and what it has written. Whatever is left of it dies with the site.
pub(super) struct Job {
    child: Mutex<Child>,
    pub(super) log: PathBuf,
}

impl Job {
    pub(super) fn start(site: &Site, name: &str, mut command: Command) -> Self {
        let log = site.path(&format!("log.{name}"));
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: Mutex::new(command.spawn().unwrap()), log }
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.lock().unwrap().id()).unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    pub(super) fn wait_for(&self, text: &str) {
        wait_for(&format!("{text:?} in the job's log"), || {
            let found = self.text().contains(text);
            assert!(found || self.ended().is_none(), "{}", self.text());
            found
        });
    }

    /// Waits until the job's command works.
    pub(super) fn works(&self, site: &Site) {
        wait_for("the command to work", || {
            assert!(self.ended().is_none(), "{}", self.text());
            site.path("ready.run").exists()
        });
    }

    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Waits for its end. Its exit code.
    pub(super) fn end(&self) -> Option<i32> {
        wait_for(&format!("the job to end: {}", self.log.display()), || self.ended().is_some());
        self.ended().unwrap().code()
    }

    /// The end of somebody who holds the lock.
    pub(super) fn let_go(self) {
        signal(self.pid(), libc::SIGTERM);
        self.end();
        wait_for("its process to be gone", || !is_alive(self.pid()));
    }
}

/// How often Terraform was interrupted, by its own account.
pub(super) fn interrupts(text: &str) -> usize {
    text.matches("Interrupt received.").count()
}

/// Whether it was interrupted a second time, which makes it give up at once.
pub(super) fn is_hurried(text: &str) -> bool {
    text.contains("Two interrupts received")
}
