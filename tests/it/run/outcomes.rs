//! What a pipeline comes to, by what the plan and the apply come to.

use serde_json::{Value, json};

use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

over_both_stores![changes_are_planned_and_applied_under_one_lock, nothing_to_do_is_no_apply,];

const ONE: &str = r#"
variable "v" { default = "one" }

resource "terraform_data" "x" {
  input = var.v
}

output "o" {
  value = var.v
}
"#;

fn run(locks: &Locks, project: &Project, args: &[&str]) -> Run {
    locks.run(project).args(["run", "--auto-approve"]).args(args)
}

/// The phases as they were told, `plan started` and the like.
fn phases(finished: &Finished) -> Vec<String> {
    let phase = |event: &Value| {
        let state = if event["state"] == "started" { "started" } else { event["result"].as_str().unwrap() };
        format!("{} {state}", event["name"].as_str().unwrap())
    };
    finished.events.iter().filter(|event| event["type"] == "phase").map(phase).collect()
}

/// The subcommands that were run, in order.
fn ran(finished: &Finished) -> Vec<&str> {
    let started = finished.events.iter().filter(|event| event["type"] == "child_started");
    started.map(|event| event["argv"][1].as_str().unwrap()).collect()
}

fn changes_are_planned_and_applied_under_one_lock(locks: &Locks) {
    let project = Project::with(ONE);
    let applied = run(locks, &project, &["--", "-no-color"]).output().exits(0);
    assert_eq!(ran(&applied), ["plan", "apply"]);
    assert_eq!(phases(&applied), ["plan started", "plan changes", "apply started", "apply succeeded"]);
    let summary = applied.event("run_summary");
    assert_eq!(summary["outcome"], "succeeded");
    assert_eq!(summary["changes"], json!({ "add": 1, "change": 0, "destroy": 0, "import": 0 }));
    let stdout = applied.stdout_text();
    assert!(stdout.contains("Plan: 1 to add") && stdout.contains("Apply complete!"), "{stdout}");
    // -no-color is the apply's too.
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    assert!(!stdout.contains("To perform exactly these actions"), "{stdout}");
    let record = locks.free_record();
    assert_eq!(record["runs"], 1);
    assert_eq!(record["applied"]["run"], 1);
    assert_eq!(locks.last(), ("released".into(), Some(0)));
    assert_eq!(record["last"]["identity"]["command"], "tfguard run -no-color");
}

fn nothing_to_do_is_no_apply(locks: &Locks) {
    let project = Project::with(ONE);
    run(locks, &project, &[]).output().exits(0);
    let applied = locks.free_record()["applied"].clone();
    let idle = run(locks, &project, &["--", "-detailed-exitcode"]).output().exits(0);
    let idle = idle.says(&["nothing to do: the plan has no changes"]);
    assert_eq!(
        (ran(&idle), phases(&idle)),
        (vec!["plan"], vec!["plan started".into(), "plan no_changes".into()])
    );
    assert_eq!(idle.event("run_summary")["outcome"], "no_changes");
    // Nobody's plan is stale for it.
    assert_eq!(locks.free_record()["applied"], applied);
}

#[test]
fn what_changes_no_resource_is_applied_too() {
    let locks = Locks::local();
    let project = Project::with("resource \"terraform_data\" \"a\" {}\n");
    run(&locks, &project, &[]).output().exits(0);
    for configuration in [
        "resource \"terraform_data\" \"a\" {}\noutput \"x\" { value = 1 }\n",
        "resource \"terraform_data\" \"b\" {}\noutput \"x\" { value = 1 }\nmoved {\n  from = terraform_data.a\n  to = terraform_data.b\n}\n",
    ] {
        project.write("main.tf", configuration);
        let applied = run(&locks, &project, &["--", "-detailed-exitcode"]).output().exits(2);
        assert_eq!(ran(&applied), ["plan", "apply"], "{configuration}");
        assert_eq!(applied.event("run_summary")["outcome"], "succeeded");
        run(&locks, &project, &["--", "-detailed-exitcode"]).output().exits(0);
    }
    assert!(project.read("terraform.tfstate").contains("\"name\": \"b\""));
}

#[test]
fn arguments_are_the_plans_and_the_apply_gets_what_it_needs() {
    let locks = Locks::local();
    let project = Project::with(
        "variable \"v\" {}\nvariable \"token\" {\n  ephemeral = true\n}\nresource \"terraform_data\" \"x\" {\n  input = var.v\n\n  provisioner \"local-exec\" {\n    command = \"echo ${var.token} > used\"\n  }\n}\n",
    );
    let args = ["--", "-var", "v=two", "-var=token=t0", "-state=elsewhere.tfstate"];
    let applied = run(&locks, &project, &args).output().exits(0);
    assert_eq!(project.read("used").trim(), "t0");
    assert!(project.read("elsewhere.tfstate").contains("\"two\""));
    assert_eq!(project.read("terraform.tfstate"), "");
    assert!(!applied.stderr.contains("t0") && !locks.everything().contains("t0"));
    let args = ["--", "-destroy", "-var=v=two", "-var=token=t0", "-state=elsewhere.tfstate"];
    let destroyed = run(&locks, &project, &args).output().exits(0);
    assert_eq!(destroyed.event("run_summary")["changes"]["destroy"], 1);
}

#[test]
fn the_code_is_that_of_the_phase_that_failed() {
    let locks = Locks::local();
    let broken = Project::with("resource \"terraform_data\" \"x\" { input = nothing.here }");
    let planned = run(&locks, &broken, &[]).output().exits(1);
    assert_eq!(phases(&planned), ["plan started", "plan failed"]);
    assert_eq!(planned.event("run_summary")["outcome"], "failed");
    assert!(locks.free_record()["applied"].is_null());

    let fails = Project::with(
        "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"exit 3\"\n  }\n}",
    );
    let applied = run(&locks, &fails, &["--", "-detailed-exitcode"]).output().exits(1);
    assert_eq!(phases(&applied)[2..], ["apply started", "apply failed"]);
    assert_eq!(applied.event("run_summary")["changes"]["add"], 1);
    assert!(!locks.free_record()["applied"].is_null());

    let module = Project::with("module \"x\" { source = \"./nowhere\" }");
    let init = run(&locks, &module, &[]).output().exits(1);
    assert_eq!(
        (ran(&init), phases(&init)),
        (vec!["init"], vec!["init started".into(), "init failed".into()])
    );
}

/// SIGQUIT makes Terraform exit with 2, the code for changes.
#[test]
fn changes_without_a_plan_are_not_believed() {
    let locks = Locks::local();
    let project = Project::hello();
    let odd = project.script("bin/terraform", "exit 2");
    let odd = run(&locks, &project, &[]).env("TFGUARD_TERRAFORM_BIN", odd).output().exits(1);
    let odd = odd.says(&["left no plan"]);
    assert_eq!(ran(&odd), ["plan"]);
}

#[test]
fn json_is_one_stream_of_all_phases() {
    let locks = Locks::local();
    let project = Project::with(ONE);
    let applied = run(&locks, &project, &["--log-format", "json"]).output().exits(0);
    assert_eq!(applied.stderr, "");
    let lines: Vec<Value> =
        applied.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summaries: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "change_summary")
        .map(|line| &line["changes"]["operation"])
        .collect();
    assert_eq!(summaries, ["plan", "apply"]);
    assert!(lines.iter().any(|line| line["type"] == "phase" && line["name"] == "apply"));
    assert_eq!(applied.event("run_summary")["changes"]["add"], 1);
    locks.run(&project).args(["run", "--log-format", "json"]).output().exits(64);
}
