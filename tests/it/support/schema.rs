//! What programs read is what `docs/schema/` says, and nothing else: the published schemas, which
//! leave room for fields to come, closed against what they do not name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Checks a document against `docs/schema/NAME.json`; `FILE#DEFINITION` is one definition of it.
#[track_caller]
pub(crate) fn check(name: &str, document: &Value) {
    let validator = validator(name);
    let flaws: Vec<String> =
        validator.iter_errors(document).map(|flaw| format!("{}: {flaw}", flaw.instance_path())).collect();
    assert!(flaws.is_empty(), "this is not what docs/schema/ says of {name}: {document:#}\n{flaws:#?}");
}

/// Checks a line of the log that is ours; Terraform's own are told apart by their `@module`.
#[track_caller]
pub(crate) fn check_line(line: &Value) {
    if line["@module"] != "tfguard" {
        assert!(line["@level"].is_string() && line["@message"].is_string(), "whose line is this? {line}");
        return;
    }
    let kind = line["type"].as_str().unwrap_or_else(|| panic!("a line without a type: {line}"));
    check(&format!("events#{kind}"), line);
}

/// The whole lines of a log, each of them checked.
#[track_caller]
pub(crate) fn log(text: &str) -> Vec<Value> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter().for_each(check_line);
    lines
}

/// The types of the events that there are.
pub(crate) fn event_types() -> Vec<String> {
    let schema = published("events");
    let references = schema["oneOf"].as_array().unwrap().iter();
    references.map(|one| one["$ref"].as_str().unwrap().replace("#/$defs/", "")).collect()
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
        let mut schema = match name.split_once('#') {
            None => published(name),
            // Not the choice of all of them, which would say no more than that none fits.
            Some((file, one)) => {
                json!({ "$ref": format!("#/$defs/{one}"), "$defs": published(file)["$defs"] })
            }
        };
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
    let document = json!({ "state": "s3://b/k", "versions": [], "secret": 1 });
    check("state-versions", &document);
}

#[test]
#[should_panic(expected = "'cause' was unexpected")]
fn a_field_that_no_event_has_is_found() {
    let at = "2026-01-05T00:01:30.000000Z";
    let envelope = json!({
        "@level": "info", "@message": "m", "@module": "tfguard", "@timestamp": at, "type": "lock_released",
        "lock": "prod", "held_ms": 1, "cause": "x",
    });
    check_line(&envelope);
}
