//! Every lock of a bucket.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::task::JoinSet;

use super::bucket::too_long;
use super::key;
use super::requests::{Bucket, Got};
use crate::lease::{KEY_PREFIX, Record, RecordError};
use crate::store::codec::KEY;
use crate::store::{Listed, StoreError, StoreResult, Unavailable};

/// How many records are read at the same time.
const AT_ONCE: usize = 8;

/// Lists the whole bucket, since locks stand beside their states, and reads what may be a lock.
/// `timeout` is for each request.
pub(super) async fn all(bucket: &Arc<Bucket>, timeout: Duration) -> StoreResult<Vec<Listed>> {
    let mut reads = JoinSet::new();
    let mut listed = Vec::new();
    for object in objects(bucket, timeout).await? {
        if reads.len() >= AT_ONCE {
            listed.extend(next(&mut reads).await?);
        }
        let bucket = Arc::clone(bucket);
        reads.spawn(async move { entry(&bucket, &object, timeout).await });
    }
    while !reads.is_empty() {
        listed.extend(next(&mut reads).await?);
    }
    Ok(listed)
}

async fn next(reads: &mut JoinSet<StoreResult<Option<Listed>>>) -> StoreResult<Option<Listed>> {
    match reads.join_next().await {
        Some(Ok(entry)) => entry,
        Some(Err(_)) => Err(StoreError::Unavailable {
            kind: Unavailable::Failed,
            message: "reading the bucket's locks broke off".to_owned(),
        }),
        None => Ok(None),
    }
}

/// The keys of all objects that may be a lock's.
async fn objects(bucket: &Bucket, timeout: Duration) -> StoreResult<Vec<String>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let budget = bucket.begin(timeout).await?;
        let request = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.target.bucket)
            // Keys may hold what XML cannot.
            .encoding_type(EncodingType::Url)
            .set_continuation_token(token)
            .send();
        let page = match bucket.within(budget, request).await? {
            Ok(page) => page,
            Err(error) => return Err(bucket.explain("s3:ListBucket", &error)),
        };
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let keys = page.contents().iter().filter_map(|object| object.key());
        let keys = keys.map(|key| if encoded { decoded(key) } else { key.to_owned() });
        found.extend(keys.filter(|key| key::name(&bucket.target.bucket, key, None).is_some()));
        match page.next_continuation_token.filter(|token| !token.is_empty()) {
            Some(next) if page.is_truncated != Some(false) => token = Some(next),
            _ => return Ok(found),
        }
    }
}

fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// What `object` holds, if it is a lock's.
async fn entry(bucket: &Bucket, object: &str, timeout: Duration) -> StoreResult<Option<Listed>> {
    let budget = bucket.begin(timeout).await?;
    let (lock_id, record) = match bucket.get(object, None, budget).await? {
        Got::Found { bytes, .. } => match read(&bytes) {
            Some(read) => read,
            None => return Ok(None),
        },
        Got::TooLong(length) => (None, Err(too_long(length))),
        // Deleted since it was listed.
        Got::Absent | Got::Unchanged => return Ok(None),
    };
    let name = key::name(&bucket.target.bucket, object, lock_id.as_deref());
    Ok(name.map(|name| Listed { name, record }))
}

/// The lock's key and its record; `None` if it is a document of somebody else.
fn read(bytes: &[u8]) -> Option<(Option<String>, Result<Record, RecordError>)> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => {
            let lock_id = value.get(KEY)?.as_str().filter(|id| id.starts_with(KEY_PREFIX))?.to_owned();
            Some((Some(lock_id), Record::from_json(value)))
        }
        Err(error) => Some((None, Err(RecordError::Rubbish(error.to_string())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        assert_eq!(decoded("env%3A/a+b/%C3%A9%2B%25"), "env:/a b/é+%");
    }
}
