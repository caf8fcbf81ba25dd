//! What is there already: told, and changed only when that was asked for.

use serde_json::json;

use super::stage::{boto, bucket, is_right_bucket, is_right_table, setup, table};
use super::wire::Wire;
use crate::support::dynamo::{Engine, Shape};
use crate::support::moto::Moto;
use crate::support::project::Project;

#[test]
fn a_table_that_no_lock_can_live_in_is_left_alone() {
    for (shape, part) in [
        (Shape::SortKey, "has the sort key \"sort_key\""),
        (Shape::WrongName, "has the partition key \"lock_id\" instead of \"LockID\""),
        (Shape::WrongType, "of type N instead of S"),
    ] {
        let engine = Engine::start();
        engine.create_table("locks", shape);
        let wire = Wire::to(&engine.endpoint);
        let project = Project::empty();
        for more in [&[][..], &["--repair"]] {
            let options = [&["--table", "locks"], more].concat();
            let run = setup(&project, &wire.endpoint(), &options).output().exits(78);
            let run = run.says(&[part, "cannot be changed", "--table"]);
            assert_eq!(run.stdout_text(), "");
            let calls = wire.take();
            assert!(calls.iter().all(|call| call.operation.starts_with("Describe")), "{calls:?}");
        }
    }
}

#[test]
fn what_is_off_is_told_and_switched_on_when_asked() {
    let moto = Moto::start();
    let endpoint = &moto.endpoint;
    moto.create("plain-states", "plain-lock");
    let project = Project::empty();
    let options = ["--table", "plain-lock", "--bucket", "plain-states"];
    let off =
        ["TTL is off", "point-in-time recovery is off", "deletion protection is off", "versioning is off"];
    for _ in 0..2 {
        let told = setup(&project, endpoint, &options).output().exits(0);
        let told = told.says(&off).says(&["the block of public access is off", "tfguard setup --repair"]);
        assert!(told.stdout_text().contains("\"plain-lock\""));
    }
    assert_eq!(table(endpoint, "plain-lock")["protected"], false);

    let repair = [&options[..], &["--repair"]].concat();
    let mended = setup(&project, endpoint, &repair).output().exits(0);
    mended
        .says(&["switched on TTL", "switched on versioning", "is as it should be now"])
        .never_says(&["warning"]);
    is_right_table(&table(endpoint, "plain-lock"));
    let script = "s3.put_bucket_tagging(Bucket='plain-states', Tagging={'TagSet': []})";
    boto(endpoint, script, &[]);
    let script = "print(json.dumps([s3.get_bucket_versioning(Bucket='plain-states').get('Status'), \
        s3.get_bucket_encryption(Bucket='plain-states')['ServerSideEncryptionConfiguration']['Rules'][0]\
        ['ApplyServerSideEncryptionByDefault']['SSEAlgorithm'], \
        s3.get_public_access_block(Bucket='plain-states')['PublicAccessBlockConfiguration']['BlockPublicAcls']]))";
    assert_eq!(boto(endpoint, script, &[]), json!(["Enabled", "AES256", true]));
    setup(&project, endpoint, &options).output().exits(0).says(&["exists and is as it should be"]);
}

#[test]
fn what_its_owner_pays_for_and_chose_is_never_changed() {
    let moto = Moto::start();
    let endpoint = &moto.endpoint;
    let script = "dynamodb.create_table(TableName='owned-lock', ProvisionedThroughput={'ReadCapacityUnits': 5, \
        'WriteCapacityUnits': 6}, AttributeDefinitions=[{'AttributeName': 'LockID', 'AttributeType': 'S'}], \
        KeySchema=[{'AttributeName': 'LockID', 'KeyType': 'HASH'}])\n\
        dynamodb.update_time_to_live(TableName='owned-lock', TimeToLiveSpecification={'Enabled': True, \
        'AttributeName': 'ttl'})\n";
    boto(endpoint, script, &[]);
    let project = Project::empty();
    let run = setup(&project, endpoint, &["--table", "owned-lock", "--repair"]).output().exits(0);
    run.says(&[
        "5 reads and 6 writes",
        "\"ttl\" instead of \"expires_at\"",
        "switched on deletion protection",
    ]);
    let table = table(endpoint, "owned-lock");
    assert_eq!(table["ttl"]["AttributeName"], "ttl");
    assert_ne!(table["billing"], "PAY_PER_REQUEST");
    assert_eq!((&table["protected"], &table["recovery"]), (&json!(true), &json!("ENABLED")));
}

#[test]
fn what_an_interrupted_setup_left_is_taken_up() {
    let moto = Moto::start();
    let endpoint = &moto.endpoint;
    let project = Project::empty();
    let cut = Wire::meddling(endpoint, |call| {
        (call.operation == "UpdateTimeToLive" || call.parameter("publicAccessBlock").is_some())
            .then_some(crate::support::http::Reply::Close)
    });
    let options = ["--table", "cut-lock", "--bucket", "cut-states"];
    let failed = setup(&project, &cut.endpoint(), &options).output().exits(69);
    failed.says(&["cut-lock", "was created, and TTL could not be switched on", "run `tfguard setup` again"]);
    let repair = [&options[..], &["--repair"]].concat();
    setup(&project, endpoint, &repair).output().exits(0);
    is_right_table(&table(endpoint, "cut-lock"));
    is_right_bucket(&bucket(endpoint, "cut-states"));
}
