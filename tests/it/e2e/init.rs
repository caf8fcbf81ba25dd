//! `init` before the command, when the directory needs it.

use super::locks::Locks;
use crate::support::project::Project;
use crate::support::run::Finished;

/// A configuration that cannot be planned before `init`.
fn with_module() -> Project {
    let project = Project::with("module \"x\" { source = \"./x\" }");
    project.write("x/main.tf", "resource \"terraform_data\" \"inner\" { input = \"hi\" }");
    project
}

/// The subcommands that were run, in order.
fn ran(finished: &Finished) -> Vec<&str> {
    let started = finished.events.iter().filter(|event| event["type"] == "child_started");
    started.map(|event| event["argv"][1].as_str().unwrap()).collect()
}

#[test]
fn it_runs_once_where_it_is_needed_and_stays_off_stdout() {
    let locks = Locks::local();
    let project = with_module();
    let first = locks.run(&project).args(["plan", "--", "-no-color"]).output().exits(0);
    assert_eq!(ran(&first), ["init", "plan"]);
    let first = first.says(&["Terraform has been successfully initialized!"]);
    let second = locks.run(&project).args(["plan", "--", "-no-color"]).output().exits(0);
    assert_eq!(ran(&second), ["plan"]);
    assert!(first.stdout_text().contains("module.x.terraform_data.inner"));
    assert_eq!(first.stdout_text(), second.stdout_text());
    // One lock for the two.
    assert_eq!(locks.free_record()["runs"], 2);
}

#[test]
fn always_runs_it_and_never_does_not() {
    let locks = Locks::local();
    let project = with_module();
    let never = locks.run(&project).args(["plan", "--init", "never"]).output().exits(1);
    assert_eq!(ran(&never), ["plan"]);
    never.says(&["Module not installed"]);
    for _ in 0..2 {
        let always = locks.run(&project).args(["plan", "--init", "always"]).output().exits(0);
        assert_eq!(ran(&always), ["init", "plan"]);
    }
    let hello = Project::hello();
    let auto = locks.run(&hello).args(["plan"]).output().exits(0);
    assert_eq!(ran(&auto), ["plan"]);
}

#[test]
fn one_that_fails_ends_the_run_with_its_code() {
    let locks = Locks::local();
    let project = Project::with("module \"x\" { source = \"./nowhere\" }");
    let failed = locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(1);
    assert_eq!(ran(&failed), ["init"]);
    let failed = failed.says(&["Unreadable module directory"]);
    assert_eq!(failed.stdout_text(), "");
    assert_eq!(failed.event("run_summary")["outcome"], "failed");
    assert_eq!(locks.last(), ("released".into(), Some(1)));
    // A code that Terraform has for something else, from an init that is not Terraform's.
    let project = with_module();
    let odd = project.script("bin/terraform", "exit 7");
    let run = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", &odd);
    let failed = run.args(["plan", "--", "-detailed-exitcode"]).output().exits(7);
    assert_eq!(ran(&failed), ["init"]);
}

#[test]
fn in_json_its_output_is_part_of_the_stream() {
    let locks = Locks::local();
    let project = with_module();
    let run = locks.run(&project).args(["plan", "--log-format", "json"]).output().exits(0);
    assert_eq!(ran(&run), ["init", "plan"]);
    assert_eq!(run.stderr, "");
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["type"] == "init_output"), "{}", run.stdout_text());
}

#[test]
fn asked_for_it_is_a_command_like_any_other() {
    let locks = Locks::local();
    let project = with_module();
    let init = locks.run(&project).args(["init", "--", "-no-color"]).output().exits(0);
    assert_eq!(ran(&init), ["init"]);
    assert!(init.stdout_text().contains("Terraform has been successfully initialized!"));
}
