//! Everything about the store, and the locks in it.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::super::ask::dynamo::{self, Conditions};
use super::super::ask::{folder as local, s3};
use super::super::finding::{Area, Finding, Severity};
use super::super::{bucket, credentials, folder, record, table};
use super::Subject;
use super::part::{Part, unreachable};
use crate::cli::Site;
use crate::clock::{Clock, SystemClock};
use crate::inventory::{Bucket, DynamoClient, Fault, S3Client};
use crate::lease::{LockName, Record};
use crate::store::{Access, DynamoConfig, S3Config, StoreError, StoreResult, StoreSpec};

/// How long the record may take to be read.
const READ: Duration = Duration::from_secs(5);

/// All of it, side by side; nothing where no store could be chosen.
pub(super) async fn of_store(subject: &Subject<'_>) -> Part {
    let Ok(target) = &subject.target else { return Part::default() };
    let Some(first) = target.sites.first() else { return Part::default() };
    let locks: Vec<LockName> = target.sites.iter().map(|site| site.lock.clone()).collect();
    let region = subject.directory.s3.as_ref().and_then(|s3| s3.region.as_deref());
    let look = async {
        match &first.store {
            StoreSpec::Dynamodb(config) => Box::pin(of_table(config, &locks, region, subject.env)).await,
            StoreSpec::S3(config) => {
                let states = subject.directory.s3.as_ref().is_some_and(|s3| s3.bucket == config.bucket);
                Box::pin(of_bucket(config, &locks, states, subject.env)).await
            }
            StoreSpec::Local { dir } => of_folder(dir, subject.ci).await,
        }
    };
    let (mut part, records) = tokio::join!(look, Box::pin(read(&target.sites)));
    let now = SystemClock.now().wall;
    for (site, found) in target.sites.iter().zip(records) {
        let options = site.options();
        let case = record::Case { lock: &site.lock, options: &options, record: &found, now };
        part.findings.extend(record::check(case));
        match found {
            Ok(record) => part.records.extend(record),
            Err(error) => part.blame(&error),
        }
    }
    // Said of the local store in a check of its own.
    if !matches!(first.store, StoreSpec::Local { .. }) {
        part.findings.extend(target.warnings.iter().map(|warning| {
            Finding::warning("lock-name", Area::Lock, warning)
                .why("two runs on one state with two locks do not exclude each other")
                .cure("lock = \"NAME\" in tfguard.toml")
        }));
    }
    part
}

/// The records of all locks. A folder that is not there is not made.
async fn read(sites: &[Site]) -> Vec<StoreResult<Option<Record>>> {
    let mut records = Vec::new();
    for site in sites {
        records.push(match &site.store {
            StoreSpec::Local { dir } if !dir.exists() => Ok(None),
            spec => match spec.open().await {
                Ok(store) => store.read(&site.lock, READ).await,
                Err(error) => Err(error),
            },
        });
    }
    records
}

/// Where the credentials for `access` come from, in words, and whether nobody renews them.
fn source(access: &Access, env: &dyn Fn(&str) -> Option<String>) -> (String, bool) {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    if let Some(role) = &access.role_arn {
        return (format!("role {role}"), false);
    }
    if let Some(profile) = &access.profile {
        return (format!("profile {profile}"), false);
    }
    if set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY") {
        return ("the keys in AWS_ACCESS_KEY_ID".to_owned(), true);
    }
    let text = match env("AWS_PROFILE").filter(|profile| !profile.is_empty()) {
        Some(profile) => format!("profile {profile}"),
        None if set("AWS_WEB_IDENTITY_TOKEN_FILE") => "the job's web identity".to_owned(),
        None => "the default profile, or the role of the job or machine".to_owned(),
    };
    (text, false)
}

