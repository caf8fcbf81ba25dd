//! A store with many locks, and a project to run in.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::dynamo::{Engine, Shape};
use crate::support::folder::Folder;
use crate::support::project::Project;
use crate::support::run::{BOUND, Run, Started};

pub(super) const US: &str = env!("CARGO_BIN_EXE_tfguard");

const TABLE: &str = "locks";

enum Store {
    Local(Folder),
    Dynamodb(Engine),
}

pub(super) struct Hall {
    pub(super) project: Project,
    store: Store,
}

impl Hall {
    pub(super) fn local() -> Self {
        Self { project: Project::empty(), store: Store::Local(Folder::new()) }
    }

    pub(super) fn dynamodb() -> Self {
        let engine = Engine::start();
        engine.create_table(TABLE, Shape::Right);
        Self { project: Project::empty(), store: Store::Dynamodb(engine) }
    }

    pub(super) fn run(&self) -> Run {
        let run = Run::new(&self.project);
        match &self.store {
            Store::Local(folder) => {
                run.env("TFGUARD_STORE", "local").env("TFGUARD_LOCAL_DIR", folder.path().join("locks"))
            }
            Store::Dynamodb(engine) => {
                run.env("TFGUARD_TABLE", TABLE).env("TFGUARD_ENDPOINT_URL", &engine.endpoint)
            }
        }
    }

    /// `exec` of a shell script under `locks`, in the order in which they are given.
    pub(super) fn exec(&self, locks: &[&str], options: &[&str], script: &str) -> Run {
        let locks = locks.iter().flat_map(|lock| ["--lock", lock]);
        self.run().arg("exec").args(locks).args(options).args(["--", "sh", "-c", script])
    }

    /// Holds `locks` until its standard input ends. It holds them when this returns.
    pub(super) fn hold(&self, locks: &[&str]) -> Started {
        let mut holder = self.exec(locks, &[], "exec cat").stdin_open().start();
        holder.wait_for("child_started");
        holder
    }

    /// The lock as `status --json` shows it.
    pub(super) fn status(&self, lock: &str) -> Value {
        let shown = self.run().args(["status", "--json", "--lock", lock]).output().exits(0);
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    /// Checks that nobody holds any of the locks and nobody waits.
    #[track_caller]
    pub(super) fn assert_free(&self, locks: &[&str]) {
        for lock in locks {
            let status = self.status(lock);
            assert_eq!(
                (&status["state"], &status["queue"]),
                (&"free".into(), &Value::Array(vec![])),
                "{status}"
            );
        }
    }

    /// How the last run under the lock ended.
    pub(super) fn outcome(&self, lock: &str) -> String {
        self.status(lock)["last"]["outcome"].as_str().unwrap_or_default().to_owned()
    }
}

/// Waits until the guardian of a run that was killed has released this many locks. It writes into
/// the same log file. Which ones, in order.
pub(super) fn released_by_guardian(run: &Started, count: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let released = locks_of(&run.events(), "lock_released");
        if released.len() == count {
            return released;
        }
        assert!(start.elapsed() < BOUND, "only {released:?} are released: {}", run.stderr_so_far());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The locks of the events of this type, in order.
pub(super) fn locks_of(events: &[Value], kind: &str) -> Vec<String> {
    let events = events.iter().filter(|event| event["type"] == kind);
    events.map(|event| event["lock"].as_str().unwrap().to_owned()).collect()
}

/// Each test once over local files and once over DynamoDB.
macro_rules! over_both {
    ($($name:ident),+ $(,)?) => {
        mod local {
            $(#[test] fn $name() { super::$name(&crate::locks::hall::Hall::local()); })+
        }
        mod dynamodb {
            $(#[test] fn $name() { super::$name(&crate::locks::hall::Hall::dynamodb()); })+
        }
    };
}
pub(super) use over_both;
