//! A project with hooks that write down what they are told.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde_json::Value;

use crate::e2e::locks::Locks;
use crate::support::processes;
use crate::support::project::Project;
use crate::support::run::{BOUND, Run};
use crate::support::schema;

/// Appends a line to `told`, in one write.
const TELL: &str = r#"line="$TFGUARD_HOOK|$TFGUARD_HOOK_LOCK|${TFGUARD_HOOK_GENERATION:-none}|$TFGUARD_HOOK_SESSION|$(cat)"
printf '%s\n' "$line" >> told"#;

/// Says who it is, and never ends by itself. `$1` is the file that holds its process id.
const HANG: &str = r#"echo $$ > "$1.part"; mv "$1.part" "$1"; while :; do sleep 1; done"#;

/// What a hook was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) hook: String,
    pub(super) lock: String,
    pub(super) generation: String,
    pub(super) session: String,
    pub(super) event: Value,
}

pub(super) struct Site {
    pub(super) locks: Locks,
    pub(super) project: Project,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::over(Locks::local())
    }

    pub(super) fn over(locks: Locks) -> Self {
        let project = Project::empty();
        project.script("tell", TELL);
        project.script("hang", HANG);
        Self { locks, project }
    }

    /// `exec` of a shell script with these hooks, each as `EVENT=COMMAND`.
    pub(super) fn exec(&self, hooks: &[&str], options: &[&str], script: &str) -> Run {
        let hooks = hooks.iter().flat_map(|hook| ["--hook", hook]);
        let run = self.locks.run(&self.project).arg("exec").args(hooks).args(options);
        run.args(["--", "sh", "-c", script])
    }

    /// All that hooks were told so far, each event checked against the schema, in the order of the events: hooks of
    /// different kinds run beside each other.
    pub(super) fn told(&self) -> Vec<Told> {
        let tell = |line: String| {
            let mut parts = line.splitn(5, '|').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_else(|| panic!("half a line: {line}"));
            let [hook, lock, generation, session] = std::array::from_fn(|_| next());
            let event = serde_json::from_str(&next()).unwrap();
            schema::check_line(&event);
            Told { hook, lock, generation, session, event }
        };
        let mut told: Vec<Told> = self.project.lines("told").into_iter().map(tell).collect();
        told.sort_by_key(|told| told.event["@timestamp"].as_str().unwrap().to_owned());
        told
    }

    /// Which hooks were told something, in order.
    pub(super) fn hooks(&self) -> Vec<String> {
        self.told().into_iter().map(|told| told.hook).collect()
    }

    /// The process id that is in a file, once it is there.
    pub(super) fn pid(&self, file: &str) -> Pid {
        let pid = wait(&format!("the file {file}"), || self.project.read(file).trim().parse().ok());
        Pid::from_raw(pid).unwrap()
    }
}

pub(super) fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < BOUND, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(super) fn gone(pid: Pid) {
    wait(&format!("the end of {pid:?}"), || (!processes::is_alive(pid)).then_some(()));
}

/// The ends of these hooks, as the log tells of them: hook and result.
pub(super) fn results(events: &[Value]) -> Vec<(&str, &str)> {
    let finished = events.iter().filter(|event| event["type"] == "hook_finished");
    finished.map(|event| (event["hook"].as_str().unwrap(), event["result"].as_str().unwrap())).collect()
}
