//! The bucket that the state is in, and the one of the locks where they are objects.

use super::finding::{Area, Finding, command};
use crate::inventory::{Bucket, Fact, Fault, Versioning};

/// A bucket and how it is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// Its name.
    pub name: &'a str,
    /// The region that it was asked for in.
    pub region: &'a str,
    /// The endpoint, where it is not AWS's own.
    pub endpoint: Option<&'a str>,
    /// What was found out.
    pub bucket: &'a Bucket,
    /// The state is in it; else only locks are.
    pub state: bool,
}

/// Every check of the bucket.
pub(super) fn check(case: Case<'_>) -> Vec<Finding> {
    let mut findings = exists(case);
    if let Some(Fault::Missing | Fault::Elsewhere(_) | Fault::Failed(_)) = case.bucket.region.fault() {
        return findings;
    }
    if case.state {
        findings.push(versioning(case));
        findings.push(encryption(case));
    }
    findings.push(public_access(case));
    findings
}

impl Case<'_> {
    fn area(&self) -> Area {
        if self.state { Area::Bucket } else { Area::Store }
    }

    fn aws(&self, operation: &str, more: &[&str]) -> String {
        let mut words = vec!["aws", "s3api", operation, "--region", self.region];
        words.extend(self.endpoint.iter().flat_map(|endpoint| ["--endpoint-url", endpoint]));
        words.extend(["--bucket", self.name]);
        words.extend(more);
        command(words)
    }
}

fn exists(case: Case<'_>) -> Vec<Finding> {
    let (area, name) = (case.area(), case.name);
    let finding = match &case.bucket.region {
        Fact::Known(region) if *region == case.region => {
            Finding::ok("bucket-exists", area, format!("bucket {name} exists in {region}"))
        }
        Fact::Known(region) => elsewhere(case, Some(region)),
        Fact::Untold(Fault::Elsewhere(region)) => elsewhere(case, region.as_deref()),
        Fact::Untold(Fault::Missing) => {
            Finding::error("bucket-exists", area, format!("there is no bucket {name}"))
                .why("terraform init fails, since the state has no place")
                .cure(command(["tfguard", "setup", "--bucket", name, "--region", case.region]))
        }
        Fact::Untold(Fault::Denied { action, .. }) => {
            Finding::info("bucket-exists", area, format!("bucket {name} could not be looked at as a whole"))
                .why(format!("{action} on the bucket is not allowed"))
        }
        Fact::Untold(_) => return Vec::new(),
    };
    vec![finding.with("bucket", name).with("region", case.region)]
}

fn elsewhere(case: Case<'_>, region: Option<&str>) -> Finding {
    let there = region.map_or("another region".to_owned(), str::to_owned);
    Finding::error(
        "bucket-region",
        case.area(),
        format!("bucket {} is in {there}, and it is asked for in {}", case.name, case.region),
    )
    .why("S3 redirects every request, which neither Terraform nor tfguard follows")
    .cure(match region {
        Some(region) if case.state => {
            format!("set region = \"{region}\" in the backend block, then terraform init -reconfigure")
        }
        Some(region) => format!("give --region {region}"),
        None => case.aws("get-bucket-location", &[]),
    })
    .with("bucket_region", region.unwrap_or_default())
}

fn versioning(case: Case<'_>) -> Finding {
    let (id, area) = ("bucket-versioning", case.area());
    let cure = case.aws("put-bucket-versioning", &["--versioning-configuration", "Status=Enabled"]);
    let why = "a state that is overwritten or deleted by mistake cannot be brought back";
    match &case.bucket.versioning {
        Fact::Known(Versioning::Enabled) => Finding::ok(id, area, "earlier versions of the state are kept"),
        Fact::Known(Versioning::Suspended) => {
            Finding::warning(id, area, format!("the versioning of bucket {} is suspended", case.name))
                .why(why)
                .cure(cure)
        }
        Fact::Known(Versioning::Off) => {
            Finding::warning(id, area, format!("bucket {} has no versioning", case.name)).why(why).cure(cure)
        }
        Fact::Untold(fault) => unchecked(id, area, "the versioning", fault),
    }
}

