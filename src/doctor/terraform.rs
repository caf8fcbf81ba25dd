//! The program that becomes the child, and what its version means for the backend's own lock.

use std::path::PathBuf;

use super::finding::{Area, Finding};
use crate::terraform::backend::S3;
use crate::terraform::version::{Product, Version};

/// The oldest version that was tried with tfguard.
const OLDEST: (u32, u32, u32) = (0, 15, 0);
/// Both products know `use_lockfile` since this version.
const LOCKFILE: (u32, u32, u32) = (1, 10, 0);
/// Terraform deprecates `dynamodb_table` since this version, OpenTofu does not.
const DEPRECATION: (u32, u32, u32) = (1, 11, 0);

/// What was found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// Where it is, or why it cannot be run.
    pub found: &'a Result<PathBuf, String>,
    /// What it is, or why that is not known.
    pub version: &'a Result<Version, String>,
    /// Our messages are to be NDJSON, for which `-json` is added.
    pub json: bool,
    /// The settings of the `s3` backend, if it is one.
    pub s3: Option<&'a S3>,
}

/// Every check of it.
pub(super) fn check(case: Case<'_>) -> Vec<Finding> {
    let area = Area::Terraform;
    let path = match case.found {
        Ok(path) => path.to_string_lossy(),
        Err(why) => {
            return vec![
                Finding::error("terraform-found", area, why)
                    .why("there is nothing to run; only exec works without it")
                    .cure("install Terraform or OpenTofu, or give --terraform-bin PATH"),
            ];
        }
    };
    let mut findings =
        vec![Finding::ok("terraform-found", area, format!("it is {path}")).with("path", path.as_ref())];
    match case.version {
        Ok(version) => {
            findings.push(age(version, case.json));
            findings.extend(case.s3.map(|s3| own_lock(s3, version)));
        }
        Err(why) => findings.push(
            Finding::error("terraform-version", area, format!("{path} does not say its version: {why}"))
                .why("a Terraform that cannot even say its version will not run")
                .cure(format!("see what `{path} version` prints, or give another with --terraform-bin PATH")),
        ),
    }
    findings
}

fn age(version: &Version, json: bool) -> Finding {
    let (id, area) = ("terraform-version", Area::Terraform);
    let finding = if version.number >= OLDEST {
        Finding::ok(id, area, format!("it is {version}"))
    } else {
        let cure =
            "move to a newer version: https://developer.hashicorp.com/terraform/language/upgrade-guides";
        let what = format!("{version} is very old");
        if json {
            Finding::error(id, area, what)
                .why("it has no -json for plan and apply, which --log-format json adds")
                .cure(cure)
        } else {
            Finding::warning(id, area, what)
                .why("how it stops and locks was never tried with tfguard; 0.15 and later is")
                .cure(cure)
        }
    };
    finding.with("version", number(version.number)).with("opentofu", version.product == Product::OpenTofu)
}

fn number((major, minor, patch): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{patch}")
}

/// Which lock Terraform itself takes on the state.
fn own_lock(s3: &S3, version: &Version) -> Finding {
    let (id, area) = ("backend-lock", Area::Backend);
    let too_old = s3.use_lockfile && version.number < LOCKFILE;
    let deprecated =
        s3.dynamodb_table.is_some() && version.product == Product::Terraform && version.number >= DEPRECATION;
    let move_on = "add use_lockfile = true beside dynamodb_table (with both, Terraform takes both locks, so \
                   that old and new checkouts exclude each other), run terraform init -reconfigure, and drop \
                   dynamodb_table once everybody has the change";
    let finding = if too_old {
        Finding::error(id, area, format!("the backend has use_lockfile, which {version} does not know"))
            .why("terraform init fails; the argument came with 1.10")
            .cure("use 1.10 or newer, or set dynamodb_table instead")
    } else if deprecated && !s3.use_lockfile {
        Finding::warning(
            id,
            area,
            format!("dynamodb_table in the backend is deprecated since 1.11 (this is {version})"),
        )
        .why("a later Terraform will not know it, and then takes no lock of its own")
        .cure(move_on)
    } else if deprecated {
        Finding::info(id, area, "the backend has both use_lockfile and the deprecated dynamodb_table")
            .why("that is right while old checkouts are about; afterwards dynamodb_table can go")
    } else if s3.dynamodb_table.is_none() && !s3.use_lockfile {
        Finding::warning(id, area, "the backend takes no lock of its own")
            .why(
                "a Terraform that somebody runs without tfguard is not excluded, and two of those overwrite each \
                 other's state",
            )
            .cure("set use_lockfile = true in the backend block, then terraform init -reconfigure")
    } else {
        let how = if s3.use_lockfile { "use_lockfile" } else { "dynamodb_table" };
        Finding::ok(id, area, format!("the backend takes its own lock with {how}"))
    };
    finding
        .with("dynamodb_table", s3.dynamodb_table.clone().map_or(serde_json::Value::Null, Into::into))
        .with("use_lockfile", s3.use_lockfile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok as Fine, Warning};

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn severity(findings: &[Finding], id: &str) -> Option<Severity> {
        findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity)
    }

    #[test]
    fn the_lock_of_the_backend_is_judged_by_the_version() {
        let (new, old, tofu) = ("Terraform v1.11.4", "Terraform v1.9.8", "OpenTofu v1.11.0");
        let table = Some("locks".to_owned());
        for (printed, dynamodb_table, use_lockfile, wanted) in [
            (new, &table, false, Warning),
            (new, &table, true, Info),
            (new, &None, true, Fine),
            (new, &None, false, Warning),
            (old, &table, false, Fine),
            (old, &None, true, Error),
            (tofu, &table, false, Fine),
            ("OpenTofu v1.9.0", &None, true, Error),
        ] {
            let s3 = S3 { dynamodb_table: dynamodb_table.clone(), use_lockfile, ..S3::default() };
            let found = own_lock(&s3, &version(printed));
            assert_eq!(found.severity, wanted, "{printed} {dynamodb_table:?} {use_lockfile}: {found:?}");
        }
    }

    #[test]
    fn a_terraform_that_cannot_run_or_is_too_old_is_told() {
        let (here, nowhere) = (Ok(PathBuf::from("/bin/terraform")), Err("none was found".to_owned()));
        let (new, old) = (Ok(version("Terraform v1.11.4")), Ok(version("Terraform v0.14.11")));
        let silent = Err("it did not end".to_owned());
        for (found, version, json, id, wanted) in [
            (&here, &new, false, "terraform-version", Fine),
            (&here, &old, false, "terraform-version", Warning),
            (&here, &old, true, "terraform-version", Error),
            (&here, &silent, false, "terraform-version", Error),
            (&nowhere, &silent, false, "terraform-found", Error),
        ] {
            let findings = check(Case { found, version, json, s3: None });
            assert_eq!(severity(&findings, id), Some(wanted), "{findings:?}");
        }
    }
}
