//! As whom AWS is asked, and for how long.

use jiff::Timestamp;

use super::finding::{Area, Finding};
use crate::credentials::{Demands, End, Outlook, Source};
use crate::lease::Lease;
use crate::report::human;
use crate::store::StoreError;

/// The credentials that the lock is kept with.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// Where they come from, in words.
    pub source: String,
    /// When the present ones expire, or why there are none. Where they come from gives new ones by
    /// itself, if it can.
    pub expiry: Result<Option<Timestamp>, StoreError>,
    /// Nobody renews them.
    pub fixed: bool,
}

/// What was found out.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    /// Those of the lock's store; `None` where it needs none.
    pub ours: Option<&'a Keys>,
    /// Those that the child will find; `None` where nothing speaks of AWS.
    pub childs: Option<&'a Outlook>,
    /// `--min-session` and `--stop-before-expiry`.
    pub demands: Demands,
    /// The length of the lease.
    pub lease: Lease,
    /// The time.
    pub now: Timestamp,
}

/// Every check of them.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(case.ours.map(|keys| ours(case, keys)));
    findings.extend(case.childs.map(|outlook| childs(case, outlook)));
    findings
}

fn ours(case: &Case<'_>, keys: &Keys) -> Finding {
    let (id, area) = ("credentials", Area::Credentials);
    let finding = match &keys.expiry {
        Err(error) => Finding::error(id, area, error.to_string())
            .why("without credentials that AWS accepts the lock cannot be asked for")
            .cure("log in again, or check AWS_PROFILE and the job's role: aws sts get-caller-identity"),
        Ok(None) => Finding::ok(id, area, format!("the lock is asked for with {}", keys.source)),
        Ok(Some(expires)) => {
            let left = human::until(*expires, case.now);
            let what = format!(
                "the lock is asked for with {}, until {} ({} left)",
                keys.source,
                human::time(*expires, case.now),
                human::duration(left)
            );
            // What can be renewed is, in time.
            if keys.fixed && left < case.lease.length() {
                Finding::warning(id, area, what)
                    .why("they end before one lease does: a run would lose its lock, and stop for it")
                    .cure("log in again, or let the CI mint ones that last longer")
            } else {
                Finding::ok(id, area, what)
            }
            .with("expires_at", expires.to_string())
        }
    };
    finding.with("source", keys.source.as_str())
}

fn childs(case: &Case<'_>, outlook: &Outlook) -> Finding {
    let (id, area) = ("credentials-of-terraform", Area::Credentials);
    let source = match (&outlook.source, &outlook.end) {
        // Without a session they are a user's own.
        (Source::Environment, End::Open) => "those in AWS_ACCESS_KEY_ID".to_owned(),
        (source, _) => source.describe(),
    };
    let finding = if let Some(short) = case.demands.shortfall(outlook, case.now) {
        Finding::error(id, area, short)
            .why("tfguard starts nothing with them, as it was told to")
            .cure("log in again, or let the CI mint ones that last longer")
    } else {
        match &outlook.end {
            End::At(expires) => {
                let left = human::until(*expires, case.now);
                if left.is_zero() {
                    Finding::error(
                        id,
                        area,
                        format!("the credentials that Terraform will find, {source}, have expired"),
                    )
                    .why("AWS refuses all that Terraform asks")
                    .cure("log in again: aws sso login, or what you use")
                } else if left < case.lease.length() {
                    Finding::warning(
                        id,
                        area,
                        format!(
                            "the credentials that Terraform will find, {source}, expire in {}",
                            human::duration(left)
                        ),
                    )
                    .why("an apply that outlasts them breaks off and cannot write its state")
                    .cure("log in again; --min-session D makes tfguard refuse such a start")
                } else {
                    Finding::ok(
                        id,
                        area,
                        format!("Terraform will find {source}, good for {}", human::duration(left)),
                    )
                }
                .with("expires_at", expires.to_string())
            }
            End::Unknown(why) => Finding::info(
                id,
                area,
                format!("Terraform will find {source}; when they expire is not known ({why})"),
            ),
            End::Open => Finding::ok(
                id,
                area,
                format!("Terraform will find {source}, which do not expire by themselves"),
            ),
        }
    };
    finding.with("source", source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Error, Info, Ok as Fine, Warning};
    use std::time::Duration;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn severity(ours: Option<&Keys>, childs: Option<&Outlook>, demands: Demands) -> Severity {
        let case = Case { ours, childs, demands, lease: Lease::default(), now: at(0) };
        let findings = check(&case);
        assert_eq!(findings.len(), 1);
        findings[0].severity
    }

    #[test]
    fn ours_have_to_last_for_a_lease_where_nobody_renews_them() {
        let missing = StoreError::Credentials { expired: false, message: "none".into() };
        for (expiry, fixed, wanted) in [
            (Ok(None), true, Fine),
            (Ok(Some(at(3600))), true, Fine),
            (Ok(Some(at(60))), true, Warning),
            (Ok(Some(at(60))), false, Fine),
            (Err(missing), false, Error),
        ] {
            let keys = Keys { source: "x".into(), expiry, fixed };
            assert_eq!(severity(Some(&keys), None, Demands::default()), wanted, "{keys:?}");
        }
    }

    #[test]
    fn terraforms_are_judged_by_what_the_user_asks_of_them() {
        let hour = Demands { min_session: Some(Duration::from_secs(3600)), stop_before: None };
        for (end, demands, wanted) in [
            (End::Open, hour, Fine),
            (End::Unknown("x".into()), hour, Info),
            (End::At(at(7200)), hour, Fine),
            (End::At(at(1800)), hour, Error),
            (End::At(at(1800)), Demands::default(), Fine),
            (End::At(at(60)), Demands::default(), Warning),
            (End::At(at(-60)), Demands::default(), Error),
        ] {
            let outlook = Outlook { source: Source::Environment, end };
            assert_eq!(severity(None, Some(&outlook), demands), wanted, "{outlook:?} {demands:?}");
        }
    }
}
