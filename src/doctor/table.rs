//! The table: that of our locks, and Terraform's own where that is another.

use super::finding::{Area, Finding, command};
use crate::inventory::{Capacity, Consistency, Description, Fact, Fault, Table, TimeToLive};

/// The attribute of a lock record that says when it may be collected.
const EXPIRY: &str = "expires_at";
/// Units a second below which a queue of a few runs is throttled. The head of a queue reads three
/// times a second and the next ones in between; a record with a queue is some units long.
const ENOUGH: (u64, u64) = (10, 5);

/// A table and how it is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// Its name.
    pub name: &'a str,
    /// The region that it was asked for in.
    pub region: &'a str,
    /// The endpoint, where it is not AWS's own.
    pub endpoint: Option<&'a str>,
    /// What was found out.
    pub table: &'a Table,
    /// The region of the backend, where there is one that has a region.
    pub backend_region: Option<&'a str>,
}

/// Every check of the table that locks live in.
pub(super) fn check(case: Case<'_>) -> Vec<Finding> {
    let mut findings = exists(case, Area::Store, "table-exists");
    let Some(description) = case.table.description.known() else { return findings };
    findings.extend(key(case, description, Area::Store, "table-key"));
    findings.push(time_to_live(case, description));
    findings.extend(copies(case, description));
    findings.push(capacity(case, description));
    findings.extend(protection(case, description));
    findings.extend(region(case));
    findings
}

/// The checks of a table that only Terraform uses, for its own lock.
pub(super) fn check_terraforms(case: Case<'_>) -> Vec<Finding> {
    let mut findings = exists(case, Area::State, "state-table-exists");
    if let Some(description) = case.table.description.known() {
        findings.extend(key(case, description, Area::State, "state-table-key"));
    }
    findings
}

impl Case<'_> {
    fn shown(&self) -> String {
        format!("table {} in {}", self.name, self.region)
    }

    fn aws(&self, operation: &str, more: &[&str]) -> String {
        let mut words = vec!["aws", "dynamodb", operation, "--region", self.region];
        words.extend(self.endpoint.iter().flat_map(|endpoint| ["--endpoint-url", endpoint]));
        words.extend(["--table-name", self.name]);
        words.extend(more);
        command(words)
    }

    fn setup(&self, table: &str) -> String {
        self.setup_with(&["--table", table])
    }

    /// What switches on what is off in a table that is there.
    fn repair(&self) -> String {
        self.setup_with(&["--repair", "--table", self.name])
    }

    fn setup_with(&self, options: &[&str]) -> String {
        let mut words = vec!["tfguard", "setup"];
        words.extend(options);
        words.extend(["--region", self.region]);
        words.extend(self.endpoint.iter().flat_map(|endpoint| ["--endpoint-url", endpoint]));
        command(words)
    }
}

fn exists(case: Case<'_>, area: Area, id: &'static str) -> Vec<Finding> {
    let finding = match &case.table.description {
        Fact::Known(description) => status(case, description, area, id),
        Fact::Untold(Fault::Missing) => Finding::error(id, area, format!("there is no {}", case.shown()))
            .why("every lock is an item of that table: without it no run can start")
            .cure(case.setup(case.name)),
        Fact::Untold(Fault::Denied { action, said }) => {
            Finding::info(id, area, format!("the shape of {} could not be checked", case.shown()))
                .why(format!("{action} is not allowed, which only doctor and setup need ({said})"))
                .cure("tfguard policy prints a policy that allows it")
        }
        // That the store does not answer is told once, for all of it.
        Fact::Untold(_) => return Vec::new(),
    };
    vec![finding.with("table", case.name).with("region", case.region)]
}

