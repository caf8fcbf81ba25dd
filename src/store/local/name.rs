//! Which file a lock's record is in.
//!
//! Injective also where the file system ignores case or normalizes Unicode: a stem consists of
//! lower-case letters, digits, `-`, `_`, `.` and upper-case percent escapes, and no two names give
//! the same. The marks `+` (below the folder's parent) and `~` (cut, with a hash) are never part of
//! an escaped name.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::lease::KEY_PREFIX;
use crate::lease::LockName;

/// The stem of the lock that is named like the folder's parent: the state beside it.
const BESIDE: &str = "state";
/// Longer stems are cut. File names have 255 bytes; this leaves room for the endings.
const LONGEST: usize = 200;
/// What is kept of a stem that is cut, for people.
const KEPT: usize = 120;

const ESCAPED: AsciiSet = {
    let mut set = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    let mut letter = b'A';
    while letter <= b'Z' {
        set = set.add(letter);
        letter += 1;
    }
    set
};

/// Maps lock names to file stems and back.
#[derive(Debug)]
pub(super) struct Naming {
    /// The folder's parent, as given and as resolved. Names below it are kept relative to it, so
    /// that containers which mount it at different places share the record.
    bases: Vec<String>,
}

impl Naming {
    /// `dir` is the absolute path of the folder.
    pub(super) fn new(dir: &Path) -> Self {
        let parent = dir.parent().unwrap_or(dir);
        let resolved = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
        let mut bases: Vec<String> =
            [parent.to_owned(), resolved].into_iter().filter_map(|base: PathBuf| text(&base)).collect();
        bases.dedup();
        Self { bases }
    }

    /// The stem of the files of `name`.
    pub(super) fn stem(&self, name: &LockName) -> String {
        let name = name.as_str();
        let stem = if self.bases.iter().any(|base| name == base) {
            BESIDE.to_owned()
        } else if let Some(below) = self.bases.iter().find_map(|base| below(base, name)) {
            format!("+{}", escape(below))
        } else if name == BESIDE {
            // Not the file of the state beside the folder, which has the plain word.
            format!("%{:02X}{}", name.as_bytes()[0], &name[1..])
        } else {
            escape(name)
        };
        if stem.len() <= LONGEST { stem } else { cut(&stem) }
    }

    /// The name whose stem this is. One that was cut comes from `lock_id`, the record's own word,
    /// which may be the path as another container sees it.
    pub(super) fn name(&self, stem: &str, lock_id: Option<&str>) -> String {
        let stored = lock_id.and_then(|id| id.strip_prefix(KEY_PREFIX));
        if stem.contains('~') {
            return stored.unwrap_or(stem).to_owned();
        }
        let base = self.bases.first().map_or("", String::as_str);
        if stem == BESIDE {
            return base.to_owned();
        }
        match stem.strip_prefix('+') {
            Some(below) => format!("{}/{}", base.trim_end_matches('/'), unescape(below)),
            None => unescape(stem),
        }
    }
}

fn text(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}

fn below<'a>(base: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/')
}

fn escape(text: &str) -> String {
    match text.strip_prefix('.') {
        // No hidden files, no `.` and `..`.
        Some(rest) => format!("%2E{}", utf8_percent_encode(rest, &ESCAPED)),
        None => utf8_percent_encode(text, &ESCAPED).to_string(),
    }
}

fn unescape(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn cut(stem: &str) -> String {
    let hash: String = Sha256::digest(stem).iter().map(|byte| format!("{byte:02x}")).collect();
    // Stems are ASCII: any index is a boundary.
    format!("{}~{hash}", &stem[..KEPT])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naming() -> Naming {
        Naming { bases: vec!["/srv/proj".into(), "/real/proj".into()] }
    }

    fn stem(name: &str) -> String {
        naming().stem(&LockName::new(name).unwrap())
    }

    #[test]
    fn names_below_the_parent_do_not_depend_on_where_it_is_mounted() {
        assert_eq!(stem("/srv/proj"), "state");
        assert_eq!(stem("/real/proj"), "state");
        assert_eq!(stem("/srv/proj/net/Main"), "+net%2F%4Dain");
        assert_eq!(stem("/real/proj/net/Main"), "+net%2F%4Dain");
    }

    #[test]
    fn other_names_stay_readable_and_apart() {
        assert_eq!(stem("prod-eu_1.net"), "prod-eu_1.net");
        assert_eq!(stem("state"), "%73tate");
        assert_eq!(stem("/srv/project"), "%2Fsrv%2Fproject");
        assert_eq!(stem("net/main"), "net%2Fmain");
        assert_eq!(stem(".."), "%2E.");
        assert_eq!(stem("+x"), "%2Bx");
        assert_eq!(stem("/srv/proj/"), "+");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (one, other) = (stem(&"x".repeat(1024)), stem(&"x".repeat(1023)));
        assert!(one.len() <= LONGEST && one != other);
        let deep = |base: &str| stem(&format!("{base}/{}", "d/".repeat(200)));
        assert_eq!(deep("/srv/proj"), deep("/real/proj"));
    }

    proptest! {
        #[test]
        fn a_stem_leads_back_to_its_name_and_fits_a_file_system(
            name in "(/srv/proj|/real/proj|state|[.+~%]|)(/|)[^#\\p{Cc}]{0,60}"
        ) {
            if let Ok(lock) = LockName::new(name.clone()) {
                let stem = naming().stem(&lock);
                prop_assert!(stem.len() <= LONGEST && !stem.contains('/') && !stem.starts_with('.'));
                let back = naming().name(&stem, Some(&lock.key()));
                // The second base stands for the first.
                prop_assert_eq!(&naming().stem(&LockName::new(back).unwrap()), &stem);
                if !stem.starts_with('+') && stem != BESIDE {
                    prop_assert_eq!(naming().name(&stem, Some(&lock.key())), name);
                }
            }
        }

        #[test]
        fn no_two_names_share_a_stem_even_where_case_is_ignored(
            one in "(/srv/proj|state|)(/|)[a-cA-C%+~.2ſß]{0,4}", other in "(/srv/proj|state|)(/|)[a-cA-C%+~.2ſß]{0,4}"
        ) {
            if let (Ok(a), Ok(b)) = (LockName::new(one.clone()), LockName::new(other.clone())) {
                let (a, b) = (naming().stem(&a), naming().stem(&b));
                prop_assert_eq!(a.to_lowercase() == b.to_lowercase(), one == other);
            }
        }
    }
}
