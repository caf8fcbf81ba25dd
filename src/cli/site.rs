//! A lock and where it lives.

use crate::lease::LockName;
use crate::store::{Access, StoreSpec};

/// One lock in one store.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The lock.
    pub lock: LockName,
    /// Where it lives.
    pub store: StoreSpec,
}

impl Site {
    /// The options that name this lock in this store from anywhere, for a shell.
    pub fn options(&self) -> String {
        options(&[self])
    }

    /// What every run sorts its locks by: two runs that take them in this order never wait for each
    /// other in a circle.
    fn rank(&self) -> (String, String) {
        (self.lock.key(), self.store.describe())
    }
}

/// The options that name these locks, all in one store, from anywhere, for a shell.
pub(super) fn options(sites: &[&Site]) -> String {
    let mut words: Vec<&str> = sites.iter().flat_map(|site| ["--lock", site.lock.as_str()]).collect();
    let dir;
    match sites.first().map(|site| &site.store) {
        Some(StoreSpec::Dynamodb(config)) => {
            words.extend(["--table", &config.table]);
            words.extend(way(&config.access));
        }
        Some(StoreSpec::S3(config)) => {
            words.extend(["--store", "s3", "--bucket", &config.bucket]);
            words.extend(way(&config.access));
        }
        Some(StoreSpec::Local { dir: folder }) => {
            dir = folder.to_string_lossy();
            words.extend(["--store", "local", "--local-dir", &dir]);
        }
        None => {}
    }
    // Only a NUL cannot be quoted, and none can be in an argument.
    shlex::try_join(words).unwrap_or_default()
}

/// In the order in which every run takes them, each once.
pub fn in_order(mut sites: Vec<Site>) -> Vec<Site> {
    sites.sort_by_cached_key(Site::rank);
    sites.dedup();
    sites
}

/// The options for how to reach AWS. The role is left out: who reads this has one of their own.
fn way(access: &Access) -> impl Iterator<Item = &str> {
    [("--region", &access.region), ("--endpoint-url", &access.endpoint_url), ("--profile", &access.profile)]
        .into_iter()
        .flat_map(|(option, value)| value.iter().flat_map(move |value| [option, value.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_depend_on_how_they_were_given() {
        let site = |lock: &str, dir: &str| Site {
            lock: LockName::new(lock).unwrap(),
            store: StoreSpec::Local { dir: dir.into() },
        };
        let given = vec![site("b", "/1"), site("a", "/2"), site("b", "/1"), site("a", "/1"), site("B", "/1")];
        let ordered = [site("B", "/1"), site("a", "/1"), site("a", "/2"), site("b", "/1")];
        assert_eq!(in_order(given.clone()), ordered);
        assert_eq!(in_order(given.into_iter().rev().collect()), ordered);
    }
}
