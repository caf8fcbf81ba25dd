//! A tfguard inside a tfguard: under the locks that its ancestors hold already.
//!
//! What is asked for and held by an ancestor is not taken again. The rest is, while the ancestor
//! holds on to its own: that is the same as taking all of them in one run, and so it has to keep
//! the same order, or two such runs could wait for each other for ever.

use std::time::Duration;

use crate::error::Error;
use crate::lease::session::Wait;
use crate::lease::{LockName, Mode, Phase, Record};
use crate::store::Store;
use crate::supervisor::custody::Footing;

/// How long the record may take to be read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says of the tfguards around us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Their sessions, outermost first.
    pub(super) sessions: Vec<String>,
    /// The names of the locks of the innermost, separated by commas, which names may have too.
    names: String,
    /// How many names there are.
    count: usize,
}

impl Around {
    pub(super) fn find(env: impl Fn(&str) -> Option<String>) -> Self {
        let list = |name: &str| env(name).unwrap_or_default();
        let sessions =
            list("TFGUARD_SESSION").split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        let count = list("TFGUARD_GENERATION").split(',').count();
        Self { sessions, names: list("TFGUARD_LOCK_NAME"), count }
    }

    /// Whether an ancestor says that it holds `lock`. Its record has the last word.
    fn names(&self, lock: &LockName) -> bool {
        let lock = lock.as_str();
        !self.sessions.is_empty() && (self.names == lock || self.names.split(',').any(|name| name == lock))
    }

    /// The names, where they can be told apart.
    fn all(&self) -> Vec<&str> {
        match (self.count, self.names.split(',').count()) {
            (1, _) => vec![&self.names],
            (count, parts) if count == parts => self.names.split(',').collect(),
            _ => Vec::new(),
        }
    }

    /// The hold of the ancestor that holds `lock`; `None` when none does.
    ///
    /// # Errors
    /// [`Error::Usage`] when one says that it does and the record does not show it, or shows it in a
    /// weaker mode; [`Error::Store`] when the record cannot be read.
    pub(super) async fn footing(
        &self,
        lock: &LockName,
        mode: Mode,
        store: &dyn Store,
    ) -> Result<Option<Footing>, Error> {
        if self.sessions.is_empty() {
            return Ok(None);
        }
        let named = self.names(lock);
        let record = match store.read(lock, TIMEOUT).await {
            Ok(record) => record,
            // Whoever goes on to take the lock meets the same error, and has the patience for it.
            Err(_) if !named => return Ok(None),
            Err(source) => {
                return Err(Error::Store { lock: lock.to_string(), source, advice: String::new() });
            }
        };
        let holder = record.as_ref().and_then(|record| {
            let holders = self.sessions.iter().filter_map(|session| record.holder(session));
            holders.into_iter().find(|holder| holder.phase == Phase::Active && holder.revoked.is_none())
        });
        let Some(holder) = holder else {
            if !named {
                return Ok(None);
            }
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

    /// Checks that what is not inherited may be waited for under what is. `asked` are the locks in
    /// their order, each with whether it is inherited.
    ///
    /// # Errors
    /// [`Error::Usage`] when an ancestor holds a lock that comes later in the order. Who does not
    /// wait cannot wait in a circle.
    pub(super) fn check_order(&self, asked: &[(&LockName, bool)], wait: Wait) -> Result<(), Error> {
        let Some(last) = asked.iter().rposition(|(_, inherited)| *inherited) else { return Ok(()) };
        let others = self.all();
        for (place, (name, _)) in asked.iter().enumerate().filter(|(_, (_, inherited))| !inherited) {
            let asked_for = asked.get(last).filter(|_| place < last).map(|(held, _)| held.as_str());
            let later = asked_for.or_else(|| others.iter().copied().find(|held| *held > name.as_str()));
            if let Some(held) = later.filter(|_| wait != Wait::Not) {
                let held = crate::escape::line(held);
                return Err(Error::Usage(format!(
                    "the tfguard around us holds lock {held}, and lock {name} comes before it in the order in \
                     which locks are taken: waiting for it here could end in a deadlock. Give the outer tfguard \
                     --lock {name} too, or this one --no-wait"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(names: &str, generations: &str, sessions: &str) -> Around {
        Around::find(|name| {
            let value = match name {
                "TFGUARD_LOCK_NAME" => names,
                "TFGUARD_GENERATION" => generations,
                "TFGUARD_SESSION" => sessions,
                _ => return None,
            };
            Some(value.to_owned())
        })
    }

    #[test]
    fn an_ancestor_is_found_by_its_locks_name() {
        let named =
            |lock: &str, names, sessions| around(names, "1", sessions).names(&LockName::new(lock).unwrap());
        assert!(named("a", "a", "s"));
        assert!(named("b", "a,b", "s"));
        assert!(named("a,b", "a,b", "s"));
        assert!(!named("c", "a,b", "s"));
        assert!(!named("a", "", "s"));
        assert!(!named("a", "a", ""));
        assert_eq!(around("a", "1", "s1,s2").sessions, ["s1", "s2"]);
    }

    #[test]
    fn names_with_commas_are_told_apart_by_their_number() {
        assert_eq!(around("a,b", "1", "s").all(), ["a,b"]);
        assert_eq!(around("a,b", "1,2", "s").all(), ["a", "b"]);
        assert!(around("a,b,c", "1,2", "s").all().is_empty());
    }

    #[test]
    fn what_is_taken_under_an_ancestors_lock_comes_behind_all_that_it_holds() {
        // Those in capitals are inherited.
        for (asked, held, allowed) in [
            ("Ab", "a", true),
            ("ABc", "a,b", true),
            ("aB", "b", false),
            ("AbC", "a,c", false),
            // It holds more than is asked for.
            ("Ab", "a,c", false),
            ("Ac", "a,b", true),
            // Nothing in common: an order of the user's own.
            ("a", "b", true),
            ("AB", "a,b", true),
        ] {
            let names: Vec<(LockName, bool)> = asked
                .chars()
                .map(|c| (LockName::new(c.to_ascii_lowercase()).unwrap(), c.is_ascii_uppercase()))
                .collect();
            let asked_for: Vec<_> = names.iter().map(|(name, inherited)| (name, *inherited)).collect();
            let around = around(held, held, "s");
            assert_eq!(around.check_order(&asked_for, Wait::Forever).is_ok(), allowed, "{asked} in {held}");
            assert!(around.check_order(&asked_for, Wait::Not).is_ok());
        }
    }
}
