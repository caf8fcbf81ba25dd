//! A lock record as the JSON document that a file or an object holds: the record's fields, and
//! `LockID` beside them, on one line.

use serde_json::Value;

use super::StoreError;
use crate::lease::{LockName, Record, RecordError};

/// The field of the lock's key, as in a DynamoDB item.
pub(super) const KEY: &str = "LockID";

/// The document of `record`.
///
/// # Errors
/// [`RecordError`] if the record does not serialize, which none does.
pub(crate) fn encode(name: &LockName, record: &Record) -> Result<Vec<u8>, RecordError> {
    let rubbish = |error: serde_json::Error| RecordError::Rubbish(error.to_string());
    let mut value = serde_json::to_value(record).map_err(rubbish)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert(KEY.to_owned(), Value::String(name.key()));
    }
    let mut bytes = serde_json::to_vec(&value).map_err(rubbish)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The record in a document.
///
/// # Errors
/// [`RecordError`], naming what is wrong with it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let value = serde_json::from_slice(bytes).map_err(|error| RecordError::Rubbish(error.to_string()))?;
    Record::from_json(value)
}

/// The record of `name` cannot be used.
pub(super) fn bad(name: &LockName, error: RecordError) -> StoreError {
    StoreError::BadRecord { lock: name.as_str().to_owned(), error }
}
