//! Where a run takes place: a folder with a configuration, its own locks and its own log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::processes;
use crate::support::folder::Folder;
use crate::support::schema;

/// Nothing that a test waits for takes longer, also on a machine that is busy.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// The variable that every process of a stage has.
const MARK: &str = "SIGNALS_TEST_STAGE";

/// A resource that is created for a minute, and says when its creation has begun.
pub(super) const SLOW: &str = r#"
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo $$ > ready; exec sleep 60"
  }
}
"#;

/// A stage. Dropping it ends what is still on it.
pub(crate) struct Stage {
    folder: Folder,
    mark: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = Folder::new();
        fs::create_dir(folder.path().join("work")).unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let stage = Self { folder, mark: format!("{MARK}={}-{number}", std::process::id()) };
        fs::write(stage.path("main.tf"), SLOW).unwrap();
        stage
    }

    /// With a configuration of its own.
    pub(crate) fn with(configuration: &str) -> Self {
        let stage = Self::new();
        fs::write(stage.path("main.tf"), configuration).unwrap();
        stage
    }

    /// A file in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub(crate) fn log(&self) -> Log {
        Log(self.folder.path().join("log.ndjson"))
    }

    /// `program` in the working directory, with an environment that holds nothing but what a run
    /// needs and the options of this stage.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let (name, value) = self.mark.split_once('=').unwrap();
        command
            .current_dir(self.path(""))
            .env_clear()
            .env(name, value)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("TERM", "xterm")
            .env("CHECKPOINT_DISABLE", "1")
            .env("PROGRAM", env!("CARGO_BIN_EXE_tfguard"))
            .env("TFGUARD_LOCK", "it")
            .env("TFGUARD_STORE", "local")
            .env("TFGUARD_LOCAL_DIR", self.folder.path().join("locks"))
            .env("TFGUARD_LOG_FILE", &self.log().0);
        command
    }

    /// tfguard with `args`, not started yet.
    pub(crate) fn tfguard(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_tfguard"));
        command.args(args);
        command
    }

    /// Starts it with its output in files.
    pub(crate) fn start(&self, command: &mut Command) -> Run<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["out", "err"].map(|stream| self.folder.path().join(format!("{stream}.{number}")));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Run { child, out, err, stage: self }
    }

    /// The real Terraform under the lock, in the middle of creating the slow resource.
    pub(crate) fn applying(&self) -> Run<'_> {
        self.applying_with(&mut self.tfguard(&["apply", "--", "-auto-approve", "-no-color"]))
    }

    /// As [`Stage::applying`], started so.
    pub(crate) fn applying_with(&self, command: &mut Command) -> Run<'_> {
        let run = self.start(command);
        self.wait_file("ready");
        run
    }

    /// What a file in the working directory holds, once it holds a whole line.
    pub(crate) fn wait_file(&self, name: &str) -> String {
        wait(&format!("the file {name}"), || {
            fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n'))
        })
    }

    /// The process id that such a file holds.
    pub(crate) fn wait_pid(&self, name: &str) -> Pid {
        Pid::from_raw(self.wait_file(name).trim().parse().unwrap()).unwrap()
    }

    /// Every process that belongs to this stage, highest id first.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        processes::with_variable(&self.mark)
    }

    /// The lock is free, nobody waits, and no process is left.
    pub(crate) fn assert_clean(&self) {
        wait("every process to have gone", || self.processes().is_empty().then_some(()));
        let status = self.tfguard(&["status", "--json", "--check"]).output().unwrap();
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(status.status.success(), "the lock is not free: {text}");
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["queue"], serde_json::json!([]), "{text}");
    }

    /// Terraform has released its own lock and can read its state.
    pub(crate) fn assert_state_is_sound(&self) {
        assert!(!self.path(".terraform.tfstate.lock.info").exists(), "Terraform's own lock is left");
        let list = self.command("terraform").args(["state", "list"]).output().unwrap();
        assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// A process on a stage.
pub(crate) struct Run<'a> {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    stage: &'a Stage,
}

/// How it ended.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run<'_> {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn send(&self, signal: Signal) {
        processes::send(self.pid(), signal);
    }

    /// Its end, within [`BOUND`].
    pub(crate) fn finish(mut self) -> Finished {
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let deadline = Instant::now() + BOUND;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let (out, err) = (read(&self.out), read(&self.err));
                return Finished { code: status.code(), out, err };
            }
            let left: Vec<_> = self.stage.processes();
            assert!(
                Instant::now() < deadline,
                "it does not end: {left:?}\n{}\n{}\n{}",
                read(&self.out),
                read(&self.err),
                self.stage.log().text()
            );
            std::thread::sleep(LOOK);
        }
    }
}

const LOOK: Duration = Duration::from_millis(10);

/// What `look` finds, within [`BOUND`].
pub(crate) fn wait<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(BOUND, what, look)
}

/// What `look` finds, within `bound`.
pub(crate) fn wait_within<T>(bound: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

/// The log file of a stage.
pub(crate) struct Log(PathBuf);

impl Log {
    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// Every event so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        schema::log(&self.text())
    }

    /// The events of a type so far.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// Waits for `count` events of a type, and gives back the last of them.
    pub(crate) fn wait(&self, kind: &str, count: usize) -> Value {
        wait(&format!("{count} events {kind}"), || self.all(kind).into_iter().nth(count - 1))
    }

    /// What was done about every signal so far, as `SIGINT passed`.
    pub(crate) fn signals(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |event: Value| format!("{} {}", text(&event["name"]), text(&event["action"]));
        self.all("signal").into_iter().map(of).collect()
    }
}
