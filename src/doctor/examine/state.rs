//! Everything about the state in an `s3` backend: its bucket, its lock, its digest.

use super::super::ask::{dynamo, s3};
use super::super::finding::{Area, Finding};
use super::super::{state, table};
use super::part::{Late, Part, unreachable};
use super::store::judged;
use crate::inventory::{DynamoClient, Fault, S3Client, ServerTime, Table};
use crate::state_lock::{StateLock, StatePlace};
use crate::store::{DynamoConfig, StoreResult};

/// What was found out about the state.
#[derive(Default)]
pub(super) struct OfState {
    pub(super) part: Part,
    pub(super) found: Option<Found>,
}

pub(super) struct Found {
    pub(super) path: String,
    pub(super) locks: Vec<StateLock>,
    pub(super) digest: Option<state::Digest>,
    pub(super) table: Option<(String, String, Option<String>)>,
}

/// Everything about it; nothing of no state.
pub(super) async fn of_state(place: Option<&StatePlace>) -> OfState {
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

impl Late for OfState {
    fn findings(&mut self) -> &mut Vec<Finding> {
        &mut self.part.findings
    }
}
