//! A job on a GitHub runner: starts the action as the runner does, reads its log as the runner
//! does, cancels it as the runner does, and cleans up after it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::recipes;
use crate::guardian::process::{marked, signal};
use crate::guardian::stage::{Over, Stage, wait_for};

/// How long the runner waits after SIGINT, and after SIGTERM.
#[derive(Clone, Copy)]
pub(super) struct Patience(Duration, Duration);

/// As GitHub's runner has it.
pub(super) const FULL: Patience = Patience(Duration::from_millis(7500), Duration::from_millis(2500));
/// The same in a quarter of the time.
pub(super) const QUICK: Patience = Patience(Duration::from_millis(1875), Duration::from_millis(625));
/// A stream that is open for longer than this after the step's end makes the runner wait.
const STREAMS: Duration = Duration::from_secs(5);

/// What it took to end a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    Interrupt,
    Terminate,
    Kill,
}

/// A job with one step that uses the action.
pub(super) struct Job<'a> {
    stage: &'a Stage,
    name: String,
    folder: PathBuf,
    temp: PathBuf,
    tracking: String,
    inputs: BTreeMap<String, String>,
    work: String,
}

impl<'a> Job<'a> {
    /// An apply as the run `name` that works for `work` seconds.
    pub(super) fn new(stage: &'a Stage, name: &str, work: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = stage.path(&format!("job.{name}"));
        fs::create_dir_all(folder.join("temp")).unwrap();
        for file in ["state", "output", "path", "env", "summary.main", "summary.post"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let declared = recipes::action()["inputs"].as_object().unwrap();
        let default = |input: &serde_json::Value| input["default"].as_str().unwrap_or_default().to_owned();
        let inputs = declared.iter().map(|(name, input)| (name.clone(), default(input))).collect();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tracking = format!("github_{}-{number}", std::process::id());
        let mut job = Self {
            stage,
            name: name.into(),
            temp: folder.join("temp"),
            folder,
            tracking,
            inputs,
            work: work.into(),
        };
        let terraform = stage.path("terraform").display().to_string();
        let local_dir = stage.path("locks").display().to_string();
        job = job.with(&[
            ("command", "apply"),
            ("args", "-no-color"),
            ("auto-approve", "true"),
            ("version", "path"),
            ("lock", "stage"),
            ("lease", "10s"),
            ("init", "never"),
            ("terraform-bin", &terraform),
        ]);
        match stage.over {
            Over::Local => job.with(&[("store", "local"), ("local-dir", &local_dir)]),
            Over::Dynamo => job.with(&[
                ("table", "locks"),
                ("region", "eu-west-1"),
                ("endpoint-url", &stage.proxy.endpoint()),
            ]),
            Over::S3 => job.with(&[
                ("store", "s3"),
                ("bucket", &stage.bucket),
                ("region", "eu-west-1"),
                ("endpoint-url", &stage.proxy.endpoint()),
            ]),
        }
    }

    /// With other inputs. Those that nobody declared fail the test.
    pub(super) fn with(mut self, inputs: &[(&str, &str)]) -> Self {
        for (name, value) in inputs {
            let known = self.inputs.insert((*name).into(), (*value).into());
            assert!(known.is_some(), "the action has no input {name}");
        }
        self
    }

    /// In the same job: one temporary folder, one mark of the runner.
    pub(super) fn in_the_job_of(mut self, other: &Self) -> Self {
        self.temp = other.temp.clone();
        self.tracking = other.tracking.clone();
        self
    }

    /// Any command instead of Terraform.
    pub(super) fn exec(self, args: &str) -> Self {
        self.with(&[("command", "exec"), ("auto-approve", "false"), ("init", ""), ("args", args)])
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// node with the script that `runs` names, in the environment of an action's step.
    pub(super) fn node(&self, script: &str) -> Command {
        let mut command = self.stage.bare("node");
        let program = Path::new(env!("CARGO_BIN_EXE_tfguard")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        command
            .arg(recipes::root(recipes::action()["runs"][script].as_str().unwrap()))
            .env("PATH", path)
            .env("STAGE_RUN", &self.name)
            .env("STAGE_WORK", &self.work)
            .env("TF_VAR_run", &self.name)
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_REPOSITORY", "acme/infra")
            .env("GITHUB_RUN_ID", "42")
            .env("GITHUB_WORKSPACE", self.stage.path(""))
            // Each step has a page of its own, which is taken when the step ends.
            .env("GITHUB_STEP_SUMMARY", self.path(&format!("summary.{script}")))
            .env("RUNNER_TEMP", &self.temp)
            .env("RUNNER_TOOL_CACHE", self.path("tools"))
            .env("RUNNER_TRACKING_ID", &self.tracking)
            // What actions have and steps of a user's own have not.
            .env("ACTIONS_RUNTIME_TOKEN", "hush")
            .env("ACTIONS_RESULTS_URL", "https://results.example");
        for file in ["state", "output", "path", "env"] {
            command.env(format!("GITHUB_{}", file.to_uppercase()), self.path(file));
        }
        for (name, value) in &self.inputs {
            command.env(format!("INPUT_{}", name.replace(' ', "_").to_uppercase()), value);
        }
        command
    }

    /// Starts the step.
    pub(super) fn main(&self) -> Step {
        Step::start(self.node("main"))
    }

    /// Starts the step and waits until its command works.
    pub(super) fn working(&self) -> Step {
        let step = self.main();
        let ready = self.stage.path(&format!("ready.{}", self.name));
        wait_for("the command to work", || {
            assert!(step.lives(), "{}", step.text());
            ready.exists()
        });
        step
    }

    /// Runs the step to its end.
    pub(super) fn run(&self) -> Ended {
        self.main().end()
    }

    /// Runs what comes after the job.
    pub(super) fn post(&self) -> Ended {
        let mut command = self.node("post");
        for (name, value) in pairs(&self.path("state")) {
            command.env(format!("STATE_{name}"), value);
        }
        Step::start(command).end()
    }

    /// What the runner does last: it kills every process that has the job's mark.
    pub(super) fn sweep(&self) -> usize {
        let left = marked("RUNNER_TRACKING_ID", &self.tracking);
        left.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
        left.len()
    }

    /// An output of the step.
    pub(super) fn output(&self, name: &str) -> String {
        pairs(&self.path("output")).remove(name).unwrap_or_default()
    }

    /// The page of `main` or `post`.
    pub(super) fn page(&self, script: &str) -> String {
        fs::read_to_string(self.path(&format!("summary.{script}"))).unwrap()
    }

    /// What tfguard and its command have printed.
    pub(super) fn printed(&self) -> Vec<u8> {
        fs::read(self.file("output")).unwrap()
    }

    /// The processes of this run.
    pub(super) fn processes(&self) -> Vec<i32> {
        marked("STAGE_RUN", &self.name)
            .into_iter()
            .filter(|pid| self.stage.processes().contains(pid))
            .collect()
    }

    /// tfguard itself, by its number in the action's notes.
    pub(super) fn supervisor(&self) -> i32 {
        let file = self.file("run.json");
        wait_for("the run to be noted", || file.exists());
        let facts: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        i32::try_from(facts["pid"].as_i64().unwrap()).unwrap()
    }

    /// A file in the run's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let folder = || pairs(&self.path("state")).remove("run");
        wait_for("the run's folder", || folder().is_some());
        PathBuf::from(folder().unwrap()).join(name)
    }
}

/// `NAME<<DELIMITER`, lines, `DELIMITER`.
fn pairs(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let mut pairs = BTreeMap::new();
    while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        pairs.insert(name.to_owned(), value.join("\n"));
    }
    pairs
}

/// A step under way. On drop its process is killed, and only that.
pub(super) struct Step {
    child: Arc<Mutex<Child>>,
    read: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

/// A step that is over.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// What it wrote, as it wrote it.
    pub(super) raw: Vec<u8>,
    /// What of that the runner shows.
    pub(super) shown: Vec<u8>,
    /// Lines that the runner took for commands.
    pub(super) commands: Vec<String>,
}

impl Ended {
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{:?} {}", self.signal, self.text());
        self
    }

