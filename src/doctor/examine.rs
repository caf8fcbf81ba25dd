//! The whole examination: asks everything at once, and has each area judged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ask::dynamo::Conditions;
use super::ask::{dynamo, folder as local, s3, terraform as program};
use super::finding::{Area, Finding, Severity};
use super::permissions::Try;
use super::{backend, bucket, clock, credentials, folder, permissions, record, state, table, terraform};
use crate::cli::{Site, Target};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook, Source};
use crate::inventory::{Bucket, DynamoClient, Fault, S3Client, ServerTime, Table};
use crate::lease::{Lease, LockName, Record};
use crate::state_lock::{StateLock, StatePlace};
use crate::store::{Access, DynamoConfig, S3Config, StoreError, StoreResult, StoreSpec};
use crate::terraform::Directory;

/// How long the record may take to be read.
const READ: Duration = Duration::from_secs(5);
/// How long one part of the examination may take. Its calls have bounds of their own; this is for
/// whoever gives out credentials.
const PART: Duration = Duration::from_secs(20);

/// What is examined.
pub struct Subject<'a> {
    /// The directory that Terraform runs in.
    pub directory: &'a Directory,
    /// Its state and how Terraform reaches it, where that is in an `s3` backend.
    pub state: Option<&'a StatePlace>,
    /// The locks and their store, or why none could be chosen.
    pub target: Result<&'a Target, String>,
    /// The program, or why it cannot be run.
    pub terraform: Result<PathBuf, String>,
    /// `--log-format json`
    pub json: bool,
    /// What the user asks of the child's credentials.
    pub demands: Demands,
    /// The length of the lease.
    pub lease: Lease,
    /// Other machines run the same.
    pub ci: bool,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `tfguard`, with the directory where it is not the present one, for a shell.
    pub tfguard: String,
}

/// What one part of it came to.
#[derive(Default)]
struct Part {
    findings: Vec<Finding>,
    time: Option<ServerTime>,
    keys: Option<credentials::Keys>,
    /// The locks' records, as far as they could be read.
    records: Vec<Record>,
    /// The store's region, for what is compared with it.
    tries: Vec<Try>,
}

/// Examines. Nothing is changed, but for a file that is made in the local store's folder and removed
/// again.
pub async fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    let directory = subject.directory;
    let (version, store, state, childs) = tokio::join!(
        version(subject),
        within(Box::pin(of_store(subject)), "the lock store", Area::Store),
        within(Box::pin(of_state(subject.state)), "the state's bucket", Area::Bucket),
        childs(subject),
    );
    let now = SystemClock.now().wall;
    let mut findings = terraform::check(terraform::Case {
        found: &subject.terraform,
        version: &version,
        json: subject.json,
        s3: directory.s3.as_ref(),
    });
    let undecided = subject.target.as_ref().err().map(String::as_str);
    findings.extend(backend::check(backend::Case { directory, undecided }));
    findings.extend(credentials::check(&credentials::Case {
        ours: store.keys.as_ref(),
        childs: childs.as_ref(),
        demands: subject.demands,
        lease: subject.lease,
        now,
    }));
    findings.extend(clock::check(store.time.or(state.part.time)));
    findings.extend(store.findings);
    findings.extend(state.part.findings);
    let mut tries = store.tries;
    tries.extend(state.part.tries);
    findings.extend(permissions::check(&tries));
    if let Some(found) = &state.found {
        let held_by_us =
            store.records.iter().flat_map(|record| &record.holders).any(|holder| !holder.looks_dead(now));
        let site = subject.target.as_ref().ok().and_then(|target| target.sites.first());
        let tfguard = match site {
            Some(site) => format!("{} {}", subject.tfguard, site.options()),
            None => subject.tfguard.clone(),
        };
        findings.extend(state::check(&state::Case {
            path: &found.path,
            locks: &found.locks,
            digest: found.digest.as_ref(),
            held_by_us,
            tfguard: &tfguard,
            table: found
                .table
                .as_ref()
                .map(|(table, region, endpoint)| (table.as_str(), region.as_str(), endpoint.as_deref())),
            now,
        }));
    }
    told_once(findings)
}

