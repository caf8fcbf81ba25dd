//! Terraform's state in an `s3` backend: its own lock, and the digest that guards the state.

use jiff::Timestamp;

use super::finding::{Area, Finding, command};
use crate::escape;
use crate::report::human;
use crate::state_lock::StateLock;

/// The digest that Terraform keeps in its table, and the state that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    /// What stands in the table, in hexadecimal.
    pub expected: String,
    /// The MD5 of the state object; `None`: there is no object, or nothing is in it.
    pub actual: Option<String>,
    /// When the object was written.
    pub written: Option<Timestamp>,
}

/// What was found out.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    /// `<bucket>/<key>`
    pub path: &'a str,
    /// Its own lock, one for each place that it may have.
    pub locks: &'a [StateLock],
    /// The digest, where one is kept and both could be read.
    pub digest: Option<&'a Digest>,
    /// A run of ours holds the lock at present, and gives signs of life.
    pub held_by_us: bool,
    /// `tfguard` with the options that name the lock, and its directory, for a shell.
    pub tfguard: &'a str,
    /// The table of the digest and its region, and an endpoint that is not AWS's own.
    pub table: Option<(&'a str, &'a str, Option<&'a str>)>,
    /// The time.
    pub now: Timestamp,
}

/// Every check of it.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = case.locks.iter().map(|lock| state_lock(case, lock)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("state-lock", Area::State, "Terraform's own lock on the state is free"));
    }
    findings.extend(case.digest.map(|found| digest(case, found)));
    findings
}

fn state_lock(case: &Case<'_>, lock: &StateLock) -> Finding {
    let (id, area) = ("state-lock", Area::State);
    let Some(info) = &lock.info else {
        return Finding::error(id, area, format!("the {} is no lock that Terraform wrote", lock.place))
            .why("Terraform takes it for a lock all the same: every run fails with \"Error acquiring the state lock\"")
            .cure("look at it, and delete it by hand if nothing needs it");
    };
    let since = human::since(info.created, case.now);
    let who = escape::field(&info.who);
    let finding = if case.held_by_us {
        Finding::info(
            id,
            area,
            format!(
                "Terraform's own lock is held by {who} for {since}, and a run of tfguard holds the lock above it"
            ),
        )
    } else {
        Finding::error(
            id,
            area,
            format!("Terraform's own lock on the state {} is held by {who} for {since}, and by no run of tfguard", case.path),
        )
        .why(
            "either somebody runs Terraform without tfguard, or a Terraform died and left it: until it is gone every \
             run fails with \"Error acquiring the state lock\"",
        )
        .cure(format!(
            "ask {who}; if that Terraform is dead: {} unlock --state-lock --reason 'left by a dead Terraform'",
            case.tfguard
        ))
    };
    finding
        .with("lock_id", info.id.as_str())
        .with("who", info.who.as_str())
        .with("operation", info.operation.as_str())
        .with("created", info.created.to_string())
        .with("place", lock.place.as_str())
}

fn digest(case: &Case<'_>, digest: &Digest) -> Finding {
    let (id, area) = ("state-digest", Area::State);
    if digest.actual.as_ref() == Some(&digest.expected) {
        return Finding::ok(id, area, "the state is the one that Terraform's digest is of");
    }
    let (table, region, endpoint) = case.table.unwrap_or_default();
    let item = format!("{}-md5", case.path);
    let aws = |operation: &str, option: &str, value: &str| {
        let mut words = vec!["aws", "dynamodb", operation, "--region", region];
        words.extend(endpoint.iter().flat_map(|endpoint| ["--endpoint-url", endpoint]));
        words.extend(["--table-name", table, option, value]);
        command(words)
    };
    let restore = format!("{} state versions, then state restore", case.tfguard);
    let key = serde_json::json!({ "LockID": { "S": item } });
    let finding = match &digest.actual {
        Some(actual) => {
            let written =
                digest.written.map_or(String::new(), |at| format!(", written {}", human::time(at, case.now)));
            let item = serde_json::json!({ "LockID": { "S": item }, "Digest": { "S": actual } });
            let finding = Finding::error(
                id,
                area,
                format!("the digest in table {table} is of another state than {} holds{written}", case.path),
            );
            finding.cure(format!(
                "if the state is the right one (a write broke off between the two, or it was put there by hand): {}; \
                 if an older state was put back by mistake: {restore}",
                aws("put-item", "--item", &item.to_string())
            ))
        }
        None => {
            let finding = Finding::error(
                id,
                area,
                format!("the digest in table {table} is of a state, and {} is gone", case.path),
            );
            finding.cure(format!(
                "if it was deleted by mistake: {restore}; if it is meant to be gone: {}",
                aws("delete-item", "--key", &key.to_string())
            ))
        }
    };
    finding
        .why(
            "Terraform refuses to work: \"state data in S3 does not have the expected content\", after ten seconds of \
             trying",
        )
        .with("expected", digest.expected.as_str())
        .with("actual", digest.actual.clone().map_or(serde_json::Value::Null, Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok as Fine};
    use crate::terraform::lock_info::LockInfo;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn found(locks: &[StateLock], digest: Option<&Digest>, held_by_us: bool) -> Vec<Finding> {
        check(&Case {
            path: "states/a",
            locks,
            digest,
            held_by_us,
            tfguard: "tfguard --lock x",
            table: Some(("locks", "eu-west-1", None)),
            now: at(0),
        })
    }

    fn severity(findings: &[Finding], id: &str) -> Option<Severity> {
        findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity)
    }

    #[test]
    fn a_lock_is_left_over_only_where_no_run_of_ours_is_above_it() {
        let info = LockInfo {
            id: "f6".into(),
            path: "states/a".into(),
            operation: "OperationTypeApply".into(),
            who: "eve@vm\u{1b}".into(),
            created: at(-120),
        };
        let lock = StateLock { place: "item x".into(), info: Some(info) };
        assert_eq!(severity(&found(&[], None, false), "state-lock"), Some(Fine));
        assert_eq!(severity(&found(std::slice::from_ref(&lock), None, true), "state-lock"), Some(Info));
        let left = found(&[lock], None, false);
        assert_eq!(severity(&left, "state-lock"), Some(Error));
        assert!(left[0].what.contains("for 2 min") && !left[0].what.contains('\u{1b}'), "{left:?}");
        assert!(
            left[0].cure.as_ref().is_some_and(|cure| cure.contains("tfguard --lock x unlock --state-lock"))
        );
        let odd = StateLock { place: "item x".into(), info: None };
        assert_eq!(severity(&found(&[odd], None, true), "state-lock"), Some(Error));
    }

    #[test]
    fn a_digest_of_another_state_comes_with_both_ways_out() {
        let digest = |actual: Option<&str>| Digest {
            expected: "aa".into(),
            actual: actual.map(str::to_owned),
            written: Some(at(-5)),
        };
        assert_eq!(severity(&found(&[], Some(&digest(Some("aa"))), false), "state-digest"), Some(Fine));
        for (actual, parts) in [
            (Some("bb"), ["put-item", "\"Digest\":{\"S\":\"bb\"}", "state restore"]),
            (None, ["delete-item", "states/a-md5", "state restore"]),
        ] {
            let findings = found(&[], Some(&digest(actual)), false);
            assert_eq!(severity(&findings, "state-digest"), Some(Error));
            let cure = findings[1].cure.clone().unwrap();
            for part in parts {
                assert!(cure.contains(part), "{part} in {cure}");
            }
        }
    }
}
