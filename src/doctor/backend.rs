//! The backend: what is written, what is set up, and whether it has a place for the lock.

use super::finding::{Area, Finding};
use crate::terraform::backend::Configured;
use crate::terraform::{Backend, Directory};

/// What was found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// The directory.
    pub directory: &'a Directory,
    /// Why no lock or no store could be chosen for it.
    pub undecided: Option<&'a str>,
}

/// Every check of it.
pub(super) fn check(case: Case<'_>) -> Vec<Finding> {
    let (directory, area) = (case.directory, Area::Backend);
    let mut findings = Vec::new();
    if !directory.is_terraforms() {
        findings.push(
            Finding::info(
                "backend-configuration",
                area,
                format!("there is no Terraform configuration in {}", directory.canonical.display()),
            )
            .why("init, plan, apply and destroy have nothing to work on here; exec has"),
        );
    }
    findings.push(match &directory.backend {
        Backend::None => {
            Finding::ok("backend", area, "no backend is written: the state is a file in the directory")
        }
        Backend::Type(name) => Finding::ok("backend", area, format!("the backend is {name}")),
        Backend::Cloud => {
            Finding::ok("backend", area, "the backend is HCP Terraform or Terraform Enterprise")
        }
        Backend::Unreadable(cause) => {
            Finding::error("backend", area, format!("the backend is not known: {cause}"))
                .why("without it neither Terraform nor tfguard knows where the state is")
                .cure("mend that file, then terraform init")
        }
    });
    if let Some(why) = case.undecided {
        findings.push(
            Finding::error("lock-choice", area, why)
                .why("no run can start before it is known which lock it takes, and where that is")
                .cure("put what is missing into tfguard.toml, so that every run takes the same lock"),
        );
    }
    findings.extend(initialised(directory));
    findings
}

fn initialised(directory: &Directory) -> Option<Finding> {
    let area = Area::Backend;
    match (&directory.initialised_backend, &directory.written_backend) {
        (None, None) => None,
        (None, Some(_)) => Some(
            Finding::info("backend-initialised", area, "the backend is not set up here yet")
                .why("a run does that first, unless it is told --init never"),
        ),
        (Some(initialised), written) => {
            let differs = match written {
                Some(written) => difference(initialised, written),
                // What cannot be read may be anything.
                None if !directory.complete => None,
                None if initialised.is_local() => None,
                None => {
                    Some((true, format!("{} is set up here, and none is written any more", initialised.kind)))
                }
            };
            Some(match differs {
                None => {
                    Finding::ok("backend-initialised", area, format!("{} is set up here", initialised.kind))
                }
                Some((certain, what)) => changed(certain, &what),
            })
        }
    }
}

/// `certain`: Terraform sees it the same way. A single setting may have come from
/// `-backend-config`, which nobody can see afterwards.
fn changed(certain: bool, what: &str) -> Finding {
    let what = format!("the backend has changed since init: {what}");
    let cure = "terraform init -reconfigure, or -migrate-state to take the state along";
    if certain {
        Finding::error("backend-initialised", Area::Backend, what)
            .why("Terraform refuses every command: \"Backend initialization required\"")
            .cure(cure)
    } else {
        Finding::info("backend-initialised", Area::Backend, what)
            .why("right where -backend-config gave it; if the file was edited since, Terraform refuses to work")
            .cure(cure)
    }
}

/// The first difference, and whether it is certain. Values are not told: some are secret.
fn difference(initialised: &Configured, written: &Configured) -> Option<(bool, String)> {
    if initialised.kind != written.kind {
        return Some((true, format!("{} is set up here, and {} is written", initialised.kind, written.kind)));
    }
    let differs = |name: &str| match (initialised.settings.text(name), written.settings.text(name)) {
        (Some(was), Some(is)) => was != is,
        _ => false,
    };
    let (name, _) = written.settings.iter().find(|(name, _)| differs(name))?;
    let origin = written.settings.origin(name).unwrap_or(&written.origin);
    Some((false, format!("{name} in {origin} is not what is set up here")))
}