async fn of_table(
    config: &DynamoConfig,
    locks: &[LockName],
    backend_region: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Part {
    let (source, fixed) = source(&config.access, env);
    let client = match DynamoClient::connect(&config.access, &format!("table \"{}\"", config.table)).await {
        Ok(client) => client,
        Err(error) => return Part::without(error, source, fixed),
    };
    let asked = dynamo::lock_table(&client, &config.table, locks).await;
    let case = table::Case {
        name: &config.table,
        region: client.region(),
        endpoint: client.endpoint(),
        table: &asked.table,
        backend_region,
    };
    let mut findings = table::check(case);
    let told =
        findings.iter().any(|finding| finding.id == "table-key" && finding.severity == Severity::Error);
    if let Some(said) = asked.key_refused.filter(|_| !told) {
        findings.push(table::refused_key(&config.table, &said));
    }
    findings.extend(conditions(&asked.conditions));
    let rejected = rejected(asked.table.description.fault(), &mut findings);
    let keys = keys((source, fixed), rejected, client.expiry()).await;
    Part { findings, time: client.server_time(), keys: Some(keys), tries: asked.tries, ..Part::default() }
}

/// What is known of the credentials. When they expire is asked only where they were not refused.
async fn keys(
    (source, fixed): (String, bool),
    rejected: Option<StoreError>,
    expiry: impl Future<Output = Option<Timestamp>>,
) -> credentials::Keys {
    let expiry = match rejected {
        Some(error) => Err(error),
        None => Ok(expiry.await),
    };
    credentials::Keys { source, expiry, fixed }
}

/// Why the credentials were refused, if they were. Another failure of the first question to the store
/// is a finding.
fn rejected(fault: Option<&Fault>, findings: &mut Vec<Finding>) -> Option<StoreError> {
    match fault {
        Some(Fault::Failed(error @ StoreError::Credentials { .. })) => Some(error.clone()),
        Some(Fault::Failed(error)) => {
            findings.push(unreachable(Area::Store, &error.to_string()));
            None
        }
        _ => None,
    }
}

/// An engine that is not AWS's may ignore the conditions that locks are written under.
fn conditions(conditions: &Conditions) -> Option<Finding> {
    match conditions {
        Conditions::Ignored => Some(ignored_conditions()),
        Conditions::Heeded | Conditions::Denied(_) | Conditions::Unclear => None,
    }
}

fn ignored_conditions() -> Finding {
    Finding::error("store-conditions", Area::Store, "this endpoint ignores the conditions of writes")
        .why("two runs can both write that they have the lock: it excludes nobody")
        .cure("use another endpoint, or AWS itself")
}

async fn of_bucket(
    config: &S3Config,
    locks: &[LockName],
    states: bool,
    env: &dyn Fn(&str) -> Option<String>,
) -> Part {
    let (source, fixed) = source(&config.access, env);
    let client = match S3Client::connect(config).await {
        Ok(client) => client,
        Err(error) => return Part::without(error, source, fixed),
    };
    let asked = s3::lock_bucket(&client, &config.bucket, locks).await;
    let mut findings = Vec::new();
    // The state's bucket is judged as a whole elsewhere.
    if !states {
        findings.extend(judged(&client, &config.bucket, &asked.bucket, false));
    }
    if asked.ignores_conditions {
        findings.push(ignored_conditions());
    }
    let rejected = rejected(asked.bucket.region.fault(), &mut findings);
    let keys = keys((source, fixed), rejected, client.expiry()).await;
    Part { findings, time: client.server_time(), keys: Some(keys), tries: asked.tries, ..Part::default() }
}

pub(super) fn judged(client: &S3Client, name: &str, bucket: &Bucket, state: bool) -> Vec<Finding> {
    bucket::check(bucket::Case { name, region: client.region(), endpoint: client.endpoint(), bucket, state })
}

async fn of_folder(dir: &Path, ci: bool) -> Part {
    let dir = dir.to_owned();
    let looked = tokio::task::spawn_blocking(move || local::look(&dir)).await;
    let findings = looked.map(|folder| folder::check(&folder, ci)).unwrap_or_default();
    Part { findings, ..Part::default() }
}
