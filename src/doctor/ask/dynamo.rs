//! Asking DynamoDB: what a table is like, and which calls are allowed.
//!
//! A write is tried under the condition `attribute_exists(LockID) AND attribute_not_exists(LockID)`,
//! which holds for no item, be it there or not: DynamoDB looks at the permission first and at the
//! condition then, and answers `ConditionalCheckFailedException` to who is allowed. It can neither
//! make nor change nor delete anything. An engine that only speaks DynamoDB's language might ignore
//! conditions: there the try is made first on an item that nobody has, and goes no further if that
//! one was written.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::is_aws;
use crate::doctor::permissions::{Need, Outcome, Try};
use crate::inventory::{DynamoClient, Fault, Table};
use crate::lease::{KEY_PREFIX, LockName};
use crate::state_lock::{StateLock, in_table};

const KEY: &str = "LockID";
/// Holds for no item.
const NEVER: &str = "attribute_exists(LockID) AND attribute_not_exists(LockID)";
/// When an engine that ignores conditions may collect what it should not have written: long ago.
const COLLECTABLE: &str = "1";

/// Whether an engine heeds the condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum Conditions {
    /// It does.
    Heeded,
    /// It wrote what it should not have.
    Ignored,
    /// Not even that write is allowed, and so no other; the service's words.
    Denied(String),
    /// The try says nothing.
    Unclear,
}

/// What came of looking at a table.
pub(in crate::doctor) struct Asked {
    pub(in crate::doctor) table: Table,
    pub(in crate::doctor) tries: Vec<Try>,
    pub(in crate::doctor) conditions: Conditions,
    /// What the service says of our key, where it does not take it.
    pub(in crate::doctor) key_refused: Option<String>,
}

/// Looks at the table that `locks` live in.
pub(in crate::doctor) async fn lock_table(client: &DynamoClient, table: &str, locks: &[LockName]) -> Asked {
    let (description, conditions) =
        tokio::join!(Table::read(client, table), conditions(client, table, "tfguard:doctor#probe"));
    let mut tries = Vec::new();
    let mut key_refused = None;
    for lock in locks {
        let key = lock.key();
        let past = format!("{key}#doctor");
        let on = |key: &str| format!("item {key} of table {table}");
        let (read, written, past_written, deleted, past_read) = tokio::join!(
            get(client, table, &key),
            put(client, table, &key, &conditions),
            put(client, table, &past, &conditions),
            delete(client, table, &key, &conditions),
            batch_get(client, table, &past),
        );
        if let Err(Fault::Invalid(said)) = &read {
            key_refused = Some(said.clone());
        }
        let unlock = Need::Also("unlock of a record that is damaged");
        for (action, on, need, outcome) in [
            ("dynamodb:GetItem", on(&key), Need::Run, Outcome::of(&read)),
            ("dynamodb:PutItem", on(&key), Need::Run, written),
            ("dynamodb:PutItem", on(&past), Need::Also("history"), past_written),
            ("dynamodb:BatchGetItem", on(&past), Need::Also("history"), Outcome::of(&past_read)),
            ("dynamodb:DeleteItem", on(&key), unlock, deleted),
        ] {
            tries.push(Try { action, on, need, outcome });
        }
    }
    let listed = scan(client, table).await;
    tries.push(Try {
        action: "dynamodb:Scan",
        on: format!("table {table}"),
        need: Need::Also("status --all"),
        outcome: Outcome::of(&listed),
    });
    Asked { table: description, tries, conditions, key_refused }
}

/// What Terraform itself needs of the table of its lock on the state at `path`; and the digest of
/// the state and the lock, as they stand there.
pub(in crate::doctor) struct StateItems {
    pub(in crate::doctor) tries: Vec<Try>,
    pub(in crate::doctor) digest: Option<String>,
    pub(in crate::doctor) lock: Option<StateLock>,
}

