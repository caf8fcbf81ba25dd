pub mod identity;
pub mod record;
pub mod time;

pub use identity::Identity;
pub use record::{
    Holder, HolderKey, Intervention, Last, LockName, Mode, NameError, Outcome, Phase, Record, RecordError,
    Removed, Stamp, Standing, Waiter,
};
pub use time::{Deadlines, GRANT_PATIENCE, Instant, Lease, Now};
