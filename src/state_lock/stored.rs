//! Terraform's own lock as the `s3` backend keeps it: an item of its table, an object beside the
//! state, or both. Reading it there needs no Terraform and changes nothing.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::inventory::{DynamoClient, Fault, S3Client};
use crate::store::{DynamoConfig, S3Config};
use crate::terraform::backend::S3;
use crate::terraform::lock_info::LockInfo;

/// A longer object is no lock.
const LONGEST: i64 = 64 * 1024;

/// Terraform's own lock, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateLock {
    /// Where it is: `item … of table …`, `object …`.
    pub place: String,
    /// Whose it is; `None`: what stands there is not the lock of a Terraform.
    pub info: Option<LockInfo>,
}

/// A state in an `s3` backend, and how Terraform reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePlace {
    /// The backend.
    pub backend: S3,
    /// The workspace.
    pub workspace: String,
    /// Its bucket.
    pub objects: S3Config,
    /// The table of its lock, where there is one.
    pub items: Option<DynamoConfig>,
}

impl StatePlace {
    /// `<bucket>/<key>`: the `LockID` of the lock in the table.
    pub fn path(&self) -> String {
        self.backend.state_path(&self.workspace)
    }

    /// The key of the lock object.
    pub(crate) fn lock_key(&self) -> String {
        format!("{}.tflock", self.backend.state_key(&self.workspace))
    }

    /// Every lock on the state.
    ///
    /// # Errors
    /// A clause that says why it is not known.
    pub async fn locks(&self) -> Result<Vec<StateLock>, String> {
        let mut found = Vec::new();
        if let Some(DynamoConfig { table, access }) = &self.items {
            let client = DynamoClient::connect(access, &format!("table \"{table}\"")).await;
            let client = client.map_err(|error| error.to_string())?;
            let path = self.path();
            let lock = in_table(&client, table, &path).await;
            found.extend(lock.map_err(|fault| format!("item {path} of table {table}: {}", fault.text()))?);
        }
        if self.backend.use_lockfile {
            let bucket = &self.objects.bucket;
            let client = S3Client::connect(&self.objects).await.map_err(|error| error.to_string())?;
            let key = self.lock_key();
            let lock = in_bucket(&client, bucket, &key).await;
            found.extend(lock.map_err(|fault| format!("object {key} of bucket {bucket}: {}", fault.text()))?);
        }
        Ok(found)
    }
}

/// The lock in the item `path` of `table`.
pub(crate) async fn in_table(
    client: &DynamoClient,
    table: &str,
    path: &str,
) -> Result<Option<StateLock>, Fault> {
    let request = client
        .sdk
        .get_item()
        .table_name(table)
        .key("LockID", AttributeValue::S(path.to_owned()))
        .consistent_read(true);
    let item = client.ask("dynamodb:GetItem", request.send()).await?.item;
    // An item without the field is a lock to Terraform, too.
    Ok(item.map(|item| StateLock {
        place: format!("item {path} of table {table}"),
        info: item.get("Info").and_then(|info| info.as_s().ok()).and_then(|json| LockInfo::from_json(json)),
    }))
}

/// The lock in the object `key` of `bucket`.
pub(crate) async fn in_bucket(
    client: &S3Client,
    bucket: &str,
    key: &str,
) -> Result<Option<StateLock>, Fault> {
    let request = client.sdk.get_object().bucket(bucket).key(key).send();
    let answer = match client.ask("s3:GetObject", request).await {
        Ok(answer) => answer,
        Err(Fault::Missing) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let place = format!("object {key} of bucket {bucket}");
    if answer.content_length.is_some_and(|length| length > LONGEST) {
        return Ok(Some(StateLock { place, info: None }));
    }
    let body = client.body(answer.body).await?;
    Ok(Some(StateLock { place, info: LockInfo::from_json(&String::from_utf8_lossy(&body)) }))
}
