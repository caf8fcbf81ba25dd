//! tfguard under the name of Terraform.

use std::path::PathBuf;

use super::locks::Locks;
use crate::support::project::Project;
use crate::support::run::Run;

/// A folder with links to tfguard, first on `PATH`.
fn path(project: &Project) -> String {
    let folder = project.home().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["terraform", "tofu"] {
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tfguard"), folder.join(name));
    }
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// A run by the name of Terraform, as a tool starts it that finds it on `PATH`.
fn terraform(locks: &Locks, project: &Project) -> Run {
    let path = path(project);
    let link = PathBuf::from(path.split(':').next().unwrap()).join("terraform");
    locks.named_in(Run::program(link, project)).env("PATH", path)
}

#[test]
fn an_apply_takes_the_lock_and_prints_what_terraform_prints() {
    let (locks, project) = (Locks::local(), Project::hello());
    let mut holder = locks.hold(&project);
    let mut apply = terraform(&locks, &project).args(["apply", "-auto-approve", "-no-color"]).start();
    apply.wait_for("lock_waiting");
    holder.close_stdin();
    let end = apply.finish();
    assert_eq!(end.code(), 0, "{}", end.stderr);
    assert!(end.stdout_text().contains("Apply complete!"), "{}", end.stdout_text());
    assert!(!end.stdout_text().contains("tfguard: "), "{}", end.stdout_text());
}

#[test]
fn what_only_reads_does_not_wait_for_the_lock() {
    let (locks, project) = (Locks::local(), Project::hello());
    let applied = terraform(&locks, &project).args(["apply", "-auto-approve"]).output();
    assert_eq!(applied.code(), 0, "{}", applied.stderr);
    let mut holder = locks.hold(&project);
    let show = terraform(&locks, &project)
        .args(["show", "-json"])
        // The log is for people under this name: stdout is read by programs.
        .env("TFGUARD_LOG_FORMAT", "json")
        .output();
    assert_eq!(show.code(), 0, "{}", show.stderr);
    let state: serde_json::Value = serde_json::from_str(&show.stdout_text()).unwrap();
    assert!(state["values"].is_object(), "{state}");
    assert_eq!(show.stderr, "");
    let mut mv = terraform(&locks, &project).args(["state", "rm", "terraform_data.greeting"]).start();
    mv.wait_for("lock_waiting");
    holder.close_stdin();
    assert_eq!(mv.finish().code(), 0);
}

#[test]
fn the_real_one_is_found_behind_links_and_copies_of_us() {
    let project = Project::hello();
    let locks = Locks::local();
    let path = path(&project);
    let copies = project.home().join("copies");
    std::fs::create_dir(&copies).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_tfguard"), copies.join("terraform")).unwrap();
    let (links, rest) = path.split_once(':').unwrap();
    let path = format!("{links}:{}:{rest}", copies.display());
    for (args, expected) in [(["version", "-json"], "terraform_version"), (["plan", "-no-color"], "Plan:")] {
        let end = terraform(&locks, &project).env("PATH", &path).args(args).output();
        assert_eq!(end.code(), 0, "{}", end.stderr);
        assert!(end.stdout_text().contains(expected), "{}", end.stdout_text());
    }
}

#[test]
fn the_directory_of_chdir_is_the_one_that_is_locked() {
    let project = Project::empty();
    project.write("infra/main.tf", "resource \"terraform_data\" \"x\" {}\n");
    let end =
        Run::program(PathBuf::from(path(&project).split(':').next().unwrap()).join("terraform"), &project)
            .env("PATH", path(&project))
            .args(["-chdir=infra", "apply", "-auto-approve"])
            .output();
    assert_eq!(end.code(), 0, "{}", end.stderr);
    assert!(project.path("infra/terraform.tfstate").exists());
    assert!(project.path("infra/.tfguard").exists(), "{}", end.stderr);
}

#[test]
fn a_terraform_inside_a_guarded_command_runs_under_its_lock() {
    let (locks, project) = (Locks::local(), Project::hello());
    let path = path(&project);
    let end = locks
        .run(&project)
        .env("PATH", path)
        .args([
            "exec",
            "--",
            "sh",
            "-c",
            "terraform plan -no-color && terraform apply -auto-approve -no-color",
        ])
        .output();
    assert_eq!(end.code(), 0, "{}", end.stderr);
    assert!(end.stdout_text().contains("Apply complete!"), "{}", end.stdout_text());
}
