//! A place where real Terraform runs under tfguard: a configuration, a store for the lock, a
//! backend for the state whose lock stays when Terraform dies, and witnesses of what happened.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::process::{Run, marked};
use super::state::StateServer;
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::Proxy;
use crate::support::folder::Folder;
use crate::support::moto::Moto;

/// Longer than anything here takes; a test that waits for it has failed.
pub(crate) const BOUND: Duration = Duration::from_secs(40);

/// The lease of every run.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// The provisioner says that it runs, and works for as long as its run wants.
const CONFIGURATION: &str = r#"
terraform {
  backend "http" {}
}

variable "run" {
  type = string
}

resource "terraform_data" "work" {
  triggers_replace = var.run
  provisioner "local-exec" {
    command = "touch \"$STAGE/ready.$STAGE_RUN\"; exec sleep \"$STAGE_WORK\""
  }
}
"#;

/// Runs Terraform with a file locked for as long as it, or anything that it started, is alive: the
/// kernel sees to it, whoever kills whom. Who finds it locked writes down itself and the other.
const WITNESS: &str = r#"#!/bin/sh
case $1 in force-unlock | untaint | version) exec terraform "$@" ;; esac # questions that change nothing
exec 9>>"$STAGE/alive"
if flock -n 9; then
  echo "$STAGE_RUN" >"$STAGE/holder"
else
  echo "$STAGE_RUN $(cat "$STAGE/holder")" >>"$STAGE/overlaps"
fi
echo $$ >"$STAGE/pid.$STAGE_RUN"
echo "$STAGE_RUN $(date +%s%N)" >>"$STAGE/starts"
exec terraform "$@"
"#;

/// Where the lock lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Local,
    Dynamo,
    S3,
}

/// The place. Whatever still runs here is killed when it is dropped.
pub(crate) struct Stage {
    folder: Folder,
    /// Every process that was started here has it in its environment.
    mark: String,
    pub(crate) over: Over,
    pub(crate) state: StateServer,
    /// Between tfguard and the engine.
    pub(crate) proxy: Proxy,
    /// Where the locks are, over S3.
    pub(crate) bucket: String,
    _engine: Option<Engine>,
    _moto: Option<Arc<Moto>>,
}

impl Stage {
    pub(crate) fn new(over: Over) -> Self {
        Self::with(over, || Arc::new(Moto::start()))
    }

