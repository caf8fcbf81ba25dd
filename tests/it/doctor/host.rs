//! This machine: its clock, its Terraform, its credentials, its folder.

use jiff::{SignedDuration, Timestamp};

use super::super::support::dynamo::{Engine, Shape};
use super::super::support::project::Project;
use super::super::support::run::Run;
use super::{Diagnosis, Stage, answer_at, at};

fn clock_off_by(seconds: i64) -> Diagnosis {
    let stage = Stage::new(move |operation, _| {
        let date = Timestamp::now() - SignedDuration::from_secs(seconds);
        let header = format!("date: {}\r\n", date.strftime("%a, %d %b %Y %H:%M:%S GMT"));
        (operation == "Scan")
            .then(|| answer_at(200, &serde_json::json!({ "Items": [], "Count": 0 }), &header))
    });
    stage.doctor()
}

#[test]
fn a_clock_that_is_off() {
    clock_off_by(0).works().is("clock", "ok");
    let text = clock_off_by(120).works().is("clock", "warning");
    assert!(text.contains("2 min") && text.contains("ahead"), "{text}");
    let text = clock_off_by(-120).works().is("clock", "warning");
    assert!(text.contains("behind") && text.contains("set-ntp"), "{text}");
    clock_off_by(3600).fails().is("clock", "error");
}

fn engine() -> Engine {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    engine
}

#[test]
fn no_terraform_or_one_that_is_old_or_broken() {
    let engine = engine();
    let project = Project::hello();
    let with = |bin: &str| Diagnosis::of(at(&project, &engine.endpoint).args(["--terraform-bin", bin]));
    with("/nowhere/terraform").fails().is("terraform-found", "error");
    let says = |name: &str, text: &str| project.script(name, text).to_string_lossy().into_owned();
    with(&says("old", "echo Terraform v0.14.11")).works().is("terraform-version", "warning");
    with(&says("broken", "exit 3")).fails().is("terraform-version", "error");
    let text = with(&says("tofu", "echo OpenTofu v1.10.2")).works().is("terraform-version", "ok");
    assert!(text.contains("OpenTofu 1.10.2"), "{text}");
}

#[test]
fn a_lock_of_the_backend_that_terraform_does_not_know_or_deprecates() {
    let engine = engine();
    let project = |locking: &str| {
        Project::with(&format!(
            r#"terraform {{
                 backend "s3" {{
                   bucket    = "states"
                   key       = "k"
                   region    = "eu-west-1"
                   endpoints = {{ s3 = "http://127.0.0.1:9", dynamodb = "http://127.0.0.1:9" }}
                   {locking}
                 }}
               }}"#
        ))
    };
    let table = r#"dynamodb_table = "locks""#;
    for (locking, version, severity, part) in [
        (table, "Terraform v1.11.4", "warning", "use_lockfile = true beside dynamodb_table"),
        (table, "Terraform v1.10.5", "ok", "dynamodb_table"),
        (table, "OpenTofu v1.11.0", "ok", "dynamodb_table"),
        ("use_lockfile = true", "Terraform v1.9.8", "error", "does not know"),
        ("use_lockfile = true", "Terraform v1.10.0", "ok", "use_lockfile"),
        ("", "Terraform v1.11.4", "warning", "takes no lock of its own"),
    ] {
        let project = project(locking);
        let bin = project.script("bin/terraform", &format!("echo '{version}'"));
        let run = at(&project, &engine.endpoint).args(["--terraform-bin".as_ref(), bin.as_os_str()]);
        let text = Diagnosis::of(run).is("backend-lock", severity);
        assert!(text.contains(part), "{locking} {version}: {text}");
    }
}

#[test]
fn credentials_that_are_missing_or_end_soon() {
    let engine = engine();
    let project = Project::hello();
    let run = || at(&project, &engine.endpoint);
    let none = run().without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    let diagnosis = Diagnosis::of(none);
    let text = diagnosis.fails().is("credentials", "error");
    assert!(text.contains("no AWS credentials were found"), "{text}");
    // What needs none is looked at all the same.
    diagnosis.is("terraform-version", "ok");

    let until = |seconds: i64| {
        let end = Timestamp::now() + SignedDuration::from_secs(seconds);
        run().env("AWS_SESSION_TOKEN", "t").env("AWS_CREDENTIAL_EXPIRATION", end.to_string())
    };
    Diagnosis::of(until(7200)).works().is("credentials-of-terraform", "ok");
    Diagnosis::of(until(60)).works().is("credentials-of-terraform", "warning");
    Diagnosis::of(until(-60)).fails().is("credentials-of-terraform", "error");
    let text = Diagnosis::of(until(600).args(["--min-session", "1h"]))
        .fails()
        .is("credentials-of-terraform", "error");
    assert!(text.contains("--min-session asks for 1 h"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn a_folder_that_nothing_can_be_written_to() {
    let project = Project::hello();
    project.write("file", "");
    let dir = project.path("file/locks");
    let run = Run::new(&project).args(["--store", "local", "--local-dir"]).args([&dir]);
    let text = Diagnosis::of(run).fails().is("folder-writable", "error");
    assert!(text.contains("--local-dir"), "{text}");
}

#[test]
fn a_folder_is_looked_at_and_left_as_it_is() {
    let project = Project::hello();
    let before = project.entries();
    let diagnosis = Diagnosis::of(Run::new(&project));
    diagnosis.works().is("folder-writable", "ok");
    assert_eq!(project.entries(), before, "the folder of locks is not made");
    diagnosis.is("backend", "ok");
    std::fs::create_dir(project.path(".tfguard")).unwrap();
    Diagnosis::of(Run::new(&project)).works().is("folder-writable", "ok");
    assert_eq!(std::fs::read_dir(project.path(".tfguard")).unwrap().count(), 0);
}

#[test]
fn a_local_lock_under_ci() {
    let text =
        Diagnosis::of(Run::new(&Project::hello()).env("CI", "true")).works().is("folder-ci", "warning");
    assert!(text.contains("--table"), "{text}");
}
