//! What is wrong with a table whose key is not the one that lock records need.

use std::time::Duration;

use aws_sdk_dynamodb::Client;

use super::error::{create_command, is_about_key};
use super::key;
use crate::store::StoreError;
use crate::store::aws::Target;

/// The description is a kindness; it may not hold up the error for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Turns the service's complaint about a request into an error that names what is wrong with the
/// table's key, or `None` when nothing is. The table is asked for its key; where that is not allowed
/// the complaint itself has to do.
pub(super) async fn explain(client: &Client, target: &Target, complaint: &str) -> Option<StoreError> {
    let request = client.describe_table().table_name(&target.name).send();
    let description = match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => answer.table,
        _ => None,
    };
    let faults = description.map(|table| key::faults(&key::parts(&table))).unwrap_or_default();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let what = match faults.as_slice() {
        [] if is_about_key(complaint) => {
            format!("does not take the key LockID, of type String and without a sort key ({complaint})")
        }
        [] => return None,
        faults => faults.join(" and "),
    };
    Some(StoreError::Misconfigured {
        message: format!(
            "{target} {what}; the key of a table cannot be changed: create another with {} and name it with \
             --table",
            create_command(target, "NAME")
        ),
    })
}
