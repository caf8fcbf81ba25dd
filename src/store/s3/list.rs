//! The locks of a bucket, page by page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bucket::too_long;
use super::requests::{Bucket, Got};
use super::{key, many};
use crate::lease::{KEY_PREFIX, Record, RecordError};
use crate::store::codec::KEY;
use crate::store::{Cursor, Listed, Listing, Page, StoreResult};

/// What objects held when they had these entity tags, by their keys; `None` for what was no lock.
/// An object that still has its tag need not be read again.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, (String, Option<Listed>)>>);

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, Option<Listed>)>> {
        // Nothing panics while it is held, and a half-made change cannot exist.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, object: &Object) -> Option<Option<Listed>> {
        let known = self.lock();
        let (tag, listed) = known.get(&object.key)?;
        (Some(tag) == object.tag.as_ref()).then(|| listed.clone())
    }
}

/// An object that may be a lock's.
struct Object {
    key: String,
    tag: Option<String>,
}

/// One page of the whole bucket, since locks stand beside their states. What may be a lock is read,
/// unless `known` has it and this is one of many looks. `timeout` is for each request.
pub(super) async fn page(
    bucket: &Arc<Bucket>,
    known: &Known,
    listing: Listing<'_>,
    timeout: Duration,
) -> StoreResult<Page> {
    let (objects, next) = objects(bucket, listing, timeout).await?;
    let mut locks = Vec::new();
    let mut unread = Vec::new();
    for object in objects {
        match known.get(&object).filter(|_| listing.watching) {
            Some(listed) => locks.extend(listed),
            None => unread.push(object),
        }
    }
    let reads = unread.into_iter().map(|object| {
        let bucket = Arc::clone(bucket);
        async move { Ok(Some((entry(&bucket, &object.key, timeout).await?, object))) }
    });
    for (listed, object) in many::all(reads).await? {
        if let Some(tag) = object.tag.filter(|_| listing.watching) {
            known.lock().insert(object.key, (tag, listed.clone()));
        }
        locks.extend(listed);
    }
    // The name of one whose key was cut is known only now.
    locks.retain(|listed| listed.name.starts_with(listing.prefix));
    Ok(Page { locks, next })
}

/// The objects of one page that may be a lock's, and where the next one starts.
async fn objects(
    bucket: &Bucket,
    listing: Listing<'_>,
    timeout: Duration,
) -> StoreResult<(Vec<Object>, Option<Cursor>)> {
    let (token, after) = match listing.after {
        None => (None, None),
        Some(Cursor::Token(token)) => (Some(token.clone()), None),
        Some(Cursor::After(key)) => (None, Some(key.clone())),
    };
    let budget = bucket.begin(timeout).await?;
    let request = bucket
        .client
        .list_objects_v2()
        .bucket(&bucket.target.name)
        // Keys may hold what XML cannot.
        .encoding_type(EncodingType::Url)
        .set_continuation_token(token)
        .set_start_after(after)
        .send();
    let page = match bucket.within(budget, request).await? {
        Ok(page) => page,
        Err(error) => return Err(bucket.explain("s3:ListBucket", &error)),
    };
    let encoded = page.encoding_type() == Some(&EncodingType::Url);
    let plain = |key: &str| if encoded { decoded(key) } else { key.to_owned() };
    let last = page.contents().last().and_then(|object| object.key()).map(plain).unwrap_or_default();
    let objects = page.contents().iter().filter_map(|object| {
        let key = plain(object.key()?);
        let name = key::name(&bucket.target.name, &key, None)?;
        let wanted = key::is_cut(&key) || name.starts_with(listing.prefix);
        wanted.then(|| Object { key, tag: object.e_tag().map(str::to_owned) })
    });
    let objects = objects.collect();
    let next = match page.next_continuation_token.filter(|token| !token.is_empty()) {
        Some(_) if page.is_truncated == Some(false) => None,
        // The history may be long, and none of it is a lock.
        Some(_) if last.starts_with(key::RUNS) => Some(Cursor::After(key::BEHIND_RUNS.to_owned())),
        Some(token) => Some(Cursor::Token(token)),
        None => None,
    };
    Ok((objects, next))
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