fn status(case: Case<'_>, description: &Description, area: Area, id: &'static str) -> Finding {
    let shown = case.shown();
    match description.status.as_str() {
        "ACTIVE" | "UPDATING" => Finding::ok(id, area, format!("{shown} exists")),
        "CREATING" => Finding::error(id, area, format!("{shown} is still being created"))
            .why("it takes no requests before it is there")
            .cure(case.aws_wait()),
        "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => {
            Finding::error(id, area, format!("{shown} cannot reach the key that it is encrypted with"))
                .why("DynamoDB refuses every request to it, and archives it after seven days")
                .cure(format!(
                    "enable the KMS key again and let DynamoDB use it; {} names the key",
                    case.aws("describe-table", &["--query", "Table.SSEDescription"])
                ))
        }
        other => Finding::error(id, area, format!("{shown} is in the state {other}"))
            .why("it takes no requests")
            .cure(case.setup("NAME")),
    }
    .with("status", description.status.as_str())
}

impl Case<'_> {
    fn aws_wait(&self) -> String {
        let mut words = vec!["aws", "dynamodb", "wait", "table-exists", "--region", self.region];
        words.extend(self.endpoint.iter().flat_map(|endpoint| ["--endpoint-url", endpoint]));
        words.extend(["--table-name", self.name]);
        command(words)
    }
}

fn key(case: Case<'_>, description: &Description, area: Area, id: &'static str) -> Vec<Finding> {
    let faults = description.key_faults();
    if faults.is_empty() {
        return vec![Finding::ok(id, area, "its key is LockID, a string, without a sort key")];
    }
    let fault = |fault: &crate::store::KeyFault| {
        Finding::error(id, area, format!("{} {fault}", case.shown()))
            .why("every request to it fails, and Terraform's own lock notices only at the apply")
            .cure(format!(
                "the key of a table cannot be changed: {}, and name it with --table",
                case.setup("NAME")
            ))
    };
    faults.iter().map(fault).collect()
}

/// What follows from a key that DynamoDB refuses, where the table may not be described.
pub(super) fn refused_key(name: &str, said: &str) -> Finding {
    Finding::error("table-key", Area::Store, format!("table {name} does not take the key of a lock: {said}"))
        .why("its key has to be LockID, a string, without a sort key; every request fails")
        .cure("tfguard setup --table NAME, and name it with --table")
}

fn time_to_live(case: Case<'_>, description: &Description) -> Finding {
    let (id, area) = ("table-ttl", Area::Store);
    let strong = description.consistency == Some(Consistency::Strong);
    let why = "records of locks that nobody uses any more and the history of runs are never collected; \
               nothing else depends on it";
    match &case.table.time_to_live {
        Fact::Known(TimeToLive::On(attribute)) if attribute == EXPIRY => {
            Finding::ok(id, area, "old records are collected by its TTL")
        }
        Fact::Known(TimeToLive::Changing { attribute: Some(attribute), on: true }) if attribute == EXPIRY => {
            Finding::ok(id, area, "its TTL is being switched on")
        }
        Fact::Known(TimeToLive::On(attribute)) => {
            let off = format!("Enabled=false,AttributeName={attribute}");
            Finding::warning(id, area, format!("the TTL of {} is on {attribute}, not {EXPIRY}", case.shown()))
                .why(why)
                .cure(format!(
                    "{}, then (after up to an hour) {}",
                    case.aws("update-time-to-live", &["--time-to-live-specification", &off]),
                    case.repair()
                ))
        }
        Fact::Known(TimeToLive::Changing { .. }) => {
            Finding::warning(id, area, format!("the TTL of {} is just being changed", case.shown()))
                .why(why)
                .cure(format!("after up to an hour: {}", case.repair()))
        }
        Fact::Known(TimeToLive::Off) if strong => {
            Finding::info(id, area, "it has no TTL, as no strongly consistent global table has").why(why)
        }
        Fact::Known(TimeToLive::Off) => {
            Finding::warning(id, area, format!("{} has no TTL", case.shown())).why(why).cure(case.repair())
        }
        Fact::Untold(fault) => {
            Finding::info(id, area, format!("its TTL could not be checked: {}", fault.text()))
        }
    }
}

