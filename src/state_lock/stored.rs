//! Terraform's own lock as the `s3` backend keeps it: an item of its table, an object beside the
//! state, or both. Reading it there needs no Terraform and changes nothing.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::inventory::{DynamoClient, Fault, S3Client};
use crate::store::{Access, S3Config};
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

/// Every lock on the state of `workspace` in `backend`.
///
/// # Errors
/// A clause that says why it is not known.
pub async fn stored(backend: &S3, workspace: &str) -> Result<Vec<StateLock>, String> {
    let mut found = Vec::new();
    if let Some(table) = &backend.dynamodb_table {
        let client = DynamoClient::connect(&items(backend), &format!("table \"{table}\"")).await;
        let client = client.map_err(|error| error.to_string())?;
        let path = backend.state_path(workspace);
        match in_table(&client, table, &path).await {
            Ok(lock) => found.extend(lock),
            Err(fault) => return Err(format!("item {path} of table {table}: {}", fault.text())),
        }
    }
    if backend.use_lockfile {
        let client = S3Client::connect(&objects(backend)).await.map_err(|error| error.to_string())?;
        let key = object_key(backend, workspace);
        match in_bucket(&client, &backend.bucket, &key).await {
            Ok(lock) => found.extend(lock),
            Err(fault) => return Err(format!("object {key} of bucket {}: {}", backend.bucket, fault.text())),
        }
    }
    Ok(found)
}

/// How Terraform reaches the table.
pub(crate) fn items(backend: &S3) -> Access {
    access(backend, backend.dynamodb_endpoint.as_ref())
}

/// How Terraform reaches the bucket.
pub(crate) fn objects(backend: &S3) -> S3Config {
    S3Config {
        bucket: backend.bucket.clone(),
        path_style: backend.path_style,
        access: access(backend, backend.s3_endpoint.as_ref()),
    }
}

fn access(backend: &S3, endpoint: Option<&String>) -> Access {
    Access {
        region: backend.region.clone(),
        endpoint_url: endpoint.cloned(),
        profile: backend.profile.clone(),
        role_arn: backend.role_arn.clone(),
    }
}

/// The key of the lock object of the state of `workspace`.
pub(crate) fn object_key(backend: &S3, workspace: &str) -> String {
    format!("{}.tflock", backend.state_key(workspace))
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