    /// The same, with a moto that others have too where one is needed.
    pub(crate) fn with(over: Over, moto: impl FnOnce() -> Arc<Moto>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = Folder::new();
        fs::write(folder.path().join("main.tf"), CONFIGURATION).unwrap();
        let script = folder.path().join("witness");
        fs::write(&script, WITNESS).unwrap();
        // By another process: a program that any thread's fork still has open cannot be run.
        let installed =
            Command::new("install").arg(&script).arg(folder.path().join("terraform")).status().unwrap();
        assert!(installed.success());
        let moto = (over == Over::S3).then(moto);
        let engine = (over != Over::S3).then(Engine::start);
        let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let bucket = format!("stage-{mark}");
        if let Some(engine) = &engine {
            engine.create_table("locks", Shape::Right);
        }
        if let Some(moto) = &moto {
            moto.create_bucket(&bucket);
        }
        let endpoint = engine.as_ref().map(|engine| &engine.endpoint);
        let proxy = Proxy::start(endpoint.or(moto.as_ref().map(|moto| &moto.endpoint)).unwrap());
        let state = StateServer::start();
        let stage = Self { folder, mark, over, state, proxy, bucket, _engine: engine, _moto: moto };
        let init = stage.bare("terraform").args(["init", "-input=false", "-no-color"]).output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stdout));
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command in an environment that holds nothing but what a run here needs.
    pub(crate) fn bare(&self, program: &str) -> Command {
        let home = self.folder.path();
        let mut command = Command::new(program);
        command
            .current_dir(home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("TMPDIR", std::env::temp_dir())
            .env("STAGE", home)
            .env("STAGE_MARK", &self.mark)
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_HTTP_ADDRESS", format!("{}/state", self.state.endpoint()))
            .env("TF_HTTP_LOCK_ADDRESS", format!("{}/state", self.state.endpoint()))
            .env("TF_HTTP_UNLOCK_ADDRESS", format!("{}/state", self.state.endpoint()))
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", home.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", home.join("no-credentials"))
            .stdin(Stdio::null());
        command
    }

    /// tfguard with the options of this place; the subcommand and what follows is the caller's.
    pub(crate) fn tfguard(&self) -> Command {
        self.tfguard_under("stage")
    }

    /// The same under another lock.
    pub(crate) fn tfguard_under(&self, lock: &str) -> Command {
        let mut command = self.bare(env!("CARGO_BIN_EXE_tfguard"));
        command.args(["--lock", lock, "--lease", "10s"]);
        match self.over {
            Over::Local => command.args(["--store", "local", "--local-dir"]).arg(self.path("locks")),
            Over::Dynamo => command
                .args(["--table", "locks", "--region", "eu-west-1", "--endpoint-url"])
                .arg(self.proxy.endpoint()),
            Over::S3 => command
                .args(["--store", "s3", "--bucket", &self.bucket, "--region", "eu-west-1", "--endpoint-url"])
                .arg(self.proxy.endpoint()),
        };
        command
    }

    /// An apply as the run `name` that works for `work` seconds, its output in files, not started.
    pub(crate) fn apply(&self, name: &str, work: &str, options: &[&str]) -> Command {
        let mut command = self.tfguard();
        command.args(options).arg("--terraform-bin").arg(self.path("terraform")).args([
            "--init",
            "never",
            "apply",
            "--",
            "-auto-approve",
            "-no-color",
        ]);
        self.named(&mut command, name, work);
        command
    }

    /// Any command as the run `name`, its output in files, not started.
    pub(crate) fn exec(&self, name: &str, options: &[&str], argv: &[&str]) -> Command {
        let mut command = self.tfguard();
        command.args(options).args(["exec", "--"]).args(argv);
        self.named(&mut command, name, "0");
        command
    }

    pub(crate) fn named(&self, command: &mut Command, name: &str, work: &str) {
        command
            .env("STAGE_RUN", name)
            .env("STAGE_WORK", work)
            .env("TF_VAR_run", name)
            .stdout(File::create(self.path(&format!("out.{name}"))).unwrap())
            .stderr(File::create(self.path(&format!("err.{name}"))).unwrap());
    }

    /// Starts what [`Stage::apply`] and [`Stage::exec`] made.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Run {
        Run::new(name, self.path(""), &self.mark, command.spawn().unwrap())
    }

    /// Starts an apply and waits until its provisioner works.
    pub(crate) fn working(&self, name: &str, options: &[&str]) -> Run {
        let run = self.start(name, self.apply(name, "60", options));
        run.ready();
        run
    }

    /// The lock as `status --json` shows it, past the proxy's faults for nobody.
    pub(crate) fn status(&self) -> serde_json::Value {
        self.status_of("stage")
    }

    /// Another lock.
    pub(crate) fn status_of(&self, lock: &str) -> serde_json::Value {
        let output = self.tfguard_under(lock).args(["status", "--json"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap()
    }

    /// Whether nobody holds the lock and nobody waits.
    pub(crate) fn is_free(&self) -> bool {
        let status = self.status();
        let none = |field: &str| status[field].as_array().is_none_or(Vec::is_empty);
        none("holders") && none("queue")
    }

    /// How the last run ended, as the record says.
    pub(crate) fn outcome(&self) -> String {
        self.status()["last"]["outcome"].as_str().unwrap_or_default().to_owned()
    }

    /// What the lines of a witness say; empty when there are none.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Everything is as if nothing had happened: no process, no lock, no state lock, no two at
    /// once; and the next run works.
    pub(crate) fn assert_clean(&self) {
        wait_for("every process of the run to be gone", || self.processes().is_empty());
        wait_for("the lock to be free", || self.is_free());
        assert_eq!(self.state.lock(), None, "Terraform's state is still locked");
        self.assert_usable();
    }

    /// The state can be read and changed, and nothing ran at the same time.
    pub(crate) fn assert_usable(&self) {
        let run = self.start("next", self.apply("next", "0", &[]));
        assert_eq!(run.end(), Some(0), "{}{}", run.stderr(), run.stdout());
        assert_eq!(self.lines("overlaps"), Vec::<String>::new());
        let state: serde_json::Value = serde_json::from_slice(&self.state.body()).unwrap();
        assert_eq!(state["resources"].as_array().unwrap().len(), 1, "{state}");
    }

    /// Every process that was started here and lives.
    pub(crate) fn processes(&self) -> Vec<i32> {
        marked("STAGE_MARK", &self.mark)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A guardian or Terraform that a failed test left would go on for a while.
        for pid in self.processes() {
            super::process::signal(pid, libc::SIGKILL);
        }
    }
}

/// Waits for something with a bound, and says what it was when it does not come.
pub(crate) fn wait_for(what: &str, done: impl FnMut() -> bool) -> Duration {
    wait_within(BOUND, what, done)
}

/// The same, with a bound of its own.
pub(crate) fn wait_within(bound: Duration, what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < bound, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}
