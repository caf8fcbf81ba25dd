//! Whether somebody else's S3 keeps to the conditions that a lock rests on.
//!
//! Several servers that speak S3 accept the header and write all the same. The trial is made with an
//! object of its own, under a name that nobody else has, so that it meets no lock and no other trial.

use std::time::Duration;

use super::key;
use super::requests::{Bucket, Budget, Done, Only};
use crate::session;
use crate::store::{StoreError, StoreResult, Unavailable};

/// How long the trial may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often two writers are set against each other when neither wins.
const ROUNDS: usize = 5;
/// An entity tag that no object has.
const NO_TAG: &str = "\"00000000000000000000000000000000\"";

/// Tries it. Nothing of it stays, where the credentials may delete.
///
/// # Errors
/// [`StoreError::Misconfigured`] saying what is wrong with that server, or why it could not be tried.
pub(super) async fn run(bucket: &Bucket) -> StoreResult<()> {
    let budget = bucket.begin(PATIENCE).await?;
    let key = format!("{}{}", key::TRIALS, session::id());
    let outcome = attempt(bucket, &key, budget).await;
    // What cannot be deleted harms nobody, and a server that cannot be reached is told of anyway.
    let _ = bucket.delete(&key, None, Budget::start(PATIENCE)).await;
    match outcome? {
        None => Ok(()),
        Some(fault) => Err(StoreError::Misconfigured {
            message: format!(
                "{} cannot keep a lock, since {fault}: two runs would hold it at once; bring that server up to \
                 date, or name another store with --store",
                bucket.target
            ),
        }),
    }
}

/// What is wrong, if something is.
async fn attempt(bucket: &Bucket, key: &str, budget: Budget) -> StoreResult<Option<&'static str>> {
    let Some(tag) = create(bucket, key, budget).await? else {
        return Ok(Some("it lets two writers create one object, each of which asked that there be none"));
    };
    let put = |tag| bucket.put(key, b"3\n".to_vec(), Only::IfStill(tag), budget);
    if let Done::Yes(_) = put(NO_TAG).await? {
        return Ok(Some("it replaces an object although If-Match names another one"));
    }
    match put(&tag).await? {
        Done::Yes(_) => Ok(None),
        Done::No | Done::Contended => Ok(Some("it does not replace an object whose ETag If-Match names")),
    }
}

/// Two writers at once create the object, each on condition that there is none. The tag of the one
/// who did, or `None` if both were told so.
async fn create(bucket: &Bucket, key: &str, budget: Budget) -> StoreResult<Option<String>> {
    let put = |bytes: &[u8]| bucket.put(key, bytes.to_vec(), Only::IfAbsent, budget);
    for _ in 0..ROUNDS {
        let (one, other) = tokio::join!(put(b"1\n"), put(b"2\n"));
        match (one?, other?) {
            (Done::Yes(_), Done::Yes(_)) => return Ok(None),
            (Done::Yes(tag), _) | (_, Done::Yes(tag)) => return Ok(Some(tag)),
            // Each was held up by the other.
            _ => {}
        }
    }
    let message = format!("{} does not let an object be written, and does not say why", bucket.target);
    Err(StoreError::Unavailable { kind: Unavailable::Failed, message })
}
