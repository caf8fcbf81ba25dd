//! Directories whose state is in a bucket of one moto that all tests of this process share, each
//! under a key and with tables of its own.

use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;

use crate::support::moto::{Moto, python};
use crate::support::project::Project;
use crate::support::run::Run;

/// The bucket that each moto has.
pub(super) const BUCKET: &str = "states";
/// The table that each moto has, of the right shape.
pub(super) const TABLE: &str = "terraform-lock";

/// One resource that is built in.
pub(super) const RESOURCE: &str = "resource \"terraform_data\" \"x\" {\n  input = \"one\"\n}\n";

/// The moto of this process, started with the first who asks and stopped with the last.
pub(super) fn moto() -> Arc<Moto> {
    static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    if let Some(moto) = shared.upgrade() {
        return moto;
    }
    let moto = Arc::new(Moto::start());
    moto.create(BUCKET, TABLE);
    *shared = Arc::downgrade(&moto);
    moto
}

/// Runs a Python script against the moto; `s3` and `db` are the clients.
pub(super) fn script(moto: &Moto, text: &str) -> String {
    let head = format!(
        "import boto3\nkw = dict(endpoint_url='{}', region_name='eu-west-1', aws_access_key_id='x', \
         aws_secret_access_key='y')\ns3 = boto3.client('s3', **kw)\ndb = boto3.client('dynamodb', **kw)\n",
        moto.endpoint
    );
    let output = Command::new(python()).args(["-c", &(head + text)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Creates a table with these attributes as its key, each `name:type`.
pub(super) fn table(moto: &Moto, name: &str, keys: &[&str]) {
    let attribute = |key: &str| {
        let (name, kind) = key.split_once(':').unwrap();
        format!("{{'AttributeName': '{name}', 'AttributeType': '{kind}'}}")
    };
    let schema = |(key, kind): (&&str, &str)| {
        format!("{{'AttributeName': '{}', 'KeyType': '{kind}'}}", key.split_once(':').unwrap().0)
    };
    let attributes: Vec<_> = keys.iter().map(|key| attribute(key)).collect();
    let schema: Vec<_> = keys.iter().zip(["HASH", "RANGE"]).map(schema).collect();
    script(
        moto,
        &format!(
            "db.create_table(TableName='{name}', BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{}], \
             KeySchema=[{}])",
            attributes.join(", "),
            schema.join(", ")
        ),
    );
}

/// The `LockID`s in a table, and the keys in the bucket.
pub(super) fn ids(moto: &Moto, table: &str) -> Vec<String> {
    let listed = script(
        moto,
        &format!(
            "print(*sorted(i['LockID']['S'] for i in db.scan(TableName='{table}')['Items']), sep='\\n')\n"
        ),
    );
    listed.lines().map(str::to_owned).collect()
}

/// The keys in the bucket that start so.
pub(super) fn objects(moto: &Moto, prefix: &str) -> Vec<String> {
    let listed = script(
        moto,
        &format!(
            "print(*[o['Key'] for o in s3.list_objects_v2(Bucket='{BUCKET}', Prefix='{prefix}').get('Contents', \
             [])], sep='\\n')\n"
        ),
    );
    listed.lines().map(str::to_owned).collect()
}

/// What every `s3` backend of these tests needs to reach the moto.
pub(super) fn reach(moto: &Moto) -> String {
    let endpoint = &moto.endpoint;
    format!(
        "    region = \"eu-west-1\"\n    use_path_style = true\n    skip_credentials_validation = true\n    \
         skip_requesting_account_id = true\n    endpoints = {{ s3 = \"{endpoint}\", dynamodb = \"{endpoint}\" }}\n"
    )
}

/// A backend block with these lines in it.
pub(super) fn backend(kind: &str, lines: &str) -> String {
    format!("terraform {{\n  backend \"{kind}\" {{\n{lines}\n  }}\n}}\n")
}

/// A project whose state is in the bucket under `key`, with more settings.
pub(super) fn project(moto: &Moto, key: &str, more: &str) -> Project {
    let lines = format!("    bucket = \"{BUCKET}\"\n    key = \"{key}\"\n{}    {more}", reach(moto));
    Project::with(&(backend("s3", &lines) + RESOURCE))
}

/// What `status --json` says, asked without any option that is not in `adjust`.
pub(super) fn status(project: &Project, adjust: impl FnOnce(Run) -> Run) -> Value {
    let run =
        adjust(Run::new(project).without_env("AWS_REGION")).args(["status", "--json"]).output().exits(0);
    serde_json::from_slice(&run.stdout).unwrap()
}

/// Value and origin of one thing that `status` tells.
pub(super) fn origin<'a>(status: &'a Value, name: &str) -> (&'a str, &'a str) {
    let told = &status["origins"][name];
    (told["value"].as_str().unwrap_or_default(), told["from"].as_str().unwrap_or_default())
}

/// Nothing is added.
pub(super) fn plain(run: Run) -> Run {
    run
}