fn encryption(case: Case<'_>) -> Finding {
    let (id, area) = ("bucket-encryption", case.area());
    match &case.bucket.encryption {
        Fact::Known(Some(how)) => Finding::ok(id, area, format!("the state is encrypted by default ({how})"))
            .with("algorithm", how.as_str()),
        Fact::Known(None) => {
            let by_default =
                r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}"#;
            Finding::warning(id, area, format!("bucket {} has no default encryption", case.name))
                .why("a state holds secrets in plain text: who gets at the disk can read them")
                .cure(
                    case.aws(
                        "put-bucket-encryption",
                        &["--server-side-encryption-configuration", by_default],
                    ),
                )
        }
        Fact::Untold(fault) => unchecked(id, area, "the default encryption", fault),
    }
}

fn public_access(case: Case<'_>) -> Finding {
    let (id, area) = ("bucket-public-access", case.area());
    match &case.bucket.public_access_blocked {
        Fact::Known(true) => Finding::ok(id, area, "public access is blocked"),
        Fact::Known(false) => {
            let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,\
                       RestrictPublicBuckets=true";
            let finding =
                Finding::info(id, area, format!("bucket {} itself does not block public access", case.name))
                    .cure(case.aws("put-public-access-block", &["--public-access-block-configuration", all]));
            finding.why(
                "unless the account blocks it, one wrong policy makes all that is in it readable by everybody",
            )
        }
        Fact::Untold(fault) => unchecked(id, area, "whether public access is blocked", fault),
    }
}

fn unchecked(id: &'static str, area: Area, what: &str, fault: &Fault) -> Finding {
    Finding::info(id, area, format!("{what} could not be checked: {}", fault.text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok, Warning};

    fn good() -> Bucket {
        Bucket {
            region: Fact::Known("eu-west-1".into()),
            versioning: Fact::Known(Versioning::Enabled),
            encryption: Fact::Known(Some("AES256".into())),
            public_access_blocked: Fact::Known(true),
        }
    }

    fn found(bucket: &Bucket) -> Vec<Finding> {
        check(Case { name: "states", region: "eu-west-1", endpoint: None, bucket, state: true })
    }

    fn severity(findings: &[Finding], id: &str) -> Option<Severity> {
        findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity)
    }

    #[test]
    fn each_difference_has_its_row() {
        let denied = || Fault::Denied { action: "s3:GetBucketVersioning", said: String::new() };
        for (id, wanted, bucket) in [
            ("bucket-exists", Ok, good()),
            ("bucket-versioning", Ok, good()),
            ("bucket-exists", Error, Bucket { region: Fact::Untold(Fault::Missing), ..good() }),
            ("bucket-region", Error, Bucket { region: Fact::Known("us-east-1".into()), ..good() }),
            ("bucket-region", Error, Bucket { region: Fact::Untold(Fault::Elsewhere(None)), ..good() }),
            ("bucket-versioning", Warning, Bucket { versioning: Fact::Known(Versioning::Off), ..good() }),
            (
                "bucket-versioning",
                Warning,
                Bucket { versioning: Fact::Known(Versioning::Suspended), ..good() },
            ),
            ("bucket-versioning", Info, Bucket { versioning: Fact::Untold(denied()), ..good() }),
            ("bucket-encryption", Warning, Bucket { encryption: Fact::Known(None), ..good() }),
            ("bucket-public-access", Info, Bucket { public_access_blocked: Fact::Known(false), ..good() }),
        ] {
            let findings = found(&bucket);
            assert_eq!(severity(&findings, id), Some(wanted), "{id}: {findings:#?}");
            for finding in findings.iter().filter(|finding| finding.severity > Info) {
                assert!(finding.why.is_some() && finding.cure.is_some(), "{finding:?}");
            }
        }
    }

    #[test]
    fn a_bucket_that_only_holds_locks_needs_no_versions() {
        let bucket = Bucket { versioning: Fact::Known(Versioning::Off), ..good() };
        let case = Case { name: "locks", region: "eu-west-1", endpoint: None, bucket: &bucket, state: false };
        assert_eq!(severity(&check(case), "bucket-versioning"), None);
    }
}
