//! The program, run as a CI would run it, with nothing but what the test gives it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::folder::Folder;
use crate::support::schema;

/// Longer than anything here takes; a test that waits for it has failed.
pub(super) const BOUND: Duration = Duration::from_secs(40);

/// A run that was started, its NDJSON lines as they come.
pub(super) struct Run {
    child: Child,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

/// A run that has ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    /// Everything that it printed, on both streams.
    pub(super) text: String,
}

impl Ended {
    /// The events of this type.
    pub(super) fn events(&self, kind: &str) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.inspect(schema::check_line);
        lines.filter(|line| line["type"] == kind).collect()
    }
}

/// `exec` of a shell script in `home`, under lock `prod`.
pub(super) fn exec(home: &Folder, options: &[&str], vars: &[(&str, &str)], script: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfguard"));
    command
        .args(["exec", "--lock", "prod", "--log-format", "json", "-v"])
        .args(options)
        .args(["--", "sh", "-c", script])
        .current_dir(home.path())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "eu-west-1")
        .envs(vars.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let log = Arc::new(Log::default());
    let readers = vec![
        read(child.stdout.take().unwrap(), Arc::clone(&log)),
        read(child.stderr.take().unwrap(), Arc::clone(&log)),
    ];
    Run { child, log, readers }
}

fn read(stream: impl Read + Send + 'static, log: Arc<Log>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.lines.lock().unwrap().push(line);
            log.changed.notify_all();
        }
    })
}

impl Run {
    /// Waits for an event of this type, and gives back its text.
    pub(super) fn wait_for(&self, kind: &str) -> String {
        let part = format!("\"type\":\"{kind}\"");
        let lines = self.log.lines.lock().unwrap();
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(&part)).cloned();
        let (lines, timeout) =
            self.log.changed.wait_timeout_while(lines, BOUND, |lines| found(lines).is_none()).unwrap();
        assert!(!timeout.timed_out(), "no {kind} in:\n{}", lines.join("\n"));
        found(&lines).unwrap()
    }

    /// How many events of this type have come so far.
    pub(super) fn count(&self, kind: &str) -> usize {
        let part = format!("\"type\":\"{kind}\"");
        self.log.lines.lock().unwrap().iter().filter(|line| line.contains(&part)).count()
    }

    /// Kills the supervisor alone.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Everything that it has printed so far.
    pub(super) fn text(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Ended {
        let end = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Ended { code: status.code(), text: self.text() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Its guardian sees to the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script that says nothing, and goes on until `file` exists.
pub(super) fn until(file: &Path) -> String {
    format!("until [ -e '{}' ]; do sleep 0.05; done", file.display())
}

/// Waits until `done`, which nothing tells us of.
pub(super) fn eventually(what: impl AsRef<str>, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !done() {
        assert!(Instant::now() < end, "in vain: {}", what.as_ref());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A time this many seconds from now, as AWS writes it.
pub(crate) fn in_seconds(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    format!("{at:.3}")
}

/// AWS files whose profile `ops` has a credential process that lends `AKIDPROCESS1`, `AKIDPROCESS2`
/// and so on for so many seconds each, counted from now; the last ones again and again. Each time
/// it is asked it adds a line to `asked`. Gives back the configuration file.
pub(super) fn lender(home: &Folder, seconds: &[i64]) -> PathBuf {
    let file = |name: &str| home.path().join(name);
    for (number, seconds) in (1..).zip(seconds) {
        let keys = serde_json::json!({
            "Version": 1, "AccessKeyId": format!("AKIDPROCESS{number}"), "Expiration": in_seconds(*seconds),
            "SecretAccessKey": "secret-of-the-process", "SessionToken": "token-of-the-process",
        });
        std::fs::write(file(&format!("keys-{number}")), keys.to_string()).unwrap();
    }
    let script = format!(
        "cd '{}' && echo asked >> asked && n=$(wc -l < asked)\n[ $n -le {last} ] || n={last}\ncat keys-$((n))\n",
        home.path().display(),
        last = seconds.len(),
    );
    std::fs::write(file("lender"), script).unwrap();
    std::fs::write(file("asked"), "").unwrap();
    let profile = format!("[profile ops]\ncredential_process = sh {}\n", file("lender").display());
    std::fs::write(file("config"), profile).unwrap();
    file("config")
}