/// One cause, such as credentials that nobody gives out, stops every part with the same words.
fn told_once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let repeats = |other: &Finding| other.severity == Severity::Error && other.what == finding.what;
        if !kept.iter().any(repeats) {
            kept.push(finding);
        }
    }
    kept
}

/// What becomes of a part that does not come to an end.
trait Late: Default {
    fn findings(&mut self) -> &mut Vec<Finding>;
}

impl Late for Part {
    fn findings(&mut self) -> &mut Vec<Finding> {
        &mut self.findings
    }
}

impl Late for OfState {
    fn findings(&mut self) -> &mut Vec<Finding> {
        &mut self.part.findings
    }
}

async fn within<T: Late>(work: impl Future<Output = T>, what: &str, area: Area) -> T {
    match tokio::time::timeout(PART, work).await {
        Ok(done) => done,
        Err(_) => {
            let mut part = T::default();
            let text = format!("{what} could not be examined within {} s", PART.as_secs());
            part.findings().push(unreachable(area, &text));
            part
        }
    }
}

async fn version(subject: &Subject<'_>) -> Result<crate::terraform::version::Version, String> {
    match &subject.terraform {
        Ok(program) => program::version(program, &subject.directory.canonical).await,
        Err(why) => Err(why.clone()),
    }
}

/// The credentials that Terraform will find, where anything speaks of AWS.
async fn childs(subject: &Subject<'_>) -> Option<Outlook> {
    let ask = subject.directory.s3.is_some() || subject.demands.asks();
    let outlook = tokio::time::timeout(PART, Outlook::find(subject.env, ask)).await.ok()?;
    (ask || outlook.source != Source::Elsewhere).then_some(outlook)
}

