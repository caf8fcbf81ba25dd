//! What is refused, by us or by AWS, and in which words.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::stage::setup;
use super::wire::{Wire, dynamodb_error, s3_error};
use crate::support::http::{Reply, nobody};
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::Run;

#[test]
fn names_that_aws_does_not_take_are_refused_before_anybody_is_asked() {
    let wire = Wire::to(&nobody());
    let project = Project::empty();
    for (options, part) in [
        (&["--table", "a b"][..], "the table's name"),
        (&["--table", "ab"], "3 to 255"),
        (&["--bucket", "My_States"], "lower-case"),
        (&["--store", "s3", "--bucket", "192.168.0.1"], "IP address"),
        (&["--table", "locks", "--tag", "aws:x=y"], "--tag"),
        (&["--table", "locks", "--tag", "nothing"], "KEY=VALUE"),
        (&["--store", "local"], "needs no setup"),
        (&["--store", "s3"], "--bucket"),
        (&["--print", "pulumi"], "terraform, cloudformation"),
    ] {
        let run = setup(&project, &wire.endpoint(), options).output().exits(64).says(&[part]);
        assert_eq!(run.stdout_text(), "", "{options:?}");
    }
    assert_eq!(wire.take().len(), 0);
}

#[test]
fn what_aws_does_not_allow_is_named() {
    let moto = Moto::start();
    let denied = |operation: &'static str| {
        Wire::meddling(&moto.endpoint, move |call| {
            (call.operation == operation)
                .then(|| dynamodb_error("AccessDeniedException", "User: ci is not authorized"))
        })
    };
    let project = Project::empty();
    for operation in ["DescribeTable", "CreateTable", "UpdateTimeToLive", "UpdateContinuousBackups"] {
        let wire = denied(operation);
        let table = format!("denied-{operation}");
        let run = setup(&project, &wire.endpoint(), &["--table", &table]).output().exits(77);
        run.says(&[&format!("may not dynamodb:{operation}"), &table, "tfguard policy --for setup"]);
    }
    for (query, action) in [
        (None, "s3:CreateBucket"),
        (Some("publicAccessBlock"), "s3:PutBucketPublicAccessBlock"),
        (Some("encryption"), "s3:PutEncryptionConfiguration"),
        (Some("versioning"), "s3:PutBucketVersioning"),
        (Some("tagging"), "s3:PutBucketTagging"),
    ] {
        let wire = Wire::meddling(&moto.endpoint, move |call| {
            let meant = match query {
                None => call.query.is_empty(),
                Some(query) => call.parameter(query).is_some(),
            };
            (call.method == "PUT" && meant).then(|| s3_error(403, "AccessDenied"))
        });
        let bucket = format!("denied-{}", query.unwrap_or("create").to_lowercase());
        let options = ["--store", "s3", "--bucket", &bucket];
        setup(&project, &wire.endpoint(), &options).output().exits(77).says(&[&format!("may not {action}")]);
    }
    let nobodys = Run::new(&project).args(["setup", "--table", "locks"]);
    let nobodys = nobodys.without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    nobodys.output().exits(77).says(&["credentials"]);
}

#[test]
fn a_bucket_of_somebody_else_or_elsewhere() {
    let moto = Moto::start();
    let project = Project::empty();
    let options = ["--store", "s3", "--bucket", "others-states"];
    for (create, head, code, parts) in [
        (Some("BucketAlreadyExists"), None, 78, &["somebody else has a bucket of that name", "--bucket"][..]),
        (None, Some("403 Forbidden\r\n"), 77, &["may not look at it", "s3:ListBucket"]),
        (
            None,
            Some("301 Moved\r\nx-amz-bucket-region: us-west-2\r\n"),
            78,
            &["is in us-west-2", "--region us-west-2"],
        ),
    ] {
        let wire = Wire::meddling(&moto.endpoint, move |call| match call.method.as_str() {
            "HEAD" => head
                .map(|head| Reply::Bytes(format!("HTTP/1.1 {head}content-length: 0\r\n\r\n").into_bytes())),
            "PUT" => create.map(|code| s3_error(409, code)),
            _ => None,
        });
        let run = setup(&project, &wire.endpoint(), &options).output().exits(code).says(parts);
        assert_eq!(run.stdout_text(), "");
    }
}

#[test]
fn nobody_answers() {
    let project = Project::empty();
    let started = Instant::now();
    setup(&project, &nobody(), &["--table", "locks"])
        .output()
        .exits(69)
        .says(&["cannot be reached", "locks"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_wait_can_be_cancelled() {
    let moto = Moto::start();
    let wire =
        Wire::meddling(&moto.endpoint, |call| (call.operation == "DescribeTable").then_some(Reply::Hang));
    let project = Project::empty();
    let mut run = setup(&project, &wire.endpoint(), &["--table", "cancelled-lock"]).start();
    run.wait_until("it asks", |_| {
        wire.take().iter().any(|call| call.operation == "DescribeTable").then_some(())
    });
    kill_process(run.pid(), Signal::INT).unwrap();
    let over = run.finish().exits(130);
    assert_eq!(over.stdout_text(), "");
}

#[test]
fn the_json_log_has_the_file_in_an_event() {
    let moto = Moto::start();
    let project = Project::empty();
    let options = ["--table", "json-lock", "--log-format", "json", "-q"];
    let run = setup(&project, &moto.endpoint, &options).output().exits(0);
    let lines: Vec<Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let document = lines.last().unwrap();
    assert_eq!((&document["type"], &document["name"]), (&"document".into(), &"backend.tf".into()));
    assert!(document["content"].as_str().unwrap().parse::<hcl_edit::structure::Body>().is_ok());
    assert_eq!(run.stderr, "");
}
