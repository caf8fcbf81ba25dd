//! The backend: what is written, what is set up, and whether it has a place for the lock.

use super::finding::{Area, Finding};
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
    let (id, area) = ("backend-initialised", Area::Backend);
    let changes = directory.backend_changes();
    if !changes.is_empty() {
        return Some(
            Finding::error(id, area, format!("the backend was changed since init: {}", changes.join(", ")))
                .why("Terraform refuses every command, and tfguard locks nothing: it would be the wrong state's lock")
                .cure(
                    "to move the state to the new place: tfguard init -- -migrate-state; to leave it where it is: \
                     tfguard init -- -reconfigure",
                ),
        );
    }
    match (&directory.initialised_backend, &directory.written_backend) {
        (None, None) => None,
        (None, Some(_)) => Some(
            Finding::info(id, area, "the backend is not set up here yet")
                .why("a run does that first, unless it is told --init never"),
        ),
        (Some(initialised), _) => Some(Finding::ok(id, area, format!("{} is set up here", initialised.kind))),
    }
}
