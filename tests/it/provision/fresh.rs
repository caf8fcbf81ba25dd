//! What is made where nothing was, alone and in a race.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::json;

use super::stage::{backend_tf, bucket, is_right_bucket, is_right_table, setup, table};
use super::wire::{Call, Wire, dynamodb_error, s3_error};
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::Run;

/// What the printed backend is tried with.
const STATE: &str = "resource \"terraform_data\" \"x\" {\n  input = 1\n}\n";

#[test]
fn table_and_bucket_are_made_and_the_printed_backend_uses_them() {
    let moto = Moto::start();
    let endpoint = &moto.endpoint;
    let project = Project::with(STATE);
    let made = setup(
        &project,
        endpoint,
        &["--table", "fresh-lock", "--bucket", "fresh-states", "--tag", "team=infra"],
    );
    let made = made.output().exits(0);
    let table = table(endpoint, "fresh-lock");
    is_right_table(&table);
    let tags = json!([{ "Key": "managed-by", "Value": "tfguard" }, { "Key": "team", "Value": "infra" }]);
    assert_eq!(table["tags"], tags);
    let bucket = bucket(endpoint, "fresh-states");
    is_right_bucket(&bucket);
    assert_eq!(bucket["tags"], tags);

    project.write("backend.tf", &backend_tf(&made));
    let terraform = |args: &[&str]| Run::program("terraform", &project).args(args).output();
    terraform(&["fmt", "-check", "-diff"]).exits(0);
    terraform(&["init", "-input=false"]).exits(0);
    terraform(&["validate"]).exits(0);
    terraform(&["apply", "-auto-approve", "-input=false"]).exits(0);
    let script = "print(json.dumps([\
        [o['Key'] for o in s3.list_objects_v2(Bucket='fresh-states')['Contents']],\
        [i['LockID']['S'] for i in dynamodb.scan(TableName='fresh-lock')['Items']]]))";
    let found = super::stage::boto(endpoint, script, &[]);
    assert_eq!(found, json!([["project/terraform.tfstate"], ["fresh-states/project/terraform.tfstate-md5"]]));
}

#[test]
fn a_bucket_alone_for_a_lock_without_a_table() {
    let moto = Moto::start();
    let endpoint = &moto.endpoint;
    let project = Project::empty();
    let wire = Wire::to(endpoint);
    let options = ["--store", "s3", "--bucket", "alone-states"];
    let made = setup(&project, &wire.endpoint(), &options).output().exits(0);
    is_right_bucket(&bucket(endpoint, "alone-states"));
    assert!(wire.take().iter().all(|call| call.operation.is_empty()), "DynamoDB was asked");
    assert!(!backend_tf(&made).contains("dynamodb_table"));
}

#[test]
fn a_second_setup_changes_nothing() {
    let moto = Moto::start();
    let wire = Wire::to(&moto.endpoint);
    let project = Project::empty();
    let options = ["--table", "second-lock", "--bucket", "second-states"];
    setup(&project, &wire.endpoint(), &options).output().exits(0);
    assert!(wire.take().iter().any(changes));
    for more in [&[][..], &["--repair"]] {
        let again = setup(&project, &wire.endpoint(), &[&options[..], more].concat()).output().exits(0);
        let again = again.says(&["second-lock", "second-states", "exists and is as it should be"]);
        let again = again.never_says(&["warning", "--repair"]);
        backend_tf(&again);
        let calls = wire.take();
        assert!(!calls.is_empty() && !calls.iter().any(changes), "{calls:?}");
    }
}

fn changes(call: &Call) -> bool {
    match call.operation.as_str() {
        "" => !matches!(call.method.as_str(), "GET" | "HEAD"),
        operation => !operation.starts_with("Describe"),
    }
}

/// Holds calls back until two have come, so that they overlap for sure.
struct Gate {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Mutex::new(0), changed: Condvar::new() })
    }

    fn pass(&self) {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.changed.notify_all();
        let (_arrived, waited) = self
            .changed
            .wait_timeout_while(arrived, Duration::from_secs(20), |arrived| *arrived < 2)
            .unwrap();
        assert!(!waited.timed_out(), "the second setup did not come");
    }
}

