//! Which object a lock's record is in.
//!
//! The lock of a state in the bucket stands beside that state: `<key>.tfguard`. Every other lock is
//! below a folder of our own, under its name, percent-encoded. No two names share an object: what is
//! below that folder is never a state's.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::lease::{KEY_PREFIX, LockName};

/// What ends the key of every record.
pub(crate) const ENDING: &str = ".tfguard";
/// Where everything of ours is that does not stand beside a state.
const OWN: &str = ".tfguard/";
/// Where locks are that are not named after a state in the bucket.
const LOCKS: &str = ".tfguard/locks/";
/// Where the history is.
pub(crate) const RUNS: &str = ".tfguard/runs/";
/// The first key behind all of the history, in S3's order.
pub(super) const BEHIND_RUNS: &str = ".tfguard/runs0";
/// Where look-alikes are tried.
pub(super) const TRIALS: &str = ".tfguard/trials/";
/// Longer keys are cut: S3's have at most 1024 bytes.
const LONGEST: usize = 1024;
/// The longest of the segments that hold a whole name. Some who speak S3 keep each as a file.
const LONGEST_SEGMENT: usize = 240;
/// What is kept of a name that is cut, for people.
const KEPT: usize = 160;

const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The key of the object of `name` in `bucket`.
pub(crate) fn object(bucket: &str, name: &LockName) -> String {
    let state = name.as_str().strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/'));
    match state.filter(|state| is_plain(state)) {
        Some(state) => format!("{state}{ENDING}"),
        None => format!("{LOCKS}{}{ENDING}", escape(name)),
    }
}

/// The key of the object of run `number` of `name`.
pub(crate) fn run(name: &LockName, number: u64) -> String {
    format!("{}{number}.json", runs(name))
}

/// What the keys of all runs of `name` start with.
pub(crate) fn runs(name: &LockName) -> String {
    format!("{RUNS}{}/", escape(name))
}

/// The name whose object this is, or `None` where it is no lock's. One that was cut comes from
/// `lock_id`, the record's own word.
pub(super) fn name(bucket: &str, object: &str, lock_id: Option<&str>) -> Option<String> {
    let stem = object.strip_suffix(ENDING)?;
    let Some(escaped) = stem.strip_prefix(LOCKS) else {
        return is_plain(stem).then(|| format!("{bucket}/{stem}"));
    };
    if escaped.contains('~') {
        let stored = lock_id.and_then(|id| id.strip_prefix(KEY_PREFIX));
        return Some(stored.unwrap_or(escaped).to_owned());
    }
    Some(percent_decode_str(escaped).decode_utf8_lossy().into_owned())
}

/// Whether this is the object of a name that was cut, which the object's key does not tell.
pub(super) fn is_cut(object: &str) -> bool {
    object.strip_prefix(LOCKS).is_some_and(|escaped| escaped.contains('~'))
}

/// Whether a state's key can have a lock beside it: not in our folder, not too long, and without
/// the segments that some who speak S3 rewrite.
fn is_plain(state: &str) -> bool {
    !state.starts_with(OWN)
        && state.len() + ENDING.len() <= LONGEST
        && state.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// One segment of a key. `~` marks one that was cut; an escaped name has none.
fn escape(name: &LockName) -> String {
    let escaped = utf8_percent_encode(name.as_str(), &ESCAPED).to_string();
    if escaped.len() <= LONGEST_SEGMENT {
        return escaped;
    }
    let hash: String = Sha256::digest(name.as_str()).iter().map(|byte| format!("{byte:02x}")).collect();
    // Escaped names are ASCII: any index is a boundary.
    format!("{}~{hash}", &escaped[..KEPT])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> String {
        object("states", &LockName::new(name).unwrap())
    }

    #[test]
    fn the_lock_of_a_state_in_the_bucket_stands_beside_it() {
        assert_eq!(key("states/net/terraform.tfstate"), "net/terraform.tfstate.tfguard");
        assert_eq!(key("states/env:/dev/terraform.tfstate"), "env:/dev/terraform.tfstate.tfguard");
    }

    #[test]
    fn every_other_lock_is_in_our_folder() {
        for (name, expected) in [
            ("prod", "prod"),
            ("other/net/terraform.tfstate", "other%2Fnet%2Fterraform.tfstate"),
            ("states", "states"),
            ("states/", "states%2F"),
            ("states/a//b", "states%2Fa%2F%2Fb"),
            ("states/../b", "states%2F..%2Fb"),
            ("states/.tfguard/locks/prod", "states%2F.tfguard%2Flocks%2Fprod"),
            ("..", ".."),
            ("a b~", "a%20b%7E"),
        ] {
            assert_eq!(key(name), format!(".tfguard/locks/{expected}.tfguard"));
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = |name: String| {
            let key = key(&name);
            assert!(key.len() <= LONGEST && key.contains('~'), "{key}");
            assert_eq!(super::name("states", &key, Some(&format!("{KEY_PREFIX}{name}"))), Some(name));
            key
        };
        assert_ne!(long("x".repeat(1024)), long("x".repeat(1023)));
        long(format!("states/{}", "x".repeat(1017)));
    }

    #[test]
    fn what_is_no_lock_has_no_name() {
        for object in
            ["terraform.tfstate", "terraform.tfstate.tflock", ".tfguard", ".tfguard/x.tfguard", "a/.tfguard/"]
        {
            assert_eq!(name("states", object, None), None, "{object}");
        }
    }

    proptest! {
        #[test]
        fn a_key_leads_back_to_its_name(name in "(states|)(/|)(\\.tfguard/locks/|)[^#\\p{Cc}]{0,60}") {
            if let Ok(lock) = LockName::new(name.clone()) {
                let key = object("states", &lock);
                prop_assert!(key.len() <= LONGEST && !key.starts_with('/'));
                prop_assert_eq!(super::name("states", &key, Some(&lock.key())), Some(name));
            }
        }
    }
}
