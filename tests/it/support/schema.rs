//! What programs read is what `docs/schema/` says, and nothing else: the published schemas, which
//! leave room for fields to come, closed against what they do not name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::Value;

/// Checks a document against `docs/schema/NAME.json`.
#[track_caller]
pub(crate) fn check(name: &str, document: &Value) {
    let validator = validator(name);
    let flaws: Vec<String> =
        validator.iter_errors(document).map(|flaw| format!("{}: {flaw}", flaw.instance_path())).collect();
    assert!(flaws.is_empty(), "this is not what docs/schema/{name}.json says: {document:#}\n{flaws:#?}");
}

/// A published schema as it is.
pub(crate) fn published(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn validator(name: &str) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let validator = made.entry(name.to_owned()).or_insert_with(|| {
        let mut schema = published(name);
        close(&mut schema);
        Arc::new(jsonschema::options().should_validate_formats(true).build(&schema).unwrap())
    });
    Arc::clone(validator)
}

/// Every object that names properties has these only.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
#[should_panic(expected = "'secret' was unexpected")]
fn a_field_that_no_schema_has_is_found() {
    let document = serde_json::json!({ "state": "s3://b/k", "versions": [], "secret": 1 });
    check("state-versions", &document);
}
