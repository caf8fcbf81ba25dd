//! Many requests, a few of them at a time.

use tokio::task::JoinSet;

use crate::store::{StoreError, StoreResult, Unavailable};

/// How many are under way at the same time.
const AT_ONCE: usize = 16;

/// What each of these comes to, in no order; the first error ends it.
pub(super) async fn all<T, F>(work: impl IntoIterator<Item = F>) -> StoreResult<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = StoreResult<Option<T>>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut done = Vec::new();
    for one in work {
        if under_way.len() >= AT_ONCE {
            done.extend(next(&mut under_way).await?);
        }
        under_way.spawn(one);
    }
    while !under_way.is_empty() {
        done.extend(next(&mut under_way).await?);
    }
    Ok(done)
}

async fn next<T: 'static>(under_way: &mut JoinSet<StoreResult<Option<T>>>) -> StoreResult<Option<T>> {
    match under_way.join_next().await {
        Some(Ok(one)) => one,
        Some(Err(_)) => Err(StoreError::Unavailable {
            kind: Unavailable::Failed,
            message: "reading the bucket's objects broke off".to_owned(),
        }),
        None => Ok(None),
    }
}
