//! The program itself, run as users run it, in an environment that holds nothing but what the test
//! gave it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::processes;
use super::project::Project;
use super::schema;

/// Long enough for whatever happens on one machine. Whoever waits longer has failed.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A run of tfguard to be.
///
/// It has dummy credentials, a home of its own, and a log file, in which [`Started::wait_for`] sees
/// what happens. It is no terminal's foreground process, wherever the tests themselves run. Its
/// output goes into files, so that nothing waits for a reader.
pub(crate) struct Run {
    command: Command,
    log: PathBuf,
    out: PathBuf,
    err: PathBuf,
}

impl Run {
    /// In the directory of `project`.
    pub(crate) fn new(project: &Project) -> Self {
        Self::program(env!("CARGO_BIN_EXE_tfguard"), project)
    }

    /// Another program, in the same environment.
    pub(crate) fn program(program: impl AsRef<OsStr>, project: &Project) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let home = project.home();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| home.join(format!("{kind}-{number}"));
        let (log, out, err) = (file("log"), file("out"), file("err"));
        let mut command = Command::new(program);
        command
            .current_dir(project.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("TMPDIR", std::env::temp_dir())
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", home.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", home.join("no-credentials"))
            .env("TFGUARD_LOG_FILE", &log)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(File::create_new(&out).unwrap())
            .stderr(File::create_new(&err).unwrap());
        Self { command, log, out, err }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Standard input is a pipe that stays open until [`Started::close_stdin`].
    pub(crate) fn stdin_open(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// The command without its streams and outside any group, for a terminal's session to be led by.
    #[cfg(target_os = "linux")]
    pub(crate) fn into_command(self) -> Command {
        let mut plain = Command::new(self.command.get_program());
        let set = self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        plain.env_clear().envs(set).current_dir(self.command.get_current_dir().unwrap());
        plain
    }

    /// Starts it.
    pub(crate) fn start(self) -> Started {
        let Self { mut command, log, out, err } = self;
        let child = command.spawn().unwrap();
        // With the command goes our copy of the streams that it was given.
        drop(command);
        Started { child, log, out, err, status: None }
    }

    /// Runs it to its end.
    pub(crate) fn output(self) -> Finished {
        self.start().finish()
    }
}

/// A run under way. On drop it is killed with all that it started.
pub(crate) struct Started {
    child: Child,
    log: PathBuf,
    out: PathBuf,
    err: PathBuf,
    status: Option<ExitStatus>,
}

impl Started {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// Kills the supervisor, as the system's memory killer does.
    pub(crate) fn kill(&self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
    }

    /// The events in the log file so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.log)
    }

    pub(crate) fn stderr_so_far(&self) -> String {
        text(&self.err)
    }

    pub(crate) fn stdout_so_far(&self) -> Vec<u8> {
        std::fs::read(&self.out).unwrap_or_default()
    }

    /// Waits for the first event of this type.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Value {
        self.wait_for_nth(kind, 1)
    }

    /// Waits for the event of this type before which there are `nth - 1`.
    pub(crate) fn wait_for_nth(&mut self, kind: &str, nth: usize) -> Value {
        self.wait_until(&format!("event number {nth} of type {kind}"), |run| {
            run.events().into_iter().filter(|event| event["type"] == kind).nth(nth - 1)
        })
    }

    /// Waits until `look` finds something. What is found after the end counts too.
    pub(crate) fn wait_until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let over = self.poll().is_some();
            if let Some(found) = look(self) {
                return found;
            }
            assert!(!over && start.elapsed() < BOUND, "waited for {what} in vain\n{}", self.account());
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.poll() {
                break status;
            }
            assert!(start.elapsed() < BOUND, "it does not end\n{}", self.account());
            std::thread::sleep(LOOK);
        };
        let finished = Finished {
            status,
            stdout: self.stdout_so_far(),
            stderr: self.stderr_so_far(),
            events: self.events(),
        };
        finished.events.iter().for_each(schema::check_line);
        finished.lines().iter().for_each(schema::check_line);
        for sign in ["panicked at", "RUST_BACKTRACE", "this is a bug in tfguard"] {
            assert!(!finished.stderr.contains(sign), "{}", self.account());
        }
        finished
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    fn account(&self) -> String {
        let Self { status, log, .. } = self;
        let stdout = String::from_utf8_lossy(&self.stdout_so_far()).chars().take(4000).collect::<String>();
        format!("status: {status:?}\nstdout: {stdout}\nstderr: {}\nlog: {}", self.stderr_so_far(), text(log))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.poll().is_some() {
            return;
        }
        let family = processes::descendants(self.pid());
        let _ = self.child.kill();
        for pid in family {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// The events in its log file.
    pub(crate) events: Vec<Value>,
}

impl Finished {
    /// Its exit code. A signal that ended it fails the test: tfguard has codes for everything.
    pub(crate) fn code(&self) -> i32 {
        let signal = self.status.signal();
        self.status.code().unwrap_or_else(|| panic!("tfguard itself was ended by {signal:?}"))
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stderr: {}\nstdout: {}", self.stderr, self.stdout_text());
        self
    }

    /// Checks that stderr has all of these in it.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
        self
    }

    /// Checks that stderr has none of these in it.
    #[track_caller]
    pub(crate) fn never_says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.stderr.contains(part), "{part:?} is in: {}", self.stderr);
        }
        self
    }

    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The lines of the log on stdout, where there is one.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let log = self.stdout.starts_with(b"{\"@level\":\"");
        let lines = self.stdout.split(|byte| *byte == b'\n').filter(|line| log && !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The types of its events, in order.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    /// Its only event of this type.
    #[track_caller]
    pub(crate) fn event(&self, kind: &str) -> &Value {
        let mut found = self.events.iter().filter(|event| event["type"] == kind);
        let event = found.next().unwrap_or_else(|| panic!("no {kind} among {:?}", self.kinds()));
        assert!(found.next().is_none(), "more than one {kind} among {:?}", self.kinds());
        event
    }
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The whole lines of a log file.
fn events(log: &Path) -> Vec<Value> {
    let text = text(log);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
