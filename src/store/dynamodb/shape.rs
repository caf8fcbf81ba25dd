//! What is wrong with a table whose key is not the one that lock records need.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, TableDescription};

use super::error::{Target, is_about_key};
use super::item::KEY;
use crate::store::StoreError;
use crate::store::text::plain;

/// The description is a kindness; it may not hold up the error for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Turns the service's complaint about a request into an error that names what is wrong with the
/// table's key, or `None` when nothing is. The table is asked for its key; where that is not allowed
/// the complaint itself has to do.
pub(super) async fn explain(client: &Client, target: &Target, complaint: &str) -> Option<StoreError> {
    let request = client.describe_table().table_name(&target.table).send();
    let description = match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => answer.table,
        _ => None,
    };
    let faults = description.map(|table| faults(&table)).unwrap_or_default();
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
            target.create_command("NAME")
        ),
    })
}

fn faults(table: &TableDescription) -> Vec<String> {
    let mut faults = Vec::new();
    for element in table.key_schema() {
        let name = element.attribute_name();
        let kind = table.attribute_definitions().iter().find(|attribute| attribute.attribute_name() == name);
        if *element.key_type() == KeyType::Range {
            faults.push(format!("has the sort key \"{}\", where none may be", plain(name)));
        } else if name != KEY {
            faults.push(format!("has the partition key \"{}\" instead of \"{KEY}\"", plain(name)));
        } else if let Some(kind) = kind.map(|attribute| attribute.attribute_type())
            && *kind != ScalarAttributeType::S
        {
            let kind = plain(kind.as_str());
            faults.push(format!("has its partition key \"{KEY}\" of type {kind} instead of S (String)"));
        }
    }
    faults
}
