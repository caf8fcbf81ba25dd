//! A run is written down after its release, which is what others wait for: this neither delays nor
//! fails it.

use std::time::Duration;

use crate::clock::SystemClock;
use crate::lease::{LockName, PastRun};
use crate::store::{Store, StoreResult};

/// How long it is tried to write one run down.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(2);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes down a run of the lock `name`, trying for four seconds at most.
///
/// # Errors
/// The store's, of the last try. The run is then missing in the history, and nothing else is.
pub async fn write(store: &dyn Store, name: &LockName, past: &PastRun) -> StoreResult<()> {
    let until = SystemClock.mono() + PATIENCE;
    loop {
        let left = until.since(SystemClock.mono());
        let written = store.record_run(name, past, TRY.min(left)).await;
        match written {
            Err(error) if error.is_transient() && until.since(SystemClock.mono()) > PAUSE => {
                tokio::time::sleep(PAUSE).await;
            }
            _ => return written,
        }
    }
}
