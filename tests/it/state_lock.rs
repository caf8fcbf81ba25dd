//! Terraform's own state lock on S3, in both of its forms, when a Terraform dies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::support::folder::Folder;
use super::support::moto::Moto;
use super::support::processes::descendants;
use super::support::schema;

/// A directory with an S3 backend, and a bucket behind it.
struct Site {
    moto: Moto,
    folder: Folder,
}

impl Site {
    fn new(locking: &str) -> Self {
        let moto = Moto::start();
        moto.create("states", "terraform-lock");
        let folder = Folder::new();
        let endpoint = &moto.endpoint;
        let backend = format!(
            r#"terraform {{
  backend "s3" {{
    bucket                      = "states"
    key                         = "a/terraform.tfstate"
    region                      = "eu-west-1"
    {locking}
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    endpoints                   = {{ s3 = "{endpoint}", dynamodb = "{endpoint}" }}
  }}
}}
resource "terraform_data" "slow" {{
  provisioner "local-exec" {{
    command = "echo up > ready; exec sleep 300"
  }}
}}
"#
        );
        fs::write(folder.path().join("main.tf"), backend).unwrap();
        let site = Self { moto, folder };
        let init = site.terraform(&["init", "-input=false"]);
        assert!(init.status.success(), "{init:?}");
        site
    }

    fn dynamodb() -> Self {
        Self::new(r#"dynamodb_table = "terraform-lock""#)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "y")
            .env("AWS_REGION", "eu-west-1")
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null());
        command
    }

    fn terraform(&self, args: &[&str]) -> Output {
        self.command(Path::new("terraform")).args(args).output().unwrap()
    }

    fn tfguard(&self, args: &[&str]) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_tfguard")));
        command.args(["--lock", "states/a/terraform.tfstate", "--table", "terraform-lock"]);
        command
            .args(["--endpoint-url", &self.moto.endpoint, "--lease", "10s", "--log-file", "log"])
            .args(args);
        command
    }

    /// Starts an apply and waits until its resource is being created.
    fn applying(&self, args: &[&str]) -> Child {
        let args: Vec<&str> = args.iter().copied().chain(["apply", "--", "-auto-approve"]).collect();
        let child = self.tfguard(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.until("the resource is being created", || self.path("ready").exists());
        child
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < end, "not within a minute: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The process id of the newest child of tfguard.
    fn terraform_pid(&self) -> u32 {
        let started =
            self.log().lines().rfind(|line| line.contains(r#""type":"child_started""#)).map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap()
            });
        u32::try_from(started.unwrap()).unwrap()
    }

    /// Whether the state is locked, in Terraform's own words.
    fn is_locked(&self) -> bool {
        let probe = self.terraform(&["force-unlock", "-force", "nobody"]);
        String::from_utf8_lossy(&probe.stderr).contains("Lock Info:")
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn the_lock_of_a_killed_terraform_is_freed(site: &Site) {
    let mut run = site.applying(&[]);
    assert!(site.is_locked());
    kill(site.terraform_pid());
    assert_eq!(run.wait().unwrap().code(), Some(137));
    let log = site.log();
    schema::log(&log);
    assert!(log.contains(r#""type":"state_lock_freed""#), "{log}");
    let (freed, released) = (log.find("state_lock_freed"), log.find(r#""type":"lock_released""#));
    assert!(freed < released, "freed after the release: {log}");
    assert!(!site.is_locked());
}

#[test]
fn it_is_freed_where_the_lock_is_an_item_in_dynamodb() {
    the_lock_of_a_killed_terraform_is_freed(&Site::dynamodb());
}

#[test]
fn it_is_freed_where_the_lock_is_an_object_beside_the_state() {
    the_lock_of_a_killed_terraform_is_freed(&Site::new("use_lockfile = true"));
}

#[test]
fn never_leaves_it_and_names_the_command() {
    let site = Site::dynamodb();
    let mut run = site.applying(&["--free-state-lock", "never"]);
    kill(site.terraform_pid());
    assert_eq!(run.wait().unwrap().code(), Some(137));
    assert!(!site.log().contains("state_lock_freed"));
    assert!(site.log().contains("force-unlock"), "{}", site.log());
    assert!(site.is_locked());
}

#[test]
fn somebody_elses_is_never_touched() {
    let site = Site::dynamodb();
    // Taken before our run, by a Terraform of the same user on the same machine.
    let mut other = site.command(Path::new("terraform"));
    let mut other =
        other.args(["apply", "-auto-approve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    site.until("the other one creates its resource", || site.path("ready").exists());
    std::thread::sleep(Duration::from_secs(3)); // more than the slack for two programs' clocks
    let run = site.tfguard(&["--free-state-lock", "takeover", "exec", "--", "true"]).output().unwrap();
    assert!(run.status.success());
    let run =
        site.tfguard(&["--free-state-lock", "takeover", "apply", "--", "-auto-approve"]).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(site.is_locked());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_dead_runs_lock_is_freed_by_takeover_only() {
    let site = Site::dynamodb();
    let mut run = site.applying(&[]);
    the_machine_dies(&mut run);
    assert!(site.is_locked());
    fs::remove_file(site.path("ready")).unwrap();

    let next = site.tfguard(&["plan"]).output().unwrap();
    assert_eq!(next.status.code(), Some(1), "Terraform's own lock holds: {next:?}");
    let log = site.log();
    assert!(
        log.contains("is left by run 1, which did not end well") && log.contains("force-unlock"),
        "{log}"
    );
    assert!(site.is_locked());
}

#[test]
fn takeover_frees_what_a_dead_run_left() {
    let site = Site::dynamodb();
    let mut run = site.applying(&[]);
    the_machine_dies(&mut run);
    assert!(site.is_locked());

    let next = site.tfguard(&["--free-state-lock", "takeover", "plan"]).output().unwrap();
    assert_eq!(next.status.code(), Some(0), "{next:?}");
    assert!(site.log().contains(r#""type":"state_lock_freed""#), "{}", site.log());
    assert!(!site.is_locked());
}

/// Everything of the run is killed, also what Terraform started.
fn the_machine_dies(run: &mut Child) {
    let supervisor = rustix::process::Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap();
    // So that no other guardian is posted in between.
    rustix::process::kill_process(supervisor, rustix::process::Signal::STOP).unwrap();
    let family = descendants(supervisor);
    kill(guardian_of(run.id()));
    run.kill().unwrap();
    run.wait().unwrap();
    for pid in family {
        // The guardian, and whoever ended with its parent, is gone already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The guardian is the child that is no Terraform.
fn guardian_of(supervisor: u32) -> u32 {
    let threads = fs::read_dir(format!("/proc/{supervisor}/task")).unwrap().flatten();
    // A thread that has ended gives its children to another.
    let children: String =
        threads.flat_map(|thread| fs::read_to_string(thread.path().join("children"))).collect();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .find(|pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline")).unwrap().windows(10).any(|part| part == b"--tfguard-")
        })
        .unwrap()
}
