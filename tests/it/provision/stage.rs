//! One moto for all tests here, and what it holds, told by a client that is not ours.

use std::process::Command;

use serde_json::Value;

use crate::support::moto::python;
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

/// Runs `script` with `boto3`, `s3` and `dynamodb` at hand, and gives back what it prints as JSON.
/// `sys.argv[2:]` are `args`.
pub(crate) fn boto(endpoint: &str, script: &str, args: &[&str]) -> Value {
    let clients = "import boto3, json, sys\n\
        kw = dict(endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='x', \
        aws_secret_access_key='y')\n\
        s3, dynamodb = boto3.client('s3', **kw), boto3.client('dynamodb', **kw)\n";
    let output = Command::new(python())
        .args(["-c", &format!("{clients}{script}"), endpoint])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(text.trim()).unwrap_or(Value::Null)
}

/// What a table is like, in boto's words.
pub(crate) fn table(endpoint: &str, name: &str) -> Value {
    let script = "t = sys.argv[2]\n\
        d = dynamodb.describe_table(TableName=t)['Table']\n\
        c = dynamodb.describe_continuous_backups(TableName=t)['ContinuousBackupsDescription']\n\
        print(json.dumps(dict(key=d['KeySchema'], attributes=d['AttributeDefinitions'], \
        billing=d.get('BillingModeSummary', {}).get('BillingMode'), protected=d['DeletionProtectionEnabled'], \
        ttl=dynamodb.describe_time_to_live(TableName=t)['TimeToLiveDescription'], \
        recovery=c['PointInTimeRecoveryDescription']['PointInTimeRecoveryStatus'], \
        tags=dynamodb.list_tags_of_resource(ResourceArn=d['TableArn'])['Tags'])))\n";
    boto(endpoint, script, &[name])
}

/// What a bucket is like, in boto's words.
pub(crate) fn bucket(endpoint: &str, name: &str) -> Value {
    let script = "b = sys.argv[2]\n\
        print(json.dumps(dict(region=s3.get_bucket_location(Bucket=b)['LocationConstraint'], \
        versioning=s3.get_bucket_versioning(Bucket=b).get('Status'), \
        encryption=s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration']['Rules'][0]\
        ['ApplyServerSideEncryptionByDefault']['SSEAlgorithm'], \
        access=s3.get_public_access_block(Bucket=b)['PublicAccessBlockConfiguration'], \
        tags=s3.get_bucket_tagging(Bucket=b)['TagSet'])))\n";
    boto(endpoint, script, &[name])
}

/// `tfguard setup` at an endpoint.
pub(crate) fn setup(project: &Project, endpoint: &str, options: &[&str]) -> Run {
    Run::new(project).args(["setup", "--endpoint-url", endpoint]).args(options)
}

/// Every setting of a table that `setup` made is on.
#[track_caller]
pub(crate) fn is_right_table(table: &Value) {
    use serde_json::json;
    assert_eq!(table["key"], json!([{ "AttributeName": "LockID", "KeyType": "HASH" }]));
    assert_eq!(table["attributes"], json!([{ "AttributeName": "LockID", "AttributeType": "S" }]));
    assert_eq!(table["billing"], "PAY_PER_REQUEST");
    assert_eq!(table["protected"], true);
    assert_eq!(table["ttl"], json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at" }));
    assert_eq!(table["recovery"], "ENABLED");
}

/// Every setting of a bucket that `setup` made is on.
#[track_caller]
pub(crate) fn is_right_bucket(bucket: &Value) {
    assert_eq!(bucket["region"], "eu-west-1");
    assert_eq!(bucket["versioning"], "Enabled");
    assert_eq!(bucket["encryption"], "AES256");
    let access = bucket["access"].as_object().unwrap();
    assert_eq!(access.len(), 4);
    assert!(access.values().all(|blocked| *blocked == true), "{access:?}");
}

/// Checks that only the text of a `backend.tf` is on stdout.
#[track_caller]
pub(crate) fn backend_tf(run: &Finished) -> String {
    let text = run.stdout_text();
    let body: hcl_edit::structure::Body = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(body.blocks().count(), 1, "{text}");
    assert!(run.stderr.lines().all(|line| line.starts_with("tfguard: ")), "{}", run.stderr);
    text
}