    #[track_caller]
    pub(super) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text().contains(part), "{part:?} is not in: {}", self.text());
        }
        self
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

impl Step {
    pub(super) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("node runs: ci/test installs it");
        let read = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = streams.map(|mut stream| {
            let read = Arc::clone(&read);
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut chunk) {
                    read.lock().unwrap().extend_from_slice(&chunk[..length]);
                }
            })
        });
        Self { child: Arc::new(Mutex::new(child)), read, readers: readers.into() }
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.lock().unwrap().id()).unwrap()
    }

    pub(super) fn lives(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// What it has written so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned()
    }

    pub(super) fn wait_for(&self, text: &str) {
        wait_for(&format!("{text:?} in the log of the step"), || {
            let found = self.text().contains(text);
            assert!(found || self.lives(), "{}", self.text());
            found
        });
    }

    /// What the runner does when the job is cancelled: SIGINT, SIGTERM, SIGKILL, each after its
    /// time, all to this process only. The last one that was needed.
    pub(super) fn cancel(&self, patience: Patience) -> Blow {
        signal(self.pid(), libc::SIGINT);
        if self.ends_within(patience.0) {
            return Blow::Interrupt;
        }
        signal(self.pid(), libc::SIGTERM);
        if self.ends_within(patience.1) {
            return Blow::Terminate;
        }
        self.kill();
        Blow::Kill
    }

    pub(super) fn kill(&self) {
        signal(self.pid(), libc::SIGKILL);
    }

    /// Waits until it is dead, as the runner does before it goes on to `post`.
    pub(super) fn child_is_reaped(&self) {
        wait_for("the step to be dead", || !self.lives());
    }

    fn ends_within(&self, limit: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < limit {
            if !self.lives() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Waits for its end. A stream that somebody keeps open after it fails the test.
    pub(super) fn end(mut self) -> Ended {
        wait_for("the step to end", || !self.lives());
        let status = self.child.lock().unwrap().wait().unwrap();
        let ended = Instant::now();
        while !self.readers.iter().all(JoinHandle::is_finished) {
            assert!(ended.elapsed() < STREAMS, "somebody keeps the step's stdout open: {}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.readers.clear();
        let raw = self.read.lock().unwrap().clone();
        let (shown, commands) = interpret(&raw);
        Ended { code: status.code(), signal: status.signal(), raw, shown, commands }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        if child.try_wait().unwrap().is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How the runner reads a log: what it shows, and what it takes for commands.
fn interpret(raw: &[u8]) -> (Vec<u8>, Vec<String>) {
    let (mut shown, mut commands) = (Vec::new(), Vec::new());
    let mut stopped: Option<String> = None;
    for bytes in raw.split_inclusive(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(bytes);
        let line = line.trim();
        let command = line.starts_with("::") || line.contains("##[");
        match (&stopped, line.strip_prefix("::stop-commands::")) {
            (Some(token), _) if line == format!("::{token}::") => stopped = None,
            (None, Some(token)) => stopped = Some(token.to_owned()),
            (None, None) if command => commands.push(line.to_owned()),
            _ => shown.extend_from_slice(bytes),
        }
    }
    assert_eq!(stopped, None, "the log ends with commands stopped");
    (shown, commands)
}
