//! The record of the lock: what earlier runs left in it.

use jiff::Timestamp;

use super::finding::{Area, Finding, command};
use crate::escape;
use crate::lease::{Holder, LockName, Outcome, Record};
use crate::report::human;
use crate::store::StoreError;
use crate::supervisor::party;

/// A lock as it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// The options that name it in its store, for a shell.
    pub options: &'a str,
    /// Its record; `None`: it was never taken.
    pub record: &'a Result<Option<Record>, StoreError>,
    /// The time by this machine's clock.
    pub now: Timestamp,
}

/// Every check of it.
pub(super) fn check(case: Case<'_>) -> Vec<Finding> {
    let (area, lock) = (Area::Lock, case.lock);
    let name = |finding: Finding| finding.with("lock", lock.as_str());
    let record = match case.record {
        Ok(Some(record)) => record,
        Ok(None) => {
            return vec![name(Finding::ok("lock-record", area, format!("lock {lock} was never taken")))];
        }
        Err(StoreError::BadRecord { error, .. }) => {
            let finding = Finding::error(
                "lock-record",
                area,
                format!("the record of lock {lock} cannot be used: {error}"),
            )
            .why("no run can take the lock, since nobody can tell who holds it")
            .cure(format!(
                "make sure that nobody works under it, then: {}",
                case.unlock("record was damaged", &["--now"])
            ));
            return vec![name(finding)];
        }
        // Told once, for the whole store.
        Err(_) => return Vec::new(),
    };
    let mut findings =
        vec![Finding::ok("lock-record", area, format!("the record of lock {lock} can be read"))];
    findings.extend(record.holders.iter().map(|holder| case.holder(holder)));
    findings.extend(case.collection(record));
    findings.extend(case.recovery(record));
    findings.extend(case.last(record));
    findings.into_iter().map(name).collect()
}

