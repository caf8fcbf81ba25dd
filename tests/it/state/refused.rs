//! What is not listed, and not restored.

use super::bucket::{Bucket, Own, kept};
use crate::support::project::Project;
use crate::support::run::Run;

const KEY: &str = "terraform.tfstate";

#[test]
fn what_must_not_be_restored_is_refused() {
    let bucket = Bucket::versioned();
    let project = bucket.project(Own::Lockfile, KEY);
    bucket.apply(&project, &["one"]);
    let first = bucket.versions(&project)[0].clone();
    // Somebody began anew: the same place, another state.
    bucket.delete(KEY);
    bucket.apply(&project, &["new"]);
    let versions = bucket.versions(&project);
    assert_ne!(versions[0]["lineage"], first["lineage"]);
    let restore = |version: &str, options: &[&str]| {
        let run = bucket.run(&project, &["state", "restore", version]).args(options).output();
        assert_eq!(bucket.versions(&project), versions, "{version}");
        run
    };
    let id = first["version"].as_str().unwrap();
    restore(id, &["--yes"]).exits(75).says(&["is of another lineage", "nothing was restored"]);
    assert!(kept(&project).is_empty());
    restore("serial:77", &["--yes"]).exits(64).says(&["no version of the state has the serial 77"]);
    restore("nonsense", &["--yes"]).exits(64).says(&["has no version \"nonsense\""]);
    restore(id, &[]).exits(64).says(&["there is no terminal: give --yes"]);
    // Nothing is replaced that could not be kept.
    project.write("blocked", "");
    bucket.apply(&project, &["newer"]);
    let run = bucket.run(&project, &["state", "restore", "previous", "--yes", "--rescue-dir", "blocked/x"]);
    run.output().exits(75).says(&["could not be kept in", "--rescue-dir"]);
    bucket.assert_state(&project, "newer");
    // A Terraform at work holds its own lock: the mending would race with what it writes.
    bucket.put(KEY, "spoilt");
    bucket.put("terraform.tfstate.tflock", "{\"ID\": \"x\"}");
    let run = bucket.run(&project, &["state", "restore", "previous", "--yes"]);
    run.output().exits(75).says(&["a Terraform holds its own lock on s3://states/terraform.tfstate"]);
    assert_eq!(bucket.versions(&project)[0]["content"], "not_a_state");
}

#[test]
fn where_there_are_no_versions_it_is_said_what_to_do() {
    let bucket = Bucket::plain();
    let project = bucket.project(Own::Lockfile, KEY);
    bucket.apply(&project, &["one"]);
    for args in [&["state", "versions"][..], &["state", "restore", "previous", "--yes"]] {
        let run = bucket.run(&project, args).output().exits(78);
        run.says(&["keeps no earlier versions", "turn versioning on"]);
    }
    let local = Project::hello();
    let run = Run::new(&local).args(["state", "versions"]).output().exits(78);
    run.says(&["the backend is local", "terraform.tfstate.backup"]);
}
