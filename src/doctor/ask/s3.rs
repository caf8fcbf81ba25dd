//! Asking S3: what a bucket is like, which calls are allowed, and what the state is.
//!
//! To try a PUT on the very key of a run, which must not be overwritten whatever happens, it is sent
//! with two guards, of which each alone keeps S3 from storing anything: an `If-Match` with an ETag
//! that no object has, and a `Content-MD5` that is not the body's. S3 looks at the permission first:
//! it answers 403 to who is not allowed, and 412, 404 or 400 to who is. A service that only speaks
//! S3's language might know neither guard: there the try is made first on a key of its own, and goes
//! no further if that one was written.
//!
//! A DELETE has only the `If-Match`, which AWS heeds in every region (412 where the object is, 404
//! where it is not, no delete marker). Others are known to ignore it, and no harmless try can tell:
//! on an endpoint that is not AWS's own it is never sent.

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use super::is_aws;
use crate::doctor::permissions::{Need, Outcome, Try};
use crate::inventory::{Bucket, Fault, S3Client};
use crate::lease::LockName;
use crate::state_lock::{StateLock, StatePlace, in_bucket};
use crate::store::s3::key;

/// An ETag that no object has.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
/// What would be written.
const BODY: &[u8] = b"tfguard doctor";
/// The MD5 of nothing, which is not the body's.
const OTHER_MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";
/// Why a PUT is not tried where a guarded one went through.
const IGNORED: &str = "this endpoint ignores the conditions of writes";
/// A larger state is not fetched to compare its digest.
const MOST: i64 = 128 * 1024 * 1024;
/// A larger object is no lock.
const MOST_LOCK: i64 = 64 * 1024;

/// What came of looking at the state's bucket.
pub(in crate::doctor) struct Asked {
    pub(in crate::doctor) bucket: Bucket,
    pub(in crate::doctor) tries: Vec<Try>,
    pub(in crate::doctor) object: Option<Object>,
    pub(in crate::doctor) lock: Option<StateLock>,
}

/// What came of looking at the bucket that locks live in.
pub(in crate::doctor) struct OfLocks {
    pub(in crate::doctor) bucket: Bucket,
    pub(in crate::doctor) tries: Vec<Try>,
    /// A write went through that should not have.
    pub(in crate::doctor) ignores_conditions: bool,
}

/// The state object, as far as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct Object {
    /// MD5 of the content, in hexadecimal; `None`: there is no object, or nothing is in it.
    pub(in crate::doctor) md5: Option<String>,
    pub(in crate::doctor) written: Option<Timestamp>,
}

/// Looks at the bucket of the state.
pub(in crate::doctor) async fn state_bucket(client: &S3Client, place: &StatePlace) -> Asked {
    let backend = &place.backend;
    let bucket = Bucket::read(client, &backend.bucket).await;
    if let Some(Fault::Missing | Fault::Elsewhere(_) | Fault::Failed(_)) = bucket.region.fault() {
        return Asked { bucket, tries: Vec::new(), object: None, lock: None };
    }
    let key = backend.state_key(&place.workspace);
    let prefix = format!("{}/", backend.workspace_key_prefix.as_deref().unwrap_or("env:"));
    let lock_key = place.lock_key();
    let guarded = guarded(client, &backend.bucket, &key).await;
    let (state, listed, written) = tokio::join!(
        state(client, &backend.bucket, &key),
        list(client, &backend.bucket, &prefix),
        put(client, &backend.bucket, &key, &guarded),
    );
    let on = |key: &str| format!("object {key} of bucket {}", backend.bucket);
    let mut calls = vec![
        ("s3:ListBucket", format!("bucket {}, prefix {prefix}", backend.bucket), Outcome::of_object(&listed)),
        ("s3:GetObject", on(&key), Outcome::of_object(&state)),
        ("s3:PutObject", on(&key), written),
    ];
    let mut lock = None;
    if backend.use_lockfile {
        let (read, written, deleted) = tokio::join!(
            in_bucket(client, &backend.bucket, &lock_key),
            put(client, &backend.bucket, &lock_key, &guarded),
            delete(client, &backend.bucket, &lock_key),
        );
        calls.extend([
            ("s3:GetObject", on(&lock_key), Outcome::of_object(&read)),
            ("s3:PutObject", on(&lock_key), written),
            ("s3:DeleteObject", on(&lock_key), deleted),
        ]);
        lock = read.unwrap_or_default();
    }
    let tries = calls
        .into_iter()
        .map(|(action, on, outcome)| Try { action, on, need: Need::Terraform, outcome })
        .collect();
    let object = match state {
        Ok(object) => object,
        Err(Fault::Missing) => Some(Object { md5: None, written: None }),
        Err(_) => None,
    };
    Asked { bucket, tries, object, lock }
}

