//! A directory with a configuration, and tfguard in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::dynamo::{Engine, Shape};
use crate::support::folder::Folder;
use crate::support::schema;

/// One resource, whose content is a variable.
pub(super) const PLAIN: &str =
    "variable \"v\" {\n  default = \"one\"\n}\nresource \"terraform_data\" \"x\" {\n  input = var.v\n}\n";

/// Where the lock lives.
pub(super) enum Lock<'a> {
    /// In a folder of this name, relative to the site's parent.
    Local,
    /// In the table `locks` of this engine.
    Dynamo(&'a Engine),
}

pub(super) fn engine() -> Engine {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    engine
}

/// The configuration lies in a folder `a site` below `folder`, which tfguard is told with `-C`.
pub(super) struct Site {
    folder: Folder,
    store: Vec<String>,
}

impl Site {
    pub(super) fn new(lock: &Lock<'_>, configuration: &str) -> Self {
        let folder = Folder::new();
        let store = match lock {
            Lock::Local => {
                let dir = folder.path().join("locks");
                vec!["--store".into(), "local".into(), "--local-dir".into(), dir.to_str().unwrap().into()]
            }
            Lock::Dynamo(engine) => {
                vec!["--table".into(), "locks".into(), "--endpoint-url".into(), engine.endpoint.clone()]
            }
        };
        let site = Self { folder, store };
        fs::create_dir(site.dir()).unwrap();
        fs::write(site.path("main.tf"), configuration).unwrap();
        site
    }

    /// The directory of the configuration.
    pub(super) fn dir(&self) -> PathBuf {
        self.folder.path().join("a site")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// A command beside the directory, with nothing in its environment that it does not need.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        // `tfguard` itself is found by those who read a command of ours aloud.
        let own = Path::new(env!("CARGO_BIN_EXE_tfguard")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(own.to_owned()).chain(std::env::split_paths(&path)));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path.unwrap())
            .env("HOME", self.folder.path())
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "y")
            .env("AWS_REGION", "eu-west-1")
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null());
        command
    }

    /// tfguard on the lock `prod`, in the directory; its events are in [`Site::events`].
    pub(super) fn tfguard(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_tfguard"));
        command.args(["-C", "a site", "--lock", "prod", "--lease", "10s", "--log-file", "log"]);
        command.args(&self.store).args(args);
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        let _ = fs::remove_file(self.folder.path().join("log"));
        self.tfguard(args).output().unwrap()
    }

    /// Runs and expects an exit code; gives back what was said on stderr.
    pub(super) fn expect(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{}{stderr}", text(&output.stdout));
        stderr
    }

    /// The events of the runs since the last [`Site::run`], that one included.
    pub(super) fn events(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        schema::log(&log)
    }

    /// The events of a type.
    pub(super) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// The document of `status --json`.
    pub(super) fn status(&self) -> Value {
        let output = self.tfguard(&["status", "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
