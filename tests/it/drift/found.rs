//! What is found, and said.
//!
//! Without a provider no resource drifts: `terraform_data` is what its state says. An output that
//! reads another state does drift, in real Terraform; for resources a script plays the plan and shows
//! the document that Terraform makes of one.

use serde_json::{Value, json};

use crate::e2e::locks::Locks;
use crate::support::project::Project;
use crate::support::schema;

const READER: &str = r#"
data "terraform_remote_state" "other" {
  backend = "local"
  config  = { path = "other/terraform.tfstate" }
}

resource "terraform_data" "r" {}

output "x" {
  value = data.terraform_remote_state.other.outputs.x
}

output "s" {
  value     = data.terraform_remote_state.other.outputs.s
  sensitive = true
}
"#;

const OTHER: &str = r#"
variable "v" {}

output "x" {
  value = var.v
}

output "s" {
  value     = "hunter-${var.v}"
  sensitive = true
}
"#;

fn other(locks: &Locks, project: &Project, value: &str) {
    let value = format!("-var=v={value}");
    locks.run(project).args(["-C", "other", "apply", "--", "-auto-approve", &value]).output().exits(0);
}

#[test]
fn none_then_some_with_real_terraform() {
    let (locks, project) = (Locks::local(), Project::with(READER));
    project.write("other/main.tf", OTHER);
    other(&locks, &project, "one");
    locks.run(&project).args(["apply", "--", "-auto-approve"]).output().exits(0);
    let state = project.read("terraform.tfstate");

    let none = locks.run(&project).args(["drift"]).output().exits(0);
    assert_eq!(none.stdout_text(), "no drift\n");
    assert_eq!(none.event("run_summary")["outcome"], "no_changes");
    assert_eq!(none.event("lock_acquired")["mode"], "shared");
    assert_eq!(none.event("drift")["drifted"], false);

    other(&locks, &project, "two");
    let some = locks.run(&project).args(["drift"]).output().exits(2);
    assert_eq!(
        some.stdout_text(),
        "drift: 2 outputs differ from the state\n~ output s: (sensitive)\n~ output x: \"one\" → \"two\"\n"
    );
    assert_eq!(some.event("run_summary")["outcome"], "drift");
    let log = some.events.iter().map(Value::to_string).collect::<String>();
    assert!(!log.contains("hunter") && !some.stderr.contains("hunter"), "{log}");
    // Only a look.
    assert_eq!(project.read("terraform.tfstate"), state);

    let json = locks.run(&project).args(["drift", "--json"]).output().exits(2);
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    schema::check("drift", &document);
    assert_eq!(document["locks"], json!(["e2e"]));
    assert_eq!(
        document["outputs"][1],
        json!({ "name": "x", "action": "updated",
        "changes": [{ "path": "", "before": "one", "after": "two", "sensitive": false }] })
    );

    let stream = locks.run(&project).args(["drift", "--log-format", "json"]).output().exits(2);
    let lines = schema::log(&stream.stdout_text());
    let event = lines.iter().find(|line| line["type"] == "drift").unwrap();
    assert_eq!(event["outputs"][0]["changes"][0]["sensitive"], true);
    assert!(!stream.stdout_text().contains("hunter"), "{}", stream.stdout_text());

    // With -v Terraform's own words too, on stderr.
    let wordy = locks.run(&project).args(["drift", "-v", "--", "-no-color"]).output().exits(2);
    let wordy = wordy.says(&["Changes to Outputs:"]);
    assert!(wordy.stdout_text().starts_with("drift: 2 outputs"));
    // What everybody may see of Terraform's trouble.
    project.write("broken.tf", "nonsense");
    let broken = locks.run(&project).args(["drift"]).output().exits(1);
    assert_eq!(broken.says(&["Error:"]).stdout_text(), "");
}

/// As `terraform show -json` prints it for a plan in which an instance was changed by hand, a bucket
/// deleted, and something has only moved.
const SHOWN: &str = r#"{"format_version":"1.2","terraform_version":"1.11.4","resource_drift":[
{"address":"aws_instance.web","mode":"managed","type":"aws_instance","name":"web","change":{"actions":["update"],
 "before":{"id":"i-1","instance_type":"t3.micro","user_data":"hunter2","tags":{"Name":"web"}},
 "after":{"id":"i-1","instance_type":"t3.large","user_data":"hunter3","tags":{"Name":"web","By":"hand"}},
 "after_unknown":{},"before_sensitive":{"user_data":true,"tags":{}},"after_sensitive":{"user_data":true,"tags":{}}}},
{"address":"aws_s3_bucket.logs","change":{"actions":["delete"],"before":{"id":"logs"},"after":null,"after_unknown":{},
 "before_sensitive":{},"after_sensitive":false}},
{"address":"aws_eip.b","previous_address":"aws_eip.a","change":{"actions":["no-op"],"before":{"id":"e"},
 "after":{"id":"e"},"after_unknown":{},"before_sensitive":{},"after_sensitive":{}}}]}"#;

#[test]
fn resources_are_told_with_what_differs() {
    let (locks, project) = (Locks::local(), Project::hello());
    project.write("shown.json", SHOWN);
    let fake = project.script(
        "bin/terraform",
        "case $1 in\n  version) echo 'Terraform v1.11.4' ;;\n  show) cat shown.json ;;\n  plan)\n    echo \"$@\" > asked\n    \
         for arg; do case $arg in -out=*) echo plan > \"${arg#-out=}\" ;; esac; done\n    exit 2 ;;\nesac",
    );
    let run = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", fake);
    let drift = run.env("TF_CLI_ARGS", "-no-color").args(["drift", "--", "-target=x"]).output().exits(2);
    assert_eq!(
        drift.stdout_text(),
        "drift: 2 resources differ from the state\n\
         ~ aws_instance.web\n    instance_type: \"t3.micro\" → \"t3.large\"\n    tags.By: (none) → \"hand\"\n    \
         user_data: (sensitive)\n- aws_s3_bucket.logs (gone)\n"
    );
    let asked = project.read("asked");
    assert!(asked.starts_with("plan -refresh-only -input=false -out="), "{asked}");
    assert!(asked.trim_end().ends_with("/plan -detailed-exitcode -lock=false -target=x"), "{asked}");
    let log = drift.events.iter().map(Value::to_string).collect::<String>();
    assert!(!log.contains("hunter") && !drift.stderr.contains("hunter"), "{log}");
    let json = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", project.path("bin/terraform"));
    let json = json.args(["drift", "--json"]).output().exits(2);
    schema::check("drift", &serde_json::from_slice(&json.stdout).unwrap());
}
