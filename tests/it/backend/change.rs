//! A backend that was changed since `init`: told before anybody waits, and only when it is sure.

use super::site::{RESOURCE, TABLE, backend, moto, project, status};
use crate::support::run::Run;

#[test]
fn a_changed_backend_is_told_with_the_choice_and_what_was_given_is_no_change() {
    let moto = moto();
    let project = project(&moto, "then/terraform.tfstate", &format!("dynamodb_table = \"{TABLE}\""));
    let run = |args: &[&str]| Run::new(&project).args(args).output();
    // The block says one key and `-backend-config` another: for Terraform, and so for us, no change.
    run(&["init", "--", "-backend-config=key=given/terraform.tfstate"]).exits(0);
    let applied = run(&["apply", "--", "-auto-approve"]).exits(0);
    assert_eq!(applied.event("lock_acquired")["lock"], "states/given/terraform.tfstate");

    let block = project.read("main.tf");
    project.write("main.tf", &block.replace("\"then/", "\"now/"));
    for args in [&["plan"][..], &["apply", "--", "-auto-approve"], &["plan", "--init", "always"]] {
        let refused = run(args).exits(78);
        assert!(!refused.kinds().contains(&"lock_acquired"), "{}", refused.stderr);
        refused.says(&[
            "the backend was changed since init",
            "key: \"given/terraform.tfstate\" → \"now/terraform.tfstate\"",
            "init -- -migrate-state",
            "init -- -reconfigure",
        ]);
    }
    // Terraform agrees.
    let terraform = Run::program("terraform", &project).args(["plan", "-no-color"]).output();
    assert_eq!(terraform.code(), 1);
    assert!(terraform.stderr.contains("Backend initialization required"), "{}", terraform.stderr);
    let advised = run(&["init"]).exits(1);
    advised.says(&["warning: the backend was changed since init", "-migrate-state moves the state"]);

    let moved = run(&["init", "--", "-reconfigure"]).exits(0);
    assert_eq!(moved.event("lock_acquired")["lock"], "states/now/terraform.tfstate");
    run(&["apply", "--", "-auto-approve"]).exits(0);
}

#[test]
fn to_local_state_and_back() {
    let moto = moto();
    let project = project(&moto, "back/terraform.tfstate", &format!("dynamodb_table = \"{TABLE}\""));
    let run = |args: &[&str]| Run::new(&project).args(args).output();
    let remote = project.read("main.tf");
    run(&["apply", "--", "-auto-approve"]).exits(0);

    project.write("main.tf", &(backend("local", "") + RESOURCE));
    run(&["plan"]).exits(78).says(&["the s3 backend → the local backend"]);
    run(&["init", "--", "-migrate-state", "-force-copy"]).exits(0);
    let local = run(&["plan", "--", "-detailed-exitcode"]).exits(0);
    assert_eq!(local.event("lock_acquired")["lock"], project.dir().display().to_string());

    project.write("main.tf", RESOURCE);
    run(&["plan"]).exits(78).says(&["the local backend → none"]);
    project.write("main.tf", &remote);
    run(&["init", "--", "-migrate-state", "-force-copy"]).exits(0);
    let back = run(&["plan", "--", "-detailed-exitcode"]).exits(0);
    assert_eq!(back.event("lock_acquired")["lock"], "states/back/terraform.tfstate");
}

#[test]
fn garbage_where_init_writes_is_told() {
    let moto = moto();
    let project = project(&moto, "garbage/terraform.tfstate", &format!("dynamodb_table = \"{TABLE}\""));
    assert_eq!(status(&project, super::site::plain)["lock"], "states/garbage/terraform.tfstate");
    project.write(".terraform/terraform.tfstate", "{\"version\": 3, \"backend\": <<<<");
    let refused = Run::new(&project).args(["plan"]).output().exits(78);
    refused.says(&[".terraform/terraform.tfstate, which init writes", "cannot be read", "--lock NAME"]);
}
