//! Whatever is wrong with the command line or the machine is said before anything is done.

use std::os::unix::fs::PermissionsExt;

use crate::support::project::Project;
use crate::support::run::{Finished, Run};

/// Runs with these arguments in `project`, where the run has to leave everything as it was.
#[track_caller]
fn refused(project: &Project, args: &[&str], adjust: impl FnOnce(Run) -> Run) -> Finished {
    let before = project.entries();
    let finished = adjust(Run::new(project).args(args)).output();
    assert_eq!(project.entries(), before, "{}", finished.stderr);
    assert!(!finished.kinds().contains(&"child_started"));
    assert_eq!(finished.stdout_text(), "");
    for line in finished.stderr.lines() {
        assert!(line.starts_with("tfguard: "), "{}", finished.stderr);
    }
    finished
}

fn as_it_is(run: Run) -> Run {
    run
}

#[test]
fn no_terraform() {
    let project = Project::hello();
    let nothing = project.home();
    let missing = refused(&project, &["plan"], |run| run.env("PATH", &nothing)).exits(127);
    missing.says(&["neither terraform nor tofu was found on PATH", "--terraform-bin"]);
    let plain = project.write("plain", "");
    let plain = refused(&project, &["plan"], |run| run.env("TFGUARD_TERRAFORM_BIN", &plain)).exits(126);
    plain.says(&["plain is not executable", "--terraform-bin"]);
    let absent = refused(&project, &["plan", "--terraform-bin", "./absent"], as_it_is).exits(127);
    absent.says(&["absent does not exist", "--terraform-bin"]);
    let broken = project.write("bin/terraform", "#!/no/such/interpreter\n");
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ours = refused(&project, &["plan", "--terraform-bin", env!("CARGO_BIN_EXE_tfguard")], as_it_is);
    ours.exits(126).says(&["is tfguard itself"]);
    let run = Run::new(&project).args(["plan"]).env("TFGUARD_TERRAFORM_BIN", &broken).output().exits(126);
    run.says(&["the interpreter or loader that it names does not exist"]);
}

#[test]
fn no_directory_and_no_configuration() {
    let project = Project::empty();
    let absent = refused(&project, &["-chdir=absent", "plan"], as_it_is).exits(66);
    absent.says(&["the directory ", "absent does not exist"]);
    project.write("file", "");
    refused(&project, &["-C", "file", "plan"], as_it_is).exits(66).says(&["file is not a directory"]);
    for command in ["init", "plan", "apply", "destroy"] {
        let empty = refused(&project, &[command], as_it_is).exits(66);
        empty.says(&["there is no Terraform configuration", "-C DIR"]);
    }
    refused(&project, &["exec", "--", "true"], as_it_is).exits(64).says(&["--lock NAME"]);
}

#[test]
fn a_command_line_that_is_not_understood() {
    let project = Project::hello();
    for (args, parts) in [
        (
            &["apply", "-auto-approve"][..],
            &["arguments for Terraform stand after --", "tfguard apply -- -auto-approve"][..],
        ),
        (&["plan", "-var", "password=hunter2"], &["stand after --", "tfguard plan -- -var"]),
        (&["exec", "make"], &["the command to run stands after --", "tfguard exec -- make"]),
        (&["exec"], &["exec needs a command"]),
        (&[], &["a command is missing"]),
        (&["--wait-timeuot", "5m", "plan"], &["--wait-timeout"]),
        (&["apply", "--shared"], &["--shared is for plan, drift and exec only"]),
        (&["plan", "--lock", "a#b"], &["a#b", "lock names may not"]),
        (&["plan", "--lock", "a\u{1b}[2Jb"], &["a\\u{1b}[2Jb", "lock names may not"]),
        (&["plan", "--lock", "a\nb"], &["a\\nb", "lock names may not"]),
        (&["plan", "--lock", ""], &["--lock"]),
        (&["plan", "--lock", "a", "--lock", "b#"], &["b#", "lock names may not"]),
        (&["unlock", "--lock", "a", "--lock", "b", "--reason", "x", "--yes"], &["about one lock"]),
        (&["plan", "--lease", "9s"], &["--lease", "at least 10s and at most 1h"]),
        (&["plan", "--lease", "61m"], &["--lease", "at least 10s and at most 1h"]),
        (&["plan", "--lease", "soon"], &["--lease", "soon"]),
        (&["plan", "--store", "redis"], &["--store", "redis", "dynamodb", "local"]),
        (&["plan", "--store", "dynamodb"], &["--table NAME"]),
        (&["plan", "--log-format", "xml"], &["--log-format", "text", "json"]),
        (&["plan", "--init", "maybe"], &["--init", "auto", "always", "never"]),
    ] {
        refused(&project, args, as_it_is).exits(64).says(parts).never_says(&["hunter2", "\u{1b}"]);
    }
    let lease = refused(&project, &["plan"], |run| run.env("TFGUARD_LEASE", "1s")).exits(64);
    lease.says(&["TFGUARD_LEASE", "at least 10s"]);
}

#[test]
fn a_lock_folder_that_cannot_be_written_to() {
    let project = Project::hello();
    project.write("file", "");
    let below = refused(&project, &["plan", "--local-dir", "file/locks"], as_it_is).exits(78);
    below.says(&["the lock folder ", "cannot be created", "--local-dir"]);
    refused(&project, &["plan", "--local-dir", "file"], as_it_is).exits(78).says(&["is not a folder"]);
    if rustix::process::geteuid().is_root() {
        // No mode keeps root out.
        return;
    }
    let locks = project.path("locks");
    std::fs::create_dir(&locks).unwrap();
    std::fs::set_permissions(&locks, std::fs::Permissions::from_mode(0o500)).unwrap();
    let unwritable = refused(&project, &["plan", "--local-dir", "locks"], as_it_is).exits(78);
    unwritable.says(&["the lock folder ", "ermission denied", "--local-dir"]);
}

#[test]
fn a_log_file_that_cannot_be_created() {
    let project = Project::hello();
    let run = refused(&project, &["plan", "--log-file", "absent/log"], as_it_is).exits(78);
    run.says(&["the log file ", "absent/log cannot be opened"]);
    assert!(!project.path(".tfguard").exists());
}

#[test]
fn a_backend_that_says_nothing_of_a_lock() {
    for (backend, parts) in [
        ("s3", "the s3 backend in main.tf:2 has no bucket"),
        ("http", "the http backend in main.tf:2 has no place"),
    ] {
        let project = Project::with(&format!("terraform {{\n  backend \"{backend}\" {{}}\n}}\n"));
        let undecided = refused(&project, &["plan"], as_it_is).exits(78);
        undecided.says(&[parts, "--table NAME", "--lock NAME"]);
    }
}
