//! What every store promises, asked of every store, and what each promises besides.

mod contract;
mod credentials;
mod dynamodb;
mod faults;
mod history;
mod listening;
mod local;
mod lookalike;
mod processes;
mod s3;
mod s3_faults;
mod s3_foreign;

use std::time::Duration;

use tfguard::lease::{Holder, Identity, LockName, Mode, Phase, Record, Waiter};
use tfguard::store::{Listed, Listing, Store, StoreResult};

/// A time in which anything on loopback answers.
const PLENTY: Duration = Duration::from_secs(20);

fn name(text: &str) -> LockName {
    LockName::new(text).unwrap()
}

/// Every lock of the store, in no order.
async fn all_of(store: &dyn Store) -> StoreResult<Vec<Listed>> {
    Ok(pages_of(store, "", false).await?.into_iter().flatten().collect())
}

/// The pages of a listing.
async fn pages_of(store: &dyn Store, prefix: &str, watching: bool) -> StoreResult<Vec<Vec<Listed>>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(Listing { prefix, after: after.as_ref(), watching }).await?;
        pages.push(page.locks);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(pages),
        }
    }
}

/// A free record, written as `stamp`.
fn record(stamp: &str) -> Record {
    Record { stamp: stamp.into(), ..Record::new(jiff::Timestamp::from_second(1_800_000_000).unwrap()) }
}

/// A record with a holder and `waiters` behind it, each with a `reason`.
fn busy(stamp: &str, waiters: usize, reason: &str) -> Record {
    let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let identity = Identity { actor: Some("ann".into()), reason: Some(reason.into()), ..Identity::default() };
    let mut record = record(stamp);
    record.holders.push(Holder {
        session: "holder".into(),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 1 << 53,
        lease_ms: 180_000,
        generation: record.generation,
        run: Some(1),
        changes: true,
        revoked: None,
        asked_at: at,
        granted_at: at,
        renewed_at: at,
        activity: None,
        identity: identity.clone(),
    });
    record.queue.extend((0..waiters).map(|number| Waiter {
        session: format!("waiter-{number}"),
        mode: Mode::Shared,
        lease_ms: 10_000,
        asked_at: at,
        identity: identity.clone(),
    }));
    record
}