fn copies(case: Case<'_>, description: &Description) -> Option<Finding> {
    let (id, area) = ("table-replication", Area::Store);
    let regions: Vec<&str> = description.replicas.iter().map(|replica| replica.region.as_str()).collect();
    let finding = match description.consistency? {
        Consistency::Strong => {
            Finding::ok(id, area, "it is a global table whose regions agree at once (MRSC)")
        }
        Consistency::Eventual => Finding::warning(
            id,
            area,
            format!(
                "{} is an eventually consistent global table, also in {}",
                case.shown(),
                regions.join(", ")
            ),
        )
        .why(
            "two runs in different regions can both get the lock, since each region answers before it has \
             heard of the other",
        )
        .cure(format!(
            "use one region only, everywhere: region = \"{}\" in tfguard.toml; or create a table with strong \
             consistency (--multi-region-consistency STRONG)",
            case.region
        )),
    };
    Some(finding.with("replicas", regions))
}

fn capacity(case: Case<'_>, description: &Description) -> Finding {
    let (id, area) = ("table-capacity", Area::Store);
    match description.capacity {
        Capacity::OnDemand => Finding::ok(id, area, "its capacity is on demand"),
        Capacity::Provisioned { read, write } => {
            let units = format!("{read} read and {write} write units a second");
            let finding = if read < ENOUGH.0 || write < ENOUGH.1 {
                Finding::warning(id, area, format!("{} has only {units}", case.shown()))
                    .why(format!(
                        "a queue of a few runs needs about {} and {}: below that requests are throttled, \
                         hand-overs take longer, and a heartbeat may come too late",
                        ENOUGH.0, ENOUGH.1
                    ))
                    .cure(case.aws("update-table", &["--billing-mode", "PAY_PER_REQUEST"]))
            } else {
                Finding::ok(id, area, format!("its capacity is {units}"))
            };
            finding.with("read", read).with("write", write)
        }
    }
}

fn protection(case: Case<'_>, description: &Description) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (id, area) = ("table-deletion-protection", Area::Store);
    findings.push(if description.deletion_protection {
        Finding::ok(id, area, "it is protected against deletion")
    } else {
        Finding::info(id, area, format!("{} is not protected against deletion", case.shown()))
            .why("who deletes it takes the lock away under every run")
            .cure(case.aws("update-table", &["--deletion-protection-enabled"]))
    });
    let (id, area) = ("table-recovery", Area::Store);
    findings.push(match &case.table.recovery {
        Fact::Known(true) => Finding::ok(id, area, "it can be restored to any earlier second"),
        Fact::Known(false) => Finding::info(id, area, "point-in-time recovery is off")
            .why("locks need none; a history that was deleted by mistake stays lost"),
        Fact::Untold(fault) => {
            Finding::info(id, area, format!("point-in-time recovery could not be checked: {}", fault.text()))
        }
    });
    findings
}