/// Everything about the store, and the locks in it.
async fn of_store(subject: &Subject<'_>) -> Part {
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

impl Part {
    /// Tells of a record that could not be read, if nothing else does.
    fn blame(&mut self, error: &StoreError) {
        let told = match error {
            StoreError::BadRecord { .. } => true,
            StoreError::Unavailable { .. } => {
                self.findings.iter().any(|finding| finding.id == "store-reachable")
            }
            StoreError::Credentials { .. } => {
                let denied = |tried: &Try| matches!(tried.outcome, permissions::Outcome::Denied(_));
                self.keys.as_ref().is_some_and(|keys| keys.expiry.is_err()) || self.tries.iter().any(denied)
            }
            StoreError::Misconfigured { .. } => self.findings.iter().any(|finding| {
                finding.severity == Severity::Error && matches!(finding.area, Area::Store | Area::Bucket)
            }),
        };
        if told {
            return;
        }
        match (error, &mut self.keys) {
            (StoreError::Credentials { .. }, Some(keys)) => keys.expiry = Err(error.clone()),
            _ => self.findings.push(unreachable(Area::Store, &error.to_string())),
        }
    }

    /// A store that could not even be asked.
    fn without(error: StoreError, source: String, fixed: bool) -> Self {
        let mut part = Self::default();
        match error {
            StoreError::Credentials { .. } => {
                part.keys = Some(credentials::Keys { source, expiry: Err(error), fixed });
            }
            error => part.findings.push(unreachable(Area::Store, &error.to_string())),
        }
        part
    }
}

fn unreachable(area: Area, what: &str) -> Finding {
    let id = if area == Area::Store { "store-reachable" } else { "state-reachable" };
    let why = if area == Area::Store {
        "no run can take its lock; it gives up after a minute, with 69"
    } else {
        "Terraform will not reach its state either"
    };
    Finding::error(id, area, what).why(why).cure(
        "check region, endpoint, network and proxy: aws sts get-caller-identity shows whether AWS answers",
    )
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
    let expiry = match rejected {
        Some(error) => Err(error),
        None => Ok(client.expiry().await),
    };
    Part {
        findings,
        time: client.server_time(),
        keys: Some(credentials::Keys { source, expiry, fixed }),
        tries: asked.tries,
        ..Part::default()
    }
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
    let expiry = match rejected {
        Some(error) => Err(error),
        None => Ok(client.expiry().await),
    };
    Part {
        findings,
        time: client.server_time(),
        keys: Some(credentials::Keys { source, expiry, fixed }),
        tries: asked.tries,
        ..Part::default()
    }
}

fn judged(client: &S3Client, name: &str, bucket: &Bucket, state: bool) -> Vec<Finding> {
    bucket::check(bucket::Case { name, region: client.region(), endpoint: client.endpoint(), bucket, state })
}

async fn of_folder(dir: &Path, ci: bool) -> Part {
    let dir = dir.to_owned();
    let looked = tokio::task::spawn_blocking(move || local::look(&dir)).await;
    let findings = looked.map(|folder| folder::check(&folder, ci)).unwrap_or_default();
    Part { findings, ..Part::default() }
}

/// What was found out about the state.
#[derive(Default)]
struct OfState {
    part: Part,
    found: Option<Found>,
}

struct Found {
    path: String,
    locks: Vec<StateLock>,
    digest: Option<state::Digest>,
    table: Option<(String, String, Option<String>)>,
}

/// Everything about the state in an `s3` backend: its bucket, its lock, its digest.
async fn of_state(place: Option<&StatePlace>) -> OfState {
    let Some(place) = place else { return OfState::default() };
    let path = place.path();
    let (objects, items) = tokio::join!(Box::pin(state_objects(place)), Box::pin(state_items(place, &path)));
    let mut state = OfState::default();
    let mut locks = Vec::new();
    let mut object = None;
    let mut reached = false;
    match objects {
        Ok((asked, findings, time)) => {
            reached = asked.bucket.region.fault().is_none();
            state.part.findings.extend(findings);
            state.part.time = time;
            state.part.tries.extend(asked.tries);
            locks.extend(asked.lock);
            object = asked.object;
        }
        Err(error) => state.part.findings.push(unreachable(Area::Bucket, &error.to_string())),
    }
    let mut digest = None;
    let mut table = None;
    match items {
        Some(Ok(asked)) => {
            state.part.findings.extend(asked.findings);
            state.part.time = state.part.time.or(asked.time);
            state.part.tries.extend(asked.items.tries);
            locks.extend(asked.items.lock);
            digest = asked.items.digest.zip(object).map(|(expected, object)| state::Digest {
                expected,
                actual: object.md5,
                written: object.written,
            });
            table = Some(asked.table);
        }
        Some(Err(error)) => state.part.findings.push(unreachable(Area::State, &error.to_string())),
        None => {}
    }
    state.found = (reached || table.is_some()).then_some(Found { path, locks, digest, table });
    state
}

async fn state_objects(place: &StatePlace) -> StoreResult<(s3::Asked, Vec<Finding>, Option<ServerTime>)> {
    let client = S3Client::connect(&place.objects).await?;
    let asked = s3::state_bucket(&client, place).await;
    let mut findings = judged(&client, &place.objects.bucket, &asked.bucket, true);
    if let Some(Fault::Failed(error)) = asked.bucket.region.fault() {
        findings.push(unreachable(Area::Bucket, &error.to_string()));
    }
    Ok((asked, findings, client.server_time()))
}

/// What came of looking at the table of Terraform's own lock.
struct Items {
    items: dynamo::StateItems,
    findings: Vec<Finding>,
    time: Option<ServerTime>,
    table: (String, String, Option<String>),
}

async fn state_items(place: &StatePlace, path: &str) -> Option<StoreResult<Items>> {
    let DynamoConfig { table, access } = place.items.as_ref()?;
    let client = match DynamoClient::connect(access, &format!("table \"{table}\"")).await {
        Ok(client) => client,
        Err(error) => return Some(Err(error)),
    };
    let (facts, items) = tokio::join!(Table::read(&client, table), dynamo::state_table(&client, table, path));
    let findings = table::check_terraforms(table::Case {
        name: table,
        region: client.region(),
        endpoint: client.endpoint(),
        table: &facts,
        backend_region: None,
    });
    let place = (table.to_owned(), client.region().to_owned(), client.endpoint().map(str::to_owned));
    Some(Ok(Items { items, findings, time: client.server_time(), table: place }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_stops_several_parts_is_told_once() {
        let none = |id, area| Finding::error(id, area, "no AWS credentials were found");
        let fine = || Finding::ok("a", Area::Store, "fine");
        let findings = vec![fine(), none("credentials", Area::Credentials), none("b", Area::State), fine()];
        let ids: Vec<_> = told_once(findings).iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["a", "credentials", "a"]);
    }
}
