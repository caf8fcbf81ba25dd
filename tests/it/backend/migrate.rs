//! `init` that moves the state: the locks of the old and the new state are held, as any other run
//! that works on either of them takes them.

use serde_json::Value;

use super::site::{BUCKET, RESOURCE, TABLE, backend, moto, objects, project, reach};
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::{Finished, Run, Started};

/// The locks of the events of this type, in order.
fn locks(run: &Finished, kind: &str) -> Vec<String> {
    let events = run.events.iter().filter(|event| event["type"] == kind);
    events.map(|event| event["lock"].as_str().unwrap().to_owned()).collect()
}

fn table() -> String {
    format!("dynamodb_table = \"{TABLE}\"")
}

/// A backend block for `key`.
fn block(moto: &Moto, key: &str) -> String {
    let lines = format!("    bucket = \"{BUCKET}\"\n    key = \"{key}\"\n{}    {}", reach(moto), table());
    backend("s3", &lines) + RESOURCE
}

fn apply(project: &Project) -> Finished {
    Run::new(project).args(["apply", "--", "-auto-approve"]).output().exits(0)
}

/// Somebody else, in a checkout of their own, who holds the lock of the state under `key` until their
/// standard input ends.
fn holder(project: &Project) -> Started {
    let mut holder = Run::new(project).args(["exec", "--", "cat"]).stdin_open().start();
    holder.wait_for("child_started");
    holder
}

#[test]
fn whoever_works_on_the_old_or_the_new_state_is_waited_for_and_waits() {
    let moto = moto();
    let project = project(&moto, "mig/old", &table());
    apply(&project);
    let (old, new) =
        (super::site::project(&moto, "mig/old", &table()), super::site::project(&moto, "mig/new", &table()));
    for theirs in [&old, &new] {
        let init = Run::new(theirs).args(["init"]).output();
        init.exits(0);
    }
    project.write("main.tf", &block(&moto, "mig/new"));
    // The new state's lock is the first of the two.
    let mut theirs = holder(&old);
    let mut init = Run::new(&project).args(["init", "--", "-migrate-state=true", "-force-copy"]).start();
    assert_eq!(init.wait_for("lock_acquired")["lock"], "states/mig/new");
    assert_eq!(init.wait_for("lock_waiting")["lock"], "states/mig/old");
    let mut behind = Run::new(&new).args(["plan"]).start();
    assert_eq!(behind.wait_for("lock_waiting")["lock"], "states/mig/new");
    assert_eq!(moto.object(BUCKET, "mig/new"), None);
    theirs.close_stdin();
    theirs.finish().exits(0);
    let init = init.finish().exits(0).says(&["init moves the state from", "both are locked"]);
    assert_eq!(locks(&init, "lock_released"), ["states/mig/old", "states/mig/new"]);
    let behind = behind.finish().exits(0);
    // It found the state that was moved while it waited.
    assert!(behind.stdout_text().contains("No changes"), "{}", behind.stdout_text());
    assert_eq!(objects(&moto, "mig/new"), ["mig/new"]);
}

#[test]
fn from_this_machine_to_a_bucket_and_back() {
    let moto = moto();
    let project = Project::with(RESOURCE);
    let here = project.dir().display().to_string();
    apply(&project);
    project.write("main.tf", &block(&moto, "first/state"));
    // Terraform asks by itself what becomes of the state of a directory without a backend.
    let there = Run::new(&project).args(["init", "--", "-force-copy"]).output().exits(0);
    assert_eq!(locks(&there, "lock_acquired"), [here.as_str(), "states/first/state"]);
    let stores: Vec<&Value> = there
        .events
        .iter()
        .filter(|event| event["type"] == "lock_acquired")
        .map(|event| &event["store"])
        .collect();
    assert!(stores[0].as_str().unwrap().starts_with("folder"), "{stores:?}");
    assert!(stores[1].as_str().unwrap().contains(TABLE), "{stores:?}");
    assert_eq!(objects(&moto, "first/"), ["first/state"]);
    assert_eq!(locks(&apply(&project), "lock_acquired"), ["states/first/state"]);

    project.write("main.tf", RESOURCE);
    let run = Run::new(&project).env("TF_CLI_ARGS_init", "-migrate-state -force-copy");
    let back = run.args(["init"]).output().exits(0);
    assert_eq!(locks(&back, "lock_acquired"), [here.as_str(), "states/first/state"]);
    assert_eq!(locks(&apply(&project), "lock_acquired"), [here.as_str()]);
}

#[test]
fn the_states_of_all_local_workspaces_are_locked() {
    let moto = moto();
    let project = Project::with(RESOURCE);
    let here = project.dir().display().to_string();
    apply(&project);
    Run::program("terraform", &project).args(["workspace", "new", "dev"]).output().exits(0);
    apply(&project);
    project.write("main.tf", &block(&moto, "spaces/state"));
    let moved = Run::new(&project).args(["init", "--", "-migrate-state", "-force-copy"]).output().exits(0);
    let expected = [
        here.clone(),
        format!("{here}/terraform.tfstate.d/dev"),
        "states/env:/dev/spaces/state".to_owned(),
        "states/spaces/state".to_owned(),
    ];
    assert_eq!(locks(&moved, "lock_acquired"), expected);
    assert_eq!(objects(&moto, "spaces/"), ["spaces/state"]);
    assert_eq!(objects(&moto, "env:/dev/spaces/"), ["env:/dev/spaces/state"]);
}

#[test]
fn one_state_has_one_lock_and_reconfigure_moves_nothing() {
    let moto = moto();
    let project = project(&moto, "same/state", &table());
    apply(&project);
    let init = |args: &[&str]| Run::new(&project).args(["init", "--"]).args(args).output().exits(0);
    let same = init(&["-migrate-state", "-force-copy"]);
    assert_eq!(locks(&same, "lock_acquired"), ["states/same/state"]);
    // The new place is said by `-backend-config` alone.
    let moved = init(&["-migrate-state", "-force-copy", "-backend-config=key=same/moved"]);
    assert_eq!(locks(&moved, "lock_acquired"), ["states/same/moved", "states/same/state"]);
    let left = init(&["-reconfigure"]);
    assert_eq!(locks(&left, "lock_acquired"), ["states/same/state"]);
    // A name that was given is the name of both.
    let args =
        ["init", "--lock", "mine", "--", "-migrate-state", "-force-copy", "-backend-config=key=same/moved"];
    let named = Run::new(&project).args(args).output().exits(0);
    assert_eq!(locks(&named, "lock_acquired"), ["mine"]);
}
