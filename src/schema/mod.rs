//! The JSON Schemas in `docs/schema/`, made from the types that the JSON itself is made from, and
//! `docs/events.md`, made from the schema. This module is a part of the tests only: the program
//! carries no schema.
//!
//! To publish one more document: derive `JsonSchema` for its types (`cfg_attr(test, …)`), write a
//! doc comment on every field, add a line to [`PUBLISHED`], and run the command in [`REWRITE`].

mod events;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Makes the files anew.
const REWRITE: &str = "TFGUARD_REWRITE_SCHEMAS=1 cargo test --lib schema::";

/// A document of ours.
struct Published {
    /// Its file in `docs/schema/`, without `.json`.
    name: &'static str,
    /// What it is.
    title: &'static str,
    schema: fn() -> Value,
}

const PUBLISHED: &[Published] = &[
    Published {
        name: "status",
        title: "tfguard status --json",
        schema: of::<crate::status::document::Printed>,
    },
    Published { name: "events", title: "tfguard --log-format json", schema: events::schema },
    Published {
        name: "drift",
        title: "tfguard drift --json",
        schema: of::<crate::report::drift::Document<'_>>,
    },
    Published { name: "doctor", title: "tfguard doctor --json", schema: of::<crate::doctor::Document<'_>> },
    Published {
        name: "history",
        title: "tfguard history --json",
        schema: of::<crate::cli::history::Answer<'_>>,
    },
    Published {
        name: "state-versions",
        title: "tfguard state versions --json",
        schema: of::<crate::cli::versions::Document<'_>>,
    },
];

/// Said in each of them.
const PROMISE: &str = "Fields and values of enumerations are added, never changed or taken away: a program that \
                       reads this has to ignore what it does not know.";

/// The schema of what `T` becomes when it is written.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    flow(&mut schema);
    schema
}

impl Published {
    fn path(&self) -> PathBuf {
        folder().join(format!("{}.json", self.name))
    }

    /// The whole file.
    fn text(&self) -> String {
        let mut schema = (self.schema)();
        let own = schema["description"].as_str().unwrap_or_default().to_owned();
        schema["title"] = self.title.into();
        schema["description"] = format!("{own} {PROMISE}").trim().into();
        format!("{schema:#}\n")
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// Doc comments break their lines for those who read code; a description has none to break.
fn flow(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    value => flow(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(flow),
        _ => {}
    }
}

/// Compares a file with what it has to be, or writes it.
fn settle(path: &Path, text: &str) {
    #[allow(clippy::disallowed_methods, reason = "a switch of the test itself")]
    if std::env::var_os("TFGUARD_REWRITE_SCHEMAS").is_some() {
        fs::write(path, text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "{} is not what the types give; to write it anew: {REWRITE}", path.display());
}

#[test]
fn the_published_files_are_what_the_types_give() {
    for published in PUBLISHED {
        settle(&published.path(), &published.text());
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut known: Vec<PathBuf> = PUBLISHED.iter().map(Published::path).collect();
    files.sort();
    known.sort();
    assert_eq!(files, known, "a file that nothing is compared with");
}

#[test]
fn the_page_of_events_is_what_the_types_give() {
    settle(&folder().with_file_name("events.md"), &page::text(&events::schema()));
}

#[test]
fn each_is_a_valid_schema() {
    for published in PUBLISHED {
        let schema: Value = serde_json::from_str(&published.text()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
    }
}

#[test]
fn every_field_is_described() {
    for published in PUBLISHED {
        let schema: Value = serde_json::from_str(&published.text()).unwrap();
        let mut bare = Vec::new();
        undescribed(&schema, &schema, "", &mut bare);
        assert!(bare.is_empty(), "{}: no doc comment at {bare:?}", published.name);
    }
}

/// Collects the properties that neither have a description nor refer to something that has.
fn undescribed(root: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let none = Map::new();
            let properties = fields.get("properties").and_then(Value::as_object).unwrap_or(&none);
            for (name, property) in properties {
                if !is_described(root, property) {
                    found.push(format!("{place}.{name}"));
                }
            }
            for (key, value) in fields {
                undescribed(root, value, &format!("{place}.{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| undescribed(root, item, place, found)),
        _ => {}
    }
}

fn is_described(root: &Value, property: &Value) -> bool {
    let referred = || property["$ref"].as_str()?.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
    // A tag says what it is by its value.
    property.get("description").is_some()
        || property.get("const").is_some()
        || referred().is_some_and(|referred| is_described(root, referred))
}

#[test]
fn a_field_without_a_doc_comment_is_found() {
    let schema = json!({
        "properties": { "a": { "type": "string" }, "b": { "$ref": "#/$defs/B" } },
        "$defs": { "B": { "description": "fine", "properties": { "c": {} } } },
    });
    let mut bare = Vec::new();
    undescribed(&schema, &schema, "", &mut bare);
    assert_eq!(bare, [".a", ".$defs.B.c"]);
}