/// Looks at the table of Terraform's own lock on the state at `path`.
pub(in crate::doctor) async fn state_table(client: &DynamoClient, table: &str, path: &str) -> StateItems {
    let conditions = conditions(client, table, "tfguard:doctor#probe").await;
    let md5 = format!("{path}-md5");
    let (read, digest, written, digested, deleted) = tokio::join!(
        in_table(client, table, path),
        get(client, table, &md5),
        put(client, table, path, &conditions),
        put(client, table, &md5, &conditions),
        delete(client, table, path, &conditions),
    );
    let on = |key: &str| format!("item {key} of table {table}");
    let tries = [
        ("dynamodb:GetItem", on(path), Outcome::of(&read)),
        ("dynamodb:GetItem", on(&md5), Outcome::of(&digest)),
        ("dynamodb:PutItem", on(path), written),
        ("dynamodb:PutItem", on(&md5), digested),
        ("dynamodb:DeleteItem", on(path), deleted),
    ]
    .map(|(action, on, outcome)| Try { action, on, need: Need::Terraform, outcome });
    let text = |item: Option<HashMap<String, AttributeValue>>, name: &str| {
        item.and_then(|mut item| item.remove(name)?.as_s().ok().cloned())
    };
    StateItems {
        tries: tries.into(),
        digest: text(digest.unwrap_or_default(), "Digest"),
        lock: read.unwrap_or_default(),
    }
}

/// Whether this engine heeds conditions. AWS's own does.
async fn conditions(client: &DynamoClient, table: &str, probe: &str) -> Conditions {
    if is_aws(client.endpoint()) {
        return Conditions::Heeded;
    }
    match raw_put(client, table, probe).await {
        Err(Fault::Condition) => Conditions::Heeded,
        Ok(()) => {
            let request =
                client.sdk.delete_item().table_name(table).key(KEY, AttributeValue::S(probe.to_owned()));
            let _ = client.ask("dynamodb:DeleteItem", request.send()).await;
            Conditions::Ignored
        }
        Err(Fault::Denied { said, .. }) => Conditions::Denied(said),
        Err(_) => Conditions::Unclear,
    }
}

impl Conditions {
    /// Why no write may be tried, if none may.
    fn forbid(&self) -> Option<Outcome> {
        match self {
            Self::Heeded => None,
            Self::Ignored => {
                Some(Outcome::NotTried("this endpoint ignores the conditions of writes".to_owned()))
            }
            Self::Denied(said) => Some(Outcome::Denied(said.clone())),
            Self::Unclear => Some(Outcome::Unclear),
        }
    }
}

async fn get(
    client: &DynamoClient,
    table: &str,
    key: &str,
) -> Result<Option<HashMap<String, AttributeValue>>, Fault> {
    let request = client
        .sdk
        .get_item()
        .table_name(table)
        .key(KEY, AttributeValue::S(key.to_owned()))
        .consistent_read(true);
    Ok(client.ask("dynamodb:GetItem", request.send()).await?.item)
}

async fn put(client: &DynamoClient, table: &str, key: &str, conditions: &Conditions) -> Outcome {
    match conditions.forbid() {
        Some(outcome) => outcome,
        None => Outcome::of(&raw_put(client, table, key).await),
    }
}

async fn raw_put(client: &DynamoClient, table: &str, key: &str) -> Result<(), Fault> {
    let request = client
        .sdk
        .put_item()
        .table_name(table)
        .item(KEY, AttributeValue::S(key.to_owned()))
        .item("expires_at", AttributeValue::N(COLLECTABLE.to_owned()))
        .condition_expression(NEVER);
    client.ask("dynamodb:PutItem", request.send()).await.map(|_| ())
}

async fn delete(client: &DynamoClient, table: &str, key: &str, conditions: &Conditions) -> Outcome {
    match conditions.forbid() {
        Some(Outcome::Denied(_)) => return Outcome::Unclear,
        Some(outcome) => return outcome,
        None => {}
    }
    let request = client
        .sdk
        .delete_item()
        .table_name(table)
        .key(KEY, AttributeValue::S(key.to_owned()))
        .condition_expression(NEVER);
    Outcome::of(&client.ask("dynamodb:DeleteItem", request.send()).await)
}

async fn batch_get(client: &DynamoClient, table: &str, key: &str) -> Result<(), Fault> {
    let keys = HashMap::from([(KEY.to_owned(), AttributeValue::S(key.to_owned()))]);
    let wanted = KeysAndAttributes::builder().keys(keys).consistent_read(true).build();
    let wanted = wanted.map_err(|error| Fault::Invalid(error.to_string()))?;
    let request = client.sdk.batch_get_item().request_items(table, wanted);
    client.ask("dynamodb:BatchGetItem", request.send()).await.map(|_| ())
}

async fn scan(client: &DynamoClient, table: &str) -> Result<(), Fault> {
    let request = client
        .sdk
        .scan()
        .table_name(table)
        .consistent_read(true)
        .limit(1)
        .filter_expression("begins_with(LockID, :ours)")
        .expression_attribute_values(":ours", AttributeValue::S(KEY_PREFIX.to_owned()));
    client.ask("dynamodb:Scan", request.send()).await.map(|_| ())
}