/// Looks at the bucket that `locks` live in.
pub(in crate::doctor) async fn lock_bucket(client: &S3Client, bucket: &str, locks: &[LockName]) -> OfLocks {
    let facts = Bucket::read(client, bucket).await;
    let mut asked = OfLocks { bucket: facts, tries: Vec::new(), ignores_conditions: false };
    if let Some(Fault::Missing | Fault::Elsewhere(_) | Fault::Failed(_)) = asked.bucket.region.fault() {
        return asked;
    }
    let on = |key: &str| format!("object {key} of bucket {bucket}");
    for lock in locks {
        let key = key::object(bucket, lock);
        let run = key::run(lock, 0);
        let guarded = guarded(client, bucket, &key).await;
        asked.ignores_conditions |= guarded.as_ref().is_err_and(|why| why == IGNORED);
        let (read, written, run_read, run_written, deleted) = tokio::join!(
            content(client, bucket, &key, MOST_LOCK),
            put(client, bucket, &key, &guarded),
            content(client, bucket, &run, MOST_LOCK),
            put(client, bucket, &run, &guarded),
            delete(client, bucket, &key),
        );
        let unlock = Need::Also("unlock of a record that is damaged");
        for (action, on, need, outcome) in [
            ("s3:GetObject", on(&key), Need::Run, Outcome::of_object(&read)),
            ("s3:PutObject", on(&key), Need::Run, written),
            ("s3:GetObject", on(&run), Need::Also("history"), Outcome::of_object(&run_read)),
            ("s3:PutObject", on(&run), Need::Also("history"), run_written),
            ("s3:DeleteObject", on(&key), unlock, deleted),
        ] {
            asked.tries.push(Try { action, on, need, outcome });
        }
    }
    let listed = list(client, bucket, "").await;
    asked.tries.push(Try {
        action: "s3:ListBucket",
        on: format!("bucket {bucket}"),
        need: Need::Also("status --all"),
        outcome: Outcome::of_object(&listed),
    });
    asked
}

/// The state; `None` inside where it is too large to be fetched.
async fn state(client: &S3Client, bucket: &str, key: &str) -> Result<Option<Object>, Fault> {
    match content(client, bucket, key, MOST).await {
        Ok((bytes, written)) => {
            let hex: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(Some(Object { md5: (!bytes.is_empty()).then_some(hex), written }))
        }
        // What stands in for "too large".
        Err(Fault::Invalid(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn content(
    client: &S3Client,
    bucket: &str,
    key: &str,
    most: i64,
) -> Result<(Vec<u8>, Option<Timestamp>), Fault> {
    let answer = client.ask("s3:GetObject", client.sdk.get_object().bucket(bucket).key(key).send()).await?;
    if answer.content_length.is_some_and(|length| length > most) {
        return Err(Fault::Invalid(format!("it has more than {most} bytes")));
    }
    let written = answer.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
    Ok((client.body(answer.body).await?, written))
}

async fn list(client: &S3Client, bucket: &str, prefix: &str) -> Result<(), Fault> {
    let request = client.sdk.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1);
    client.ask("s3:ListBucket", request.send()).await.map(|_| ())
}

/// Why no PUT may be tried, a clause, if none may.
async fn guarded(client: &S3Client, bucket: &str, key: &str) -> Result<(), String> {
    if is_aws(client.endpoint()) {
        return Ok(());
    }
    let probe = format!("{key}.tfguard-doctor");
    match raw_put(client, bucket, &probe).await {
        Err(Fault::Condition | Fault::Missing) => Ok(()),
        Ok(()) => {
            let request = client.sdk.delete_object().bucket(bucket).key(&probe);
            let _ = client.ask("s3:DeleteObject", request.send()).await;
            Err(IGNORED.to_owned())
        }
        Err(fault) => Err(format!("whether this endpoint heeds conditions is not known: {}", fault.text())),
    }
}

async fn put(client: &S3Client, bucket: &str, key: &str, guarded: &Result<(), String>) -> Outcome {
    match guarded {
        Ok(()) => Outcome::of_object(&raw_put(client, bucket, key).await),
        Err(why) => Outcome::NotTried(why.clone()),
    }
}

async fn raw_put(client: &S3Client, bucket: &str, key: &str) -> Result<(), Fault> {
    let request = client
        .sdk
        .put_object()
        .bucket(bucket)
        .key(key)
        .if_match(NO_ETAG)
        .content_md5(OTHER_MD5)
        .body(ByteStream::from_static(BODY));
    client.ask("s3:PutObject", request.send()).await.map(|_| ())
}

async fn delete(client: &S3Client, bucket: &str, key: &str) -> Outcome {
    if !is_aws(client.endpoint()) {
        return Outcome::NotTried(
            "no harmless way to try it is known on an endpoint that is not AWS's".to_owned(),
        );
    }
    let request = client.sdk.delete_object().bucket(bucket).key(key).if_match(NO_ETAG);
    Outcome::of_object(&client.ask("s3:DeleteObject", request.send()).await)
}