fn region(case: Case<'_>) -> Option<Finding> {
    let (id, area) = ("table-region", Area::Store);
    let backend = case.backend_region?;
    let finding = if backend == case.region {
        Finding::ok(id, area, format!("it is in the backend's region, {backend}"))
    } else {
        Finding::warning(
            id,
            area,
            format!("the lock is in {} and the backend's state in {backend}", case.region),
        )
        .why(
            "a run that takes the region from the backend uses the table of that name there, which is another \
             lock; and an outage of either region stops the runs",
        )
        .cure(format!(
            "take the backend's region (--region {backend}), or pin this one for everybody: region = \"{}\" in \
             tfguard.toml",
            case.region
        ))
    };
    Some(finding.with("table_region", case.region).with("backend_region", backend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok, Warning};
    use crate::inventory::Replica;
    use crate::store::KeyPart;

    fn description() -> Description {
        Description {
            status: "ACTIVE".into(),
            key: vec![KeyPart { name: "LockID".into(), sort: false, kind: Some("S".into()) }],
            capacity: Capacity::OnDemand,
            deletion_protection: true,
            replicas: Vec::new(),
            consistency: None,
            items: 0,
        }
    }

    fn found(description: Fact<Description>, ttl: TimeToLive, backend: Option<&str>) -> Vec<Finding> {
        let table = Table { description, time_to_live: Fact::Known(ttl), recovery: Fact::Known(true) };
        check(Case {
            name: "locks",
            region: "eu-west-1",
            endpoint: None,
            table: &table,
            backend_region: backend,
        })
    }

    fn severity(findings: &[Finding], id: &str) -> Option<Severity> {
        findings.iter().filter(|finding| finding.id == id).map(|finding| finding.severity).max()
    }

    fn on() -> TimeToLive {
        TimeToLive::On("expires_at".into())
    }

    #[test]
    fn a_table_as_it_should_be_is_ok_in_every_row() {
        let findings = found(Fact::Known(description()), on(), Some("eu-west-1"));
        assert!(findings.iter().all(|finding| finding.severity == Ok), "{findings:#?}");
        assert_eq!(findings.len(), 7);
    }

    #[test]
    fn each_difference_has_its_row() {
        let key = |name: &str, sort, kind: &str| KeyPart { name: name.into(), sort, kind: Some(kind.into()) };
        let replicas = vec![Replica { region: "eu-west-2".into(), status: "ACTIVE".into() }];
        let with = |change: &dyn Fn(&mut Description)| {
            let mut changed = description();
            change(&mut changed);
            found(Fact::Known(changed), on(), Some("eu-west-1"))
        };
        for (id, severity_wanted, findings) in [
            ("table-exists", Error, found(Fact::Untold(Fault::Missing), on(), None)),
            ("table-exists", Error, with(&|it| it.status = "CREATING".into())),
            ("table-exists", Error, with(&|it| it.status = "DELETING".into())),
            ("table-exists", Ok, with(&|it| it.status = "UPDATING".into())),
            ("table-key", Error, with(&|it| it.key = vec![key("lock_id", false, "S")])),
            ("table-key", Error, with(&|it| it.key = vec![key("LockID", false, "N")])),
            ("table-key", Error, with(&|it| it.key.push(key("at", true, "S")))),
            ("table-ttl", Warning, found(Fact::Known(description()), TimeToLive::Off, None)),
            ("table-ttl", Warning, found(Fact::Known(description()), TimeToLive::On("x".into()), None)),
            (
                "table-replication",
                Warning,
                with(&|it| {
                    it.consistency = Some(Consistency::Eventual);
                    it.replicas.clone_from(&replicas);
                }),
            ),
            ("table-replication", Ok, with(&|it| it.consistency = Some(Consistency::Strong))),
            (
                "table-capacity",
                Warning,
                with(&|it| it.capacity = Capacity::Provisioned { read: 20, write: 1 }),
            ),
            (
                "table-capacity",
                Warning,
                with(&|it| it.capacity = Capacity::Provisioned { read: 1, write: 20 }),
            ),
            ("table-capacity", Ok, with(&|it| it.capacity = Capacity::Provisioned { read: 20, write: 20 })),
            ("table-deletion-protection", Info, with(&|it| it.deletion_protection = false)),
            ("table-region", Warning, found(Fact::Known(description()), on(), Some("us-east-1"))),
        ] {
            assert_eq!(severity(&findings, id), Some(severity_wanted), "{id}: {findings:#?}");
            for finding in findings.iter().filter(|finding| finding.severity > Info) {
                assert!(finding.why.is_some() && finding.cure.is_some(), "{finding:?}");
            }
        }
    }

    #[test]
    fn a_strong_global_table_cannot_have_a_ttl() {
        let strong = Description { consistency: Some(Consistency::Strong), ..description() };
        let findings = found(Fact::Known(strong), TimeToLive::Off, None);
        assert_eq!(severity(&findings, "table-ttl"), Some(Info));
    }

    #[test]
    fn what_may_not_be_looked_at_is_no_error() {
        let denied = Fault::Denied { action: "dynamodb:DescribeTable", said: "no".into() };
        let findings = found(Fact::Untold(denied), on(), None);
        assert_eq!(severity(&findings, "table-exists"), Some(Info));
        assert_eq!(findings.len(), 1);
    }
}
