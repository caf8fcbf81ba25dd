//! `errored.tfstate`: kept, told of, pushed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::backend::Backend;
use super::site::{Lock, PLAIN, Site, engine};

fn site(lock: &Lock<'_>, backend: &Backend) -> Site {
    Site::new(lock, &(backend.configuration() + PLAIN))
}

/// An apply whose state cannot be written; where it was kept.
fn failed_apply(site: &Site) -> PathBuf {
    let said = site.expect(1, &["apply", "--", "-auto-approve"]);
    let event = site.events_of("state_rescued").pop().unwrap();
    let path = event["path"].as_str().unwrap();
    assert!(said.contains(path), "{said}");
    path.into()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The whole way: a write that fails, the warning to those after, the push, a clean lock again.
fn is_kept_and_pushed(lock: &Lock<'_>) {
    let backend = Backend::read_only();
    let site = site(lock, &backend);
    let kept = failed_apply(&site);
    assert_eq!(kept.parent().unwrap(), site.path(".tfguard/rescue"));
    assert!(!site.path("errored.tfstate").exists());
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(mode(kept.parent().unwrap()), 0o700);
    let rescued = site.events_of("state_rescued").pop().unwrap();
    assert_eq!((&rescued["@level"], &rescued["run"]), (&json!("error"), &json!(1)));
    let marked = site.status();
    assert_eq!(marked["needs_recovery"][0]["path"], json!(kept));
    assert_eq!((&marked["needs_recovery"][0]["run"], &marked["state"]), (&json!(1), &json!("free")));

    let said = site.expect(0, &["plan"]);
    assert!(said.contains("needs recovery: the state of run 1"), "{said}");
    assert!(said.contains(kept.to_str().unwrap()), "{said}");
    let said = site.expect(75, &["--require-clean", "plan"]);
    assert!(said.contains("--require-clean"), "{said}");
    assert_eq!(site.events_of("child_started"), Vec::<Value>::new());
    assert_eq!(site.events_of("run_summary")[0]["outcome"], "refused");

    // The very command that was told, also where a whole job demands clean locks.
    backend.recover();
    let command = rescued["command"].as_str().unwrap();
    let pushed = site.command("sh").args(["-c", command]).env("TFGUARD_REQUIRE_CLEAN", "1").output().unwrap();
    assert!(pushed.status.success(), "{command}\n{pushed:?}");
    assert!(backend.state().unwrap().contains("terraform_data"));
    assert_eq!(site.status()["needs_recovery"], json!([]));
    // What the failed run made is known: there is nothing left to do.
    let said = site.expect(0, &["--require-clean", "plan", "--", "-detailed-exitcode"]);
    assert!(!said.contains("needs recovery"), "{said}");
    assert!(kept.exists(), "a pushed state is the user's to remove");
}

#[test]
fn a_state_that_could_not_be_written_is_kept_and_pushed_with_local_locks() {
    is_kept_and_pushed(&Lock::Local);
}

#[test]
fn a_state_that_could_not_be_written_is_kept_and_pushed_with_locks_in_dynamodb() {
    is_kept_and_pushed(&Lock::Dynamo(&engine()));
}

#[test]
fn every_failure_is_kept_until_its_file_is_pushed_or_a_person_says_so() {
    let backend = Backend::read_only();
    let site = site(&Lock::Local, &backend);
    let safe = site.dir().join("../safe");
    let safe = safe.to_str().unwrap();
    let kept: Vec<PathBuf> = (0..2)
        .map(|_| {
            site.expect(1, &["--rescue-dir", safe, "apply", "--", "-auto-approve"]);
            site.events_of("state_rescued")[0]["path"].as_str().unwrap().into()
        })
        .collect();
    assert!(kept[0] != kept[1] && kept.iter().all(|path| path.exists()));
    let marks = |site: &Site| site.status()["needs_recovery"].as_array().unwrap().len();
    assert_eq!(marks(&site), 2);
    // A push that fails settles nothing.
    let push =
        |path: &Path| ["exec", "--", "terraform", "state", "push", path.to_str().unwrap()].map(str::to_owned);
    let args = push(&kept[1]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    site.expect(1, &args);
    assert_eq!(marks(&site), 2);
    backend.recover();
    site.expect(0, &args);
    assert_eq!(marks(&site), 1);
    site.expect(64, &["unlock", "--recovered", "--reason", "imported by hand"]);
    site.expect(0, &["unlock", "--recovered", "--reason", "imported by hand", "--yes"]);
    assert_eq!(marks(&site), 0);
}

#[test]
fn what_lay_there_before_is_not_taken_for_the_runs_own() {
    let site = Site::new(&Lock::Local, PLAIN);
    fs::write(site.path("errored.tfstate"), "of long ago").unwrap();
    site.expect(1, &["exec", "--", "false"]);
    assert_eq!(fs::read_to_string(site.path("errored.tfstate")).unwrap(), "of long ago");
    assert_eq!(site.status()["needs_recovery"], json!([]));
}

#[test]
fn under_an_ancestors_lock_the_mark_is_set_and_cleared_too() {
    let backend = Backend::read_only();
    let site = site(&Lock::Local, &backend);
    let own = env!("CARGO_BIN_EXE_tfguard");
    let local = site.dir().join("../locks");
    let local = local.canonicalize().unwrap_or(local);
    let inner = [own, "--lock", "prod", "--store", "local", "--local-dir", local.to_str().unwrap()];
    let nested = |args: &[&str]| {
        let mut line = vec!["exec", "--"];
        line.extend(inner);
        line.extend(args);
        site.run(&line).status.code()
    };
    assert_eq!(nested(&["apply", "--", "-auto-approve"]), Some(1));
    let marked = site.status()["needs_recovery"].clone();
    assert_eq!(marked.as_array().unwrap().len(), 1, "{marked}");
    backend.recover();
    let kept = marked[0]["path"].as_str().unwrap();
    assert_eq!(nested(&["exec", "--", "terraform", "state", "push", kept]), Some(0));
    assert_eq!(site.status()["needs_recovery"], json!([]));
}

#[test]
fn the_guardian_keeps_what_the_run_of_a_killed_supervisor_leaves() {
    let backend = Backend::read_only();
    let engine = engine();
    let slow = "resource \"terraform_data\" \"slow\" {\n  depends_on = [terraform_data.x]\n  \
                provisioner \"local-exec\" {\n    command = \"echo up > ready; exec sleep 300\"\n  }\n}\n";
    let site = Site::new(&Lock::Dynamo(&engine), &(backend.configuration() + PLAIN + slow));
    let mut supervisor = site
        .tfguard(&["apply", "--", "-auto-approve"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < end, "not within a minute: {what}\n{:?}", site.events());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the slow resource is being made", &|| site.path("ready").exists());
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    until("the guardian has released", &|| site.status()["state"] == "free");
    let status = site.status();
    assert_eq!(status["last"]["outcome"], "crashed");
    let kept = PathBuf::from(status["needs_recovery"][0]["path"].as_str().unwrap());
    assert!(fs::read_to_string(&kept).unwrap().contains("terraform_data"));
    assert!(!site.path("errored.tfstate").exists());
    assert_eq!(site.events_of("state_rescued")[0]["path"], json!(kept));
    // An apply that crashed may have changed things.
    assert_eq!(status["applied"]["generation"], status["generation"]);
}