impl Case<'_> {
    fn unlock(&self, reason: &str, more: &[&str]) -> String {
        let reason = command(["--reason", reason]);
        let more: String = more.iter().map(|word| format!(" {word}")).collect();
        format!("tfguard unlock {}{more} {reason}", self.options)
    }

    fn holder(&self, holder: &Holder) -> Finding {
        let id = "lock-holder";
        let who = human::holder(&party(holder), self.now);
        let finding = if holder.looks_dead(self.now) {
            let silent = human::since(holder.renewed_at, self.now);
            let session = escape::field(&holder.session).into_owned();
            Finding::warning(
                id,
                Area::Lock,
                format!("lock {} is held by {who}, without a sign of life for {silent}", self.lock),
            )
            .why(format!(
                "it looks dead; the next run waits {} before it takes over, to be sure",
                human::duration(holder.patience())
            ))
            .cure(format!(
                "a run takes over by itself; at once, when you know that it is dead: {}",
                self.unlock("its machine is gone", &["--now", "--session", &command([session.as_str()])])
            ))
        } else {
            Finding::info(id, Area::Lock, format!("lock {} is held by {who}", self.lock))
        };
        finding.with("session", holder.session.as_str()).with("renewed_at", holder.renewed_at.to_string())
    }

    /// A store collects what has expired, held or not.
    fn collection(&self, record: &Record) -> Option<Finding> {
        let expires = i64::try_from(record.expires_at).ok().and_then(|at| Timestamp::from_second(at).ok())?;
        if expires > self.now {
            return None;
        }
        let what =
            format!("the record of lock {} has expired {} ago", self.lock, human::since(expires, self.now));
        let finding = if record.is_free() {
            Finding::info("lock-ttl", Area::Lock, what).why("nobody needs it; the table's TTL collects it")
        } else {
            Finding::warning("lock-ttl", Area::Lock, what)
                .why(
                    "the table's TTL may collect it although it is held: every heartbeat moves the time on, so that \
                     its holder is dead or its clock is far behind",
                )
                .cure(self.unlock("its holder is dead", &["--now"]))
        };
        Some(finding.with("expires_at", expires.to_string()))
    }

    fn recovery(&self, record: &Record) -> Option<Finding> {
        let rescued = record.needs_recovery.first()?;
        let count = record.needs_recovery.len();
        let what = match count {
            1 => "a state that could not be written waits to be pushed".to_owned(),
            _ => format!("{count} states that could not be written wait to be pushed"),
        };
        let path = escape::line(&rescued.path).into_owned();
        let push = command(["terraform", "state", "push", path.as_str()]);
        let who = human::identity(&rescued.identity);
        Some(
            Finding::warning("lock-recovery", Area::Lock, format!("lock {}: {what}", self.lock))
                .why(format!(
                    "the backend does not know what that run changed ({who}, {} ago): the next plan wants to \
                     create it again. A run with --require-clean refuses to start",
                    human::since(rescued.at, self.now)
                ))
                .cure(format!(
                    "on that machine: tfguard {} exec -- {push}; if it is settled: {}",
                    self.options,
                    self.unlock("settled by hand", &["--recovered"])
                ))
                .with("path", rescued.path.as_str())
                .with("count", count),
        )
    }

    fn last(&self, record: &Record) -> Option<Finding> {
        let last = record.last.as_ref()?;
        let (id, area, now) = ("lock-last-run", Area::Lock, self.now);
        let run = last.run.map_or("the last run".to_owned(), |run| format!("run {run}"));
        let who = human::identity(&last.identity);
        let how = match last.outcome {
            Outcome::Released => {
                let ago = human::since(last.at, now);
                return Some(Finding::ok(id, area, format!("{run} released the lock in order, {ago} ago")));
            }
            Outcome::Crashed => "was killed",
            Outcome::Expired => "lost its lease",
            Outcome::Forced => "was removed by an operator",
        };
        let what = format!("{run} {how} {} ago: {who}", human::since(last.at, now));
        Some(if last.acknowledged {
            Finding::info(id, area, what).why("a later run has been told of it")
        } else {
            Finding::warning(id, area, what)
                .why("its Terraform may have left its own state lock, or changes that are not in the state")
                .cure(
                    "look at its log and at the plan; the next run says it once more, and then it is settled",
                )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok as Fine, Warning};
    use crate::lease::RecordError;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW + seconds).unwrap()
    }

    fn found(record: Result<Option<Record>, StoreError>) -> Vec<Finding> {
        let lock = LockName::new("prod").unwrap();
        check(Case { lock: &lock, options: "--lock prod --table t", record: &record, now: at(0) })
    }

    fn record(fields: serde_json::Value) -> Result<Option<Record>, StoreError> {
        let mut value = serde_json::to_value(Record::new(at(-100))).unwrap();
        for (name, field) in fields.as_object().unwrap() {
            value[name] = field.clone();
        }
        Ok(Some(serde_json::from_value(value).unwrap()))
    }

    fn holder(renewed: i64) -> serde_json::Value {
        json!({ "session": "s", "mode": "exclusive", "phase": "active", "beat": 3, "lease_ms": 180_000,
            "generation": 1, "asked_at": at(-9000), "granted_at": at(-9000), "renewed_at": at(renewed),
            "identity": { "actor": "eve\u{1b}[2J" } })
    }

    fn last(outcome: &str, acknowledged: bool) -> serde_json::Value {
        json!({ "run": 7, "session": "s", "outcome": outcome, "at": at(-60), "acknowledged": acknowledged,
            "identity": {} })
    }

    fn severity(findings: &[Finding], id: &str) -> Option<Severity> {
        findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity)
    }

    #[test]
    fn each_row_is_told() {
        let bad = StoreError::BadRecord { lock: "prod".into(), error: RecordError::Rubbish("x".into()) };
        let rescued =
            json!([{ "run": 7, "session": "s", "path": "/r/x.tfstate", "at": at(-60), "identity": {} }]);
        for (id, wanted, record) in [
            ("lock-record", Fine, Ok(None)),
            ("lock-record", Error, Err(bad)),
            ("lock-record", Fine, record(json!({}))),
            ("lock-holder", Info, record(json!({ "holders": [holder(-10)] }))),
            ("lock-holder", Warning, record(json!({ "holders": [holder(-1000)] }))),
            ("lock-ttl", Info, record(json!({ "expires_at": NOW - 1 }))),
            ("lock-ttl", Warning, record(json!({ "expires_at": NOW - 1, "holders": [holder(-1000)] }))),
            ("lock-recovery", Warning, record(json!({ "needs_recovery": rescued }))),
            ("lock-last-run", Fine, record(json!({ "last": last("released", true) }))),
            ("lock-last-run", Warning, record(json!({ "last": last("crashed", false) }))),
            ("lock-last-run", Warning, record(json!({ "last": last("expired", false) }))),
            ("lock-last-run", Info, record(json!({ "last": last("expired", true) }))),
        ] {
            let findings = found(record);
            assert_eq!(severity(&findings, id), Some(wanted), "{id}: {findings:#?}");
            for finding in findings {
                assert!(finding.severity <= Info || (finding.why.is_some() && finding.cure.is_some()));
                assert!(!finding.what.contains('\u{1b}'), "{finding:?}");
            }
        }
        assert_eq!(severity(&found(record(json!({}))), "lock-ttl"), None);
    }
}
