//! The folder of the local store.

use std::path::PathBuf;

use super::finding::{Area, Finding};

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The folder.
    pub dir: PathBuf,
    /// It is there; else the first run makes it.
    pub exists: bool,
    /// Why nothing can be written to it, a clause; `None`: something can.
    pub unwritable: Option<String>,
    /// The kind of network file system that it is on.
    pub network: Option<&'static str>,
    /// Whether a lock on a file in it keeps a second one out; `None` where it was not tried.
    pub locks_work: Option<bool>,
}

/// Every check of it. `ci`: other machines run the same.
pub(super) fn check(folder: &Folder, ci: bool) -> Vec<Finding> {
    let area = Area::Store;
    let dir = folder.dir.to_string_lossy();
    let elsewhere = "give a folder that you own, on a disk of this machine, with --local-dir DIR";
    let mut findings = vec![
        match &folder.unwritable {
            Some(why) => Finding::error(
                "folder-writable",
                area,
                format!("the lock folder {dir} cannot be used: {why}"),
            )
            .why("every lock is a file in it")
            .cure(elsewhere),
            None if folder.exists => {
                Finding::ok("folder-writable", area, format!("the lock folder {dir} can be written to"))
            }
            None => {
                Finding::ok("folder-writable", area, format!("the first run will make the lock folder {dir}"))
            }
        }
        .with("dir", dir.as_ref()),
    ];
    if folder.locks_work == Some(false) {
        findings.push(
            Finding::error("folder-flock", area, format!("a file lock in {dir} keeps nobody out"))
                .why("two runs could change the same record at once, and both have the lock")
                .cure(elsewhere),
        );
    }
    if let Some(kind) = folder.network {
        findings.push(
            Finding::warning(
                "folder-network",
                area,
                format!("the lock folder {dir} is on a file system that other machines may share ({kind})"),
            )
            .why("whether file locks hold between machines depends on its server and on how it is mounted")
            .cure(format!("{elsewhere}, or use --table or --store s3 to exclude other machines")),
        );
    }
    if ci {
        findings.push(
            Finding::warning("folder-ci", area, "the lock is a file on this machine, and this is CI")
                .why("a run on another runner, or in another container, has another lock")
                .cure("use --table NAME or --store s3; tfguard setup makes what is missing"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Ok as Fine, Warning};

    #[test]
    fn each_row_is_told() {
        let good = Folder {
            dir: "/l".into(),
            exists: true,
            unwritable: None,
            network: None,
            locks_work: Some(true),
        };
        for (id, wanted, folder, ci) in [
            ("folder-writable", Some(Fine), good.clone(), false),
            (
                "folder-writable",
                Some(Fine),
                Folder { exists: false, locks_work: None, ..good.clone() },
                false,
            ),
            ("folder-writable", Some(Error), Folder { unwritable: Some("no".into()), ..good.clone() }, false),
            ("folder-flock", Some(Error), Folder { locks_work: Some(false), ..good.clone() }, false),
            ("folder-network", Some(Warning), Folder { network: Some("NFS"), ..good.clone() }, false),
            ("folder-ci", Some(Warning), good.clone(), true),
            ("folder-ci", None, good, false),
        ] {
            let findings = check(&folder, ci);
            let found: Option<Severity> =
                findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity);
            assert_eq!(found, wanted, "{id}: {findings:?}");
        }
    }
}
