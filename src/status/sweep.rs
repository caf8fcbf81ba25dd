//! All locks of a store, page by page.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::store::{Listed, Listing, Store, StoreError, StoreResult, Unavailable};

/// How often a page is asked for again that a busy store refused.
const TRIES: u32 = 6;
/// The pause before that; it doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// Hands the locks whose names start with `prefix` to `each`, a page at a time, until it breaks.
/// Not more than a page is in memory. Gives back how many pages were asked for.
///
/// # Errors
/// The store's. A page that was throttled is asked for again, for six seconds at most.
pub async fn sweep(
    store: &dyn Store,
    prefix: &str,
    watching: bool,
    mut each: impl FnMut(Vec<Listed>) -> ControlFlow<()>,
) -> StoreResult<u32> {
    let mut after = None;
    let mut pages = 0;
    loop {
        let page = patiently(store, Listing { prefix, after: after.as_ref(), watching }).await?;
        pages += 1;
        let go_on = each(page.locks).is_continue();
        match page.next {
            Some(next) if go_on => after = Some(next),
            _ => return Ok(pages),
        }
    }
}

async fn patiently(store: &dyn Store, listing: Listing<'_>) -> StoreResult<crate::store::Page> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match store.list(listing).await {
            Err(StoreError::Unavailable { kind: Unavailable::Throttled, .. }) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            other => return other,
        }
    }
    store.list(listing).await
}
