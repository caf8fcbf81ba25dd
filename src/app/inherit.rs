//! A tfguard inside a tfguard: under the lock that its ancestor holds already.

use std::time::Duration;

use super::setup::env_text;
use crate::error::Error;
use crate::lease::{LockName, Mode, Phase, Record};
use crate::store::Store;
use crate::supervisor::custody::Footing;

/// How long the record may take to be read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The lock of an ancestor, as the environment names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ancestor {
    session: String,
}

impl Ancestor {
    /// The ancestor that holds `lock`, if the environment names one. With several locks the
    /// variables are lists in the same order; there is one session for all of them.
    fn of(lock: &LockName, env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let names = env("TFGUARD_LOCK_NAME")?;
        let session = env("TFGUARD_SESSION").filter(|session| !session.is_empty())?;
        let named = names == lock.as_str() || names.split(',').any(|name| name == lock.as_str());
        named.then_some(Self { session })
    }
}

/// The hold of the ancestor under whose lock we run; `None` when no ancestor says that it
/// holds `lock`.
///
/// # Errors
/// [`Error::Usage`] when one says so and the record does not show it, or shows it in a weaker mode;
/// [`Error::Store`] when the record cannot be read.
pub(super) async fn footing(
    lock: &LockName,
    mode: Mode,
    store: &dyn Store,
) -> Result<Option<Footing>, Error> {
    let Some(ancestor) = Ancestor::of(lock, env_text) else { return Ok(None) };
    let record = store.read(lock, TIMEOUT).await.map_err(|source| Error::Store {
        lock: lock.to_string(),
        source,
        advice: String::new(),
    })?;
    let holder = record.as_ref().and_then(|record| record.holder(&ancestor.session));
    let Some(holder) = holder.filter(|holder| holder.phase == Phase::Active && holder.revoked.is_none())
    else {
        return Err(Error::Usage(format!(
            "the environment says that a tfguard around us holds lock {lock} (TFGUARD_SESSION), and the record \
             in {} does not show it; unset TFGUARD_SESSION and TFGUARD_LOCK_NAME to take the lock anew",
            store.describe()
        )));
    };
    if mode == Mode::Exclusive && holder.mode == Mode::Shared {
        return Err(Error::Usage(format!(
            "the tfguard around us holds lock {lock} shared, and this command needs it exclusively"
        )));
    }
    let legacy = record.as_ref().map(Record::legacy).unwrap_or_default();
    Ok(Some(Footing { own: holder.clone(), legacy }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lock: &str, names: Option<&str>, session: Option<&str>) -> Option<String> {
        let env = |name: &str| match name {
            "TFGUARD_LOCK_NAME" => names.map(str::to_owned),
            "TFGUARD_SESSION" => session.map(str::to_owned),
            _ => None,
        };
        Ancestor::of(&LockName::new(lock).unwrap(), env).map(|ancestor| ancestor.session)
    }

    #[test]
    fn an_ancestor_is_found_by_its_locks_name() {
        assert_eq!(of("a", Some("a"), Some("s")).as_deref(), Some("s"));
        assert_eq!(of("b", Some("a,b"), Some("s")).as_deref(), Some("s"));
        assert_eq!(of("a,b", Some("a,b"), Some("s")).as_deref(), Some("s"));
        assert_eq!(of("c", Some("a,b"), Some("s")), None);
        assert_eq!(of("a", None, Some("s")), None);
        assert_eq!(of("a", Some("a"), Some("")), None);
    }
}
