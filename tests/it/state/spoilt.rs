//! Restore after a spoilt state, in every way that a state is spoilt.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::bucket::{Bucket, Own, kept, restored};

const KEY: &str = "net/terraform.tfstate";

#[test]
fn restore_after_a_spoilt_state_with_a_table() {
    restore_after_a_spoilt_state(Own::Table);
}

#[test]
fn restore_after_a_spoilt_state_with_a_lockfile() {
    restore_after_a_spoilt_state(Own::Lockfile);
}

fn restore_after_a_spoilt_state(own: Own) {
    let bucket = Bucket::versioned();
    let project = bucket.project(own, KEY);
    bucket.apply(&project, &["one", "two"]);

    // Cut short, as by an upload that broke off.
    bucket.put(KEY, "{\"version\": 4, \"terraf");
    let run = restored(&bucket, &project, "previous");
    run.says(&[
        "Terraform finds no present state to push over (it is not a state)",
        "restored s3://states/net/",
    ]);
    bucket.assert_state(&project, "two");
    let files = kept(&project);
    assert_eq!(std::fs::read_to_string(&files[0]).unwrap(), "{\"version\": 4, \"terraf");
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o7777, 0o600);

    // Deleted. With a lockfile Terraform would take that for a state that never was.
    bucket.delete(KEY);
    assert_eq!(bucket.versions(&project)[0]["content"], "deleted");
    let run = restored(&bucket, &project, "previous");
    run.says(&["to push over (it was deleted)", "restored s3://states/net/"]);
    bucket.assert_state(&project, "two");
    assert_eq!(kept(&project), files, "there was nothing to keep");

    if own == Own::Table {
        // A state of somebody's, uploaded by hand: its digest is another.
        let body = "b = s3.get_object(Bucket='states', Key=a[0])['Body'].read() + b'\\n'; \
                    s3.put_object(Bucket='states', Key=a[0], Body=b)";
        bucket.python(body, &[KEY]);
        let run = restored(&bucket, &project, "previous");
        run.says(&["Terraform finds no present state to push over (its digest in the table is another)"]);
        bucket.assert_state(&project, "two");
    }

    // A sound one: Terraform alone writes, over what it can read.
    let before = bucket.versions(&project).len();
    restored(&bucket, &project, "serial:1").never_says(&["finds no present state"]);
    bucket.assert_state(&project, "one");
    let versions = bucket.versions(&project);
    assert_eq!(versions.len(), before + 1);
    let serials: Vec<u64> = versions.iter().filter_map(|version| version["serial"].as_u64()).collect();
    assert!(serials[1..].iter().all(|serial| *serial < serials[0]), "{serials:?}");

    // The record and the history know of it.
    let status = bucket.run(&project, &["status", "--json"]).output().exits(0);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["last"]["identity"]["command"], "tfguard state restore serial:1");
    assert_eq!(status["applied"]["run"], status["last"]["run"]);
    assert_eq!(versions[0]["run"]["run"], status["last"]["run"]);
    assert_eq!(versions[0]["current"], json!(true));
}