#[test]
fn two_setups_at_once_do_not_fight() {
    let moto = Moto::start();
    let (tables, buckets) = (Gate::new(), Gate::new());
    let wire = Wire::meddling(&moto.endpoint, move |call| {
        if call.operation == "CreateTable" {
            tables.pass();
        }
        if call.method == "PUT" && call.path.trim_matches('/') == "race-states" && call.query.is_empty() {
            buckets.pass();
        }
        None
    });
    let options = ["--table", "race-lock", "--bucket", "race-states"];
    let (one, two) = (Project::empty(), Project::empty());
    let both = [&one, &two].map(|project| setup(project, &wire.endpoint(), &options).start());
    let both = both.map(|run| run.finish().exits(0).never_says(&["warning", "--repair"]));
    let created = |what: &str| {
        both.iter().flat_map(|run| run.stderr.lines()).filter(|line| line.contains(what)).count()
    };
    assert_eq!(created("race-lock in eu-west-1 at"), 3, "{both:?}");
    let both_times = both.iter().filter(|run| run.stderr.contains("is being made by somebody else"));
    assert!(both_times.count() >= 1, "{both:?}");
    is_right_table(&table(&moto.endpoint, "race-lock"));
    is_right_bucket(&bucket(&moto.endpoint, "race-states"));
}

#[test]
fn a_service_that_is_busy_for_a_moment_is_asked_again() {
    let moto = Moto::start();
    let (ttl, backups, bucket_busy) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let wire = Wire::meddling(&moto.endpoint, move |call| {
        let first = |count: &AtomicUsize| count.fetch_add(1, Ordering::SeqCst) == 0;
        match call.operation.as_str() {
            "UpdateTimeToLive" if first(&ttl) => Some(dynamodb_error(
                "ValidationException",
                "Time to live has been modified multiple times within a fixed interval; it is being modified",
            )),
            "UpdateContinuousBackups" if first(&backups) => Some(dynamodb_error(
                "ContinuousBackupsUnavailableException",
                "Backups are being enabled for the table: please retry later",
            )),
            "" if call.method == "PUT" && call.query.is_empty() && first(&bucket_busy) => {
                Some(s3_error(409, "OperationAborted"))
            }
            _ => None,
        }
    });
    let project = Project::empty();
    let options = ["--table", "busy-lock", "--bucket", "busy-states"];
    setup(&project, &wire.endpoint(), &options).output().exits(0).never_says(&["warning"]);
    is_right_table(&table(&moto.endpoint, "busy-lock"));
    is_right_bucket(&bucket(&moto.endpoint, "busy-states"));
}

#[test]
fn a_table_that_takes_its_time_is_waited_for() {
    let moto = Moto::start();
    let looks = AtomicUsize::new(0);
    let engine = moto.endpoint.clone();
    let wire = Wire::meddling(&engine, move |call| {
        // The first look finds none; the next ones a table that is still being created.
        let look = call.operation == "DescribeTable";
        (look && (1..4).contains(&looks.fetch_add(1, Ordering::SeqCst))).then(|| {
            let table = json!({ "Table": {
                "TableName": "slow-lock",
                "TableStatus": "CREATING",
                "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
                "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
            } });
            crate::support::http::answer(200, &table.to_string())
        })
    });
    let project = Project::empty();
    let made = setup(&project, &wire.endpoint(), &["--table", "slow-lock"]).output().exits(0);
    made.says(&["waiting until it is active"]).never_says(&["warning"]);
    let calls = wire.take();
    let first = |operation: &str| calls.iter().position(|call| call.operation == operation).unwrap();
    let looked =
        calls.iter().take(first("UpdateTimeToLive")).filter(|call| call.operation == "DescribeTable");
    assert!(looked.count() >= 5, "{calls:?}");
    is_right_table(&table(&engine, "slow-lock"));
}

#[test]
fn an_answer_that_was_lost_is_not_taken_for_a_rival() {
    let moto = Moto::start();
    let (tables, buckets) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wire = Wire::losing(&moto.endpoint, move |call| {
        let first = |count: &AtomicUsize| count.fetch_add(1, Ordering::SeqCst) == 0;
        match call.operation.as_str() {
            "CreateTable" => first(&tables),
            "" if call.method == "PUT" && call.query.is_empty() => first(&buckets),
            _ => false,
        }
    });
    let project = Project::empty();
    let options = ["--table", "lost-lock", "--bucket", "lost-states"];
    let made = setup(&project, &wire.endpoint(), &options).output().exits(0);
    made.never_says(&["warning", "somebody else"]);
    is_right_table(&table(&moto.endpoint, "lost-lock"));
    is_right_bucket(&bucket(&moto.endpoint, "lost-states"));
}
