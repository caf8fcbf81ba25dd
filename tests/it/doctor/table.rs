//! The table.

use serde_json::{Value, json};

use super::super::support::dynamo::{Engine, Shape};
use super::super::support::project::Project;
use super::{Diagnosis, Stage, answer, at};

/// What `DescribeTable` tells of a table that is as it should be, changed.
fn described(change: Value) -> impl Fn(&str) -> Option<Vec<u8>> {
    let mut table = json!({
        "TableName": "locks", "TableStatus": "ACTIVE", "ItemCount": 0,
        "KeySchema": [{ "AttributeName": "LockID", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "LockID", "AttributeType": "S" }],
        "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" },
    });
    for (name, value) in change.as_object().unwrap() {
        table[name] = value.clone();
    }
    move |operation| (operation == "DescribeTable").then(|| answer(200, &json!({ "Table": table })))
}

fn with_table(change: Value) -> Diagnosis {
    let described = described(change);
    Stage::new(move |operation, _| described(operation)).doctor()
}

fn with_ttl(status: &'static str, attribute: &'static str) -> Diagnosis {
    let told = json!({ "TimeToLiveDescription": { "TimeToLiveStatus": status, "AttributeName": attribute } });
    Stage::new(move |operation, _| (operation == "DescribeTimeToLive").then(|| answer(200, &told))).doctor()
}

#[test]
fn a_table_as_it_should_be_lets_a_run_work_and_is_left_as_it_is() {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let diagnosis = Diagnosis::of(at(&Project::hello(), &engine.endpoint));
    diagnosis.works();
    for id in ["table-exists", "table-key", "table-capacity", "lock-record", "terraform-version"] {
        diagnosis.is(id, "ok");
    }
    assert_eq!(engine.scan("locks"), Vec::<Value>::new(), "a doctor changes nothing");
}

#[test]
fn no_table() {
    let engine = Engine::start();
    let diagnosis = Diagnosis::of(at(&Project::hello(), &engine.endpoint));
    let text = diagnosis.fails().is("table-exists", "error");
    assert!(
        text.contains("there is no table locks") && text.contains("tfguard setup --table locks"),
        "{text}"
    );
    assert!(diagnosis.all("permission").is_empty(), "what cannot be tried is not told");
}

#[test]
fn a_key_of_another_name_or_type_or_a_sort_key() {
    for (shape, part) in [
        (Shape::WrongName, "partition key \"lock_id\""),
        (Shape::WrongType, "type N"),
        (Shape::SortKey, "sort key \"sort_key\""),
    ] {
        let engine = Engine::start();
        engine.create_table("locks", shape);
        let diagnosis = Diagnosis::of(at(&Project::hello(), &engine.endpoint));
        let text = diagnosis.fails().is("table-key", "error");
        assert!(text.contains(part) && text.contains("tfguard setup --table NAME"), "{shape:?}: {text}");
    }
}

#[test]
fn a_wrong_key_is_seen_where_the_table_may_not_be_described() {
    let denied = json!({ "__type": "AccessDeniedException", "message": "no" });
    let refused = json!({ "__type": "ValidationException",
        "message": "The provided key element does not match the schema" });
    let stage = Stage::new(move |operation, _| match operation {
        "DescribeTable" => Some(answer(400, &denied)),
        "GetItem" => Some(answer(400, &refused)),
        _ => None,
    });
    let diagnosis = stage.doctor();
    diagnosis.fails().is("table-key", "error");
    diagnosis.is("table-exists", "info");
}

#[test]
fn ttl_off_or_on_another_attribute() {
    with_ttl("ENABLED", "expires_at").works().is("table-ttl", "ok");
    let text = with_ttl("DISABLED", "").works().is("table-ttl", "warning");
    assert!(text.contains("tfguard setup"), "{text}");
    let text = with_ttl("ENABLED", "ttl").works().is("table-ttl", "warning");
    assert!(
        text.contains("on ttl, not expires_at") && text.contains("Enabled=false,AttributeName=ttl"),
        "{text}"
    );
}

#[test]
fn a_global_table_that_agrees_in_a_while_or_at_once() {
    let replicas = json!([{ "RegionName": "eu-west-2", "ReplicaStatus": "ACTIVE" }]);
    for consistency in [json!("EVENTUAL"), Value::Null] {
        let change = json!({ "Replicas": replicas, "MultiRegionConsistency": consistency });
        let text = with_table(change).works().is("table-replication", "warning");
        assert!(text.contains("eu-west-2") && text.contains("region = \"eu-west-1\""), "{text}");
    }
    let strong = json!({ "Replicas": replicas, "MultiRegionConsistency": "STRONG" });
    with_table(strong).works().is("table-replication", "ok");
}

#[test]
fn provisioned_capacity_that_is_too_low() {
    let units = |read: u64, write: u64| {
        json!({ "BillingModeSummary": { "BillingMode": "PROVISIONED" },
            "ProvisionedThroughput": { "ReadCapacityUnits": read, "WriteCapacityUnits": write } })
    };
    let text = with_table(units(1, 1)).works().is("table-capacity", "warning");
    assert!(text.contains("1 read and 1 write") && text.contains("PAY_PER_REQUEST"), "{text}");
    with_table(units(20, 20)).works().is("table-capacity", "ok");
}

#[test]
fn a_table_that_is_not_ready() {
    for status in ["CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"] {
        with_table(json!({ "TableStatus": status })).fails().is("table-exists", "error");
    }
}

#[test]
fn an_endpoint_that_ignores_conditions() {
    let stage = Stage::new(|operation, request| {
        let probe = String::from_utf8_lossy(request.body()).contains("#probe");
        let written = operation == "PutItem" && probe;
        written.then(|| answer(200, &json!({})))
    });
    let diagnosis = stage.doctor();
    diagnosis.fails().is("store-conditions", "error");
    let puts = diagnosis.all("permission");
    let put = puts.iter().find(|check| check["details"]["action"] == "dynamodb:PutItem").unwrap();
    assert_eq!(put["severity"], "info", "no write is tried on an item of a run: {put}");
}

#[test]
fn a_region_that_is_not_the_backends() {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let project = Project::with(
        r#"terraform {
             backend "s3" {
               bucket    = "states"
               key       = "k"
               region    = "us-east-1"
               endpoints = { s3 = "http://127.0.0.1:9" }
             }
           }"#,
    );
    let run = at(&project, &engine.endpoint).args(["--region", "eu-west-1"]);
    let text = Diagnosis::of(run).is("table-region", "warning");
    assert!(text.contains("eu-west-1") && text.contains("--region us-east-1"), "{text}");
}
