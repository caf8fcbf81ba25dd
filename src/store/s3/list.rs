//! Every lock of a bucket.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bucket::too_long;
use super::requests::{Bucket, Got};
use super::{key, many};
use crate::lease::{KEY_PREFIX, Record, RecordError};
use crate::store::codec::KEY;
use crate::store::{Listed, StoreResult};

/// Lists the whole bucket, since locks stand beside their states, and reads what may be a lock.
/// `timeout` is for each request.
pub(super) async fn all(bucket: &Arc<Bucket>, timeout: Duration) -> StoreResult<Vec<Listed>> {
    let reads = objects(bucket, timeout).await?.into_iter().map(|object| {
        let bucket = Arc::clone(bucket);
        async move { entry(&bucket, &object, timeout).await }
    });
    many::all(reads).await
}

/// The keys of all objects that may be a lock's.
async fn objects(bucket: &Bucket, timeout: Duration) -> StoreResult<Vec<String>> {
    let mut found = Vec::new();
    let (mut token, mut after) = (None, None);
    loop {
        let budget = bucket.begin(timeout).await?;
        let request = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.target.name)
            // Keys may hold what XML cannot.
            .encoding_type(EncodingType::Url)
            .set_continuation_token(token.take())
            .set_start_after(after.take())
            .send();
        let page = match bucket.within(budget, request).await? {
            Ok(page) => page,
            Err(error) => return Err(bucket.explain("s3:ListBucket", &error)),
        };
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let keys = page.contents().iter().filter_map(|object| object.key());
        let mut keys: Vec<String> =
            keys.map(|key| if encoded { decoded(key) } else { key.to_owned() }).collect();
        let last = keys.last().cloned().unwrap_or_default();
        keys.retain(|key| key::name(&bucket.target.name, key, None).is_some());
        found.extend(keys);
        match page.next_continuation_token.filter(|token| !token.is_empty()) {
            Some(next) if page.is_truncated != Some(false) => {
                // The history may be long, and none of it is a lock.
                if last.starts_with(key::RUNS) {
                    after = Some(key::BEHIND_RUNS.to_owned())
                } else {
                    token = Some(next)
                }
            }
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
    let name = key::name(&bucket.target.name, object, lock_id.as_deref());
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
