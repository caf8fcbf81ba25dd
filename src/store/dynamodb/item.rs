//! A lock record as a DynamoDB item: one native attribute for each field, so that people can read
//! it in the console, and `LockID` beside them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde_json::{Number, Value};

use crate::lease::{LockName, PastRun, Record, RecordError};

/// The item's partition key, the one that Terraform's S3 backend uses.
pub(super) const KEY: &str = "LockID";

/// An item as the SDK passes it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The key of the record of `name`.
pub(super) fn key(name: &LockName) -> AttributeValue {
    AttributeValue::S(name.key())
}

/// The whole item of `record`.
///
/// # Errors
/// [`RecordError`] if the record does not serialize to an object, which none does.
pub(crate) fn to_item(name: &LockName, record: &Record) -> Result<Item, RecordError> {
    keyed(name.key(), record)
}

/// The whole item of a run that is over.
///
/// # Errors
/// [`RecordError`] as [`to_item`].
pub(crate) fn to_run_item(name: &LockName, past: &PastRun) -> Result<Item, RecordError> {
    keyed(name.run_key(past.run), past)
}

fn keyed(key: String, content: &impl Serialize) -> Result<Item, RecordError> {
    let value = serde_json::to_value(content).map_err(|error| RecordError::Rubbish(error.to_string()))?;
    let Value::Object(fields) = value else {
        return Err(RecordError::Rubbish("a record must be an object".into()));
    };
    let mut item: Item = fields.into_iter().map(|(field, value)| (field, to_attribute(value))).collect();
    item.insert(KEY.to_owned(), AttributeValue::S(key));
    Ok(item)
}

/// The record in `item`.
///
/// # Errors
/// [`RecordError`], naming what is wrong with it.
pub(crate) fn from_item(item: Item) -> Result<Record, RecordError> {
    content(item).and_then(Record::from_json)
}

/// The run in `item`.
///
/// # Errors
/// [`RecordError`], naming what is wrong with it.
pub(crate) fn from_run_item(item: Item) -> Result<PastRun, RecordError> {
    content(item).and_then(PastRun::from_json)
}

fn content(item: Item) -> Result<Value, RecordError> {
    let fields: Result<_, _> = item
        .into_iter()
        .map(|(field, value)| from_attribute(&field, value).map(|value| (field, value)))
        .collect();
    fields.map(Value::Object)
}

pub(crate) fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(bool) => AttributeValue::Bool(bool),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(list) => AttributeValue::L(list.into_iter().map(to_attribute).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
        }
    }
}

fn from_attribute(field: &str, value: AttributeValue) -> Result<Value, RecordError> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(bool) => Value::Bool(bool),
        AttributeValue::N(digits) => Value::Number(
            digits
                .parse::<Number>()
                .map_err(|_| RecordError::Rubbish(format!("{field:?} holds the number {digits:?}")))?,
        ),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => Value::Array(
            list.into_iter().map(|value| from_attribute(field, value)).collect::<Result<_, _>>()?,
        ),
        AttributeValue::M(map) => Value::Object(
            map.into_iter()
                .map(|(name, value)| from_attribute(&name, value).map(|value| (name, value)))
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err(RecordError::Rubbish(format!("{field:?} is of a type that no record holds"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_value_comes_back_as_it_went(value in json()) {
            prop_assert_eq!(from_attribute("field", to_attribute(value.clone())), Ok(value));
        }
    }

    #[test]
    fn fields_are_native_attributes_and_the_ttl_is_in_seconds() {
        let name = LockName::new("prod").unwrap();
        let mut record = Record::new(jiff::Timestamp::from_second(1_800_000_000).unwrap());
        record.stamp = "s/1/1".into();
        let item = to_item(&name, &record).unwrap();
        assert_eq!(item["LockID"], AttributeValue::S("tfguard:prod".into()));
        assert_eq!(item["stamp"], AttributeValue::S("s/1/1".into()));
        assert_eq!(item["schema"], AttributeValue::N("1".into()));
        assert_eq!(item["holders"], AttributeValue::L(vec![]));
        assert_eq!(item["expires_at"], AttributeValue::N("1802592000".into()));
        assert_eq!(from_item(item), Ok(record));
    }

    #[test]
    fn an_attribute_of_a_foreign_type_is_named() {
        let mut item =
            to_item(&LockName::new("x").unwrap(), &Record::new(jiff::Timestamp::UNIX_EPOCH)).unwrap();
        item.insert("stamp".into(), AttributeValue::B(Blob::new("x")));
        let error = from_item(item).unwrap_err();
        assert!(matches!(&error, RecordError::Rubbish(text) if text.contains("\"stamp\"")), "{error}");
    }
}
