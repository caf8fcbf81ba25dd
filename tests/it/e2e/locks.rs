//! Where the locks of a test live, and what stands there.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::support::dynamo::{Engine, Shape};
use crate::support::folder::Folder;
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::{Run, Started};

/// The lock that every test takes, in a store of its own.
pub(crate) const LOCK: &str = "e2e";
/// The table of [`Locks::dynamodb`].
pub(crate) const TABLE: &str = "locks";

/// The object of [`LOCK`] in [`Locks::S3`].
const OBJECT: &str = ".tfguard/locks/e2e.tfguard";

/// A store of the test's own.
pub(crate) enum Locks {
    Local(Folder),
    Dynamodb(Engine),
    /// A bucket, without a slash.
    S3(Arc<Moto>, &'static str),
}

impl Locks {
    pub(crate) fn local() -> Self {
        Self::Local(Folder::new())
    }

    pub(crate) fn dynamodb() -> Self {
        let engine = Engine::start();
        engine.create_table(TABLE, Shape::Right);
        Self::Dynamodb(engine)
    }

    /// A new bucket of this name, which starting moto for each test would take too long for.
    pub(crate) fn s3(moto: &Arc<Moto>, bucket: &'static str) -> Self {
        moto.create_bucket(bucket);
        Self::S3(Arc::clone(moto), bucket)
    }

    /// A run that uses this store and [`LOCK`], and whatever it starts does too.
    pub(crate) fn run(&self, project: &Project) -> Run {
        self.named_in(Run::new(project))
    }

    /// Tells `run` of this store and [`LOCK`].
    pub(crate) fn named_in(&self, run: Run) -> Run {
        let run = run.env("TFGUARD_LOCK", LOCK);
        match self {
            Self::Local(folder) => {
                run.env("TFGUARD_STORE", "local").env("TFGUARD_LOCAL_DIR", folder.path().join("locks"))
            }
            Self::Dynamodb(engine) => {
                let run = run.env("TFGUARD_STORE", "dynamodb").env("TFGUARD_TABLE", TABLE);
                run.env("TFGUARD_ENDPOINT_URL", &engine.endpoint)
            }
            Self::S3(moto, bucket) => {
                let run = run.env("TFGUARD_STORE", "s3").env("TFGUARD_BUCKET", bucket);
                run.env("TFGUARD_ENDPOINT_URL", &moto.endpoint)
            }
        }
    }

    /// A run that holds the lock until its standard input ends. It holds it when this returns.
    pub(crate) fn hold(&self, project: &Project) -> Started {
        self.hold_with(project, &[])
    }

    /// As [`Locks::hold`], with options.
    pub(crate) fn hold_with(&self, project: &Project, options: &[&str]) -> Started {
        let run = self.run(project).args(["exec"]).args(options).args(["--", "cat"]);
        let mut holder = run.stdin_open().start();
        holder.wait_for("child_started");
        holder
    }

    /// The record of [`LOCK`], whatever it is.
    pub(crate) fn record(&self) -> Option<Value> {
        match self {
            Self::Local(folder) => {
                let text = std::fs::read_to_string(folder.path().join("locks/e2e.json")).ok()?;
                Some(serde_json::from_str(&text).unwrap())
            }
            Self::Dynamodb(engine) => {
                engine.get(TABLE, &format!("tfguard:{LOCK}")).map(|item| plain_item(&item))
            }
            Self::S3(moto, bucket) => {
                let bytes = moto.object(bucket, OBJECT)?;
                Some(serde_json::from_slice(&bytes).unwrap())
            }
        }
    }

    /// The record of a lock that somebody has held before.
    #[track_caller]
    pub(crate) fn free_record(&self) -> Value {
        let record = self.record().unwrap();
        assert_eq!(record["holders"], json!([]), "{record}");
        assert_eq!(record["queue"], json!([]), "{record}");
        record
    }

    /// How the last run ended: outcome and exit code.
    #[track_caller]
    pub(crate) fn last(&self) -> (String, Option<i64>) {
        let last = &self.free_record()["last"];
        (last["outcome"].as_str().unwrap().to_owned(), last["exit_code"].as_i64())
    }

    /// Puts a record there, whatever it is.
    pub(crate) fn plant(&self, mut record: Value) {
        record["LockID"] = format!("tfguard:{LOCK}").into();
        match self {
            Self::Local(folder) => {
                let locks = folder.path().join("locks");
                std::fs::create_dir_all(&locks).unwrap();
                std::fs::write(locks.join("e2e.json"), record.to_string()).unwrap();
            }
            Self::Dynamodb(engine) => {
                let fields = record.as_object().unwrap();
                let item: Map<_, _> =
                    fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
                engine.put(TABLE, &Value::Object(item));
            }
            Self::S3(moto, bucket) => moto.put_object(bucket, OBJECT, record.to_string().as_bytes()),
        }
    }

    /// Puts a run into the history, as JSON of an item.
    pub(crate) fn plant_run(&self, mut run: Value) {
        let number = run["run"].as_u64().unwrap();
        match self {
            Self::Local(folder) => {
                let history = folder.path().join("locks/history/e2e");
                std::fs::create_dir_all(&history).unwrap();
                std::fs::write(history.join(format!("{number}.json")), run.to_string()).unwrap();
            }
            Self::Dynamodb(engine) => {
                run["LockID"] = format!("tfguard:{LOCK}#{number}").into();
                let fields = run.as_object().unwrap();
                let item: Map<_, _> =
                    fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
                engine.put(TABLE, &Value::Object(item));
            }
            Self::S3(..) => unreachable!("nobody plants runs there"),
        }
    }

    /// All that anybody with access to the store can read, as text.
    pub(crate) fn everything(&self) -> String {
        match self {
            Self::Local(folder) => below(&folder.path().join("locks")),
            Self::Dynamodb(engine) => engine.scan(TABLE).iter().map(Value::to_string).collect(),
            Self::S3(moto, bucket) => {
                let objects = moto.keys(bucket).into_iter().filter_map(|key| moto.object(bucket, &key));
                objects.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
            }
        }
    }
}

/// What is in all files below a folder.
fn below(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    entries.map(|path| if path.is_dir() { below(&path) } else { read(&path) }).collect()
}

/// Each test once over local files and once over DynamoDB.
macro_rules! over_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod local {
            $(#[test] fn $name() { super::$name(&crate::e2e::locks::Locks::local()); })+
        }
        mod dynamodb {
            $(#[test] fn $name() { super::$name(&crate::e2e::locks::Locks::dynamodb()); })+
        }
    };
}
pub(crate) use over_both_stores;

fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(bool) => json!({ "BOOL": bool }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({ "M": fields })
        }
    }
}

fn plain_item(item: &Value) -> Value {
    let fields = item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value)));
    Value::Object(fields.collect())
}

fn plain(attribute: &Value) -> Value {
    let (kind, value) = attribute.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "NULL" => Value::Null,
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "L" => value.as_array().unwrap().iter().map(plain).collect(),
        "M" => plain_item(value),
        _ => value.clone(),
    }
}
