//! `docs/events.md`, from the schema of the events.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::events::{each, examples};

const HEAD: &str = r#"<!-- Made from the types in src/report/line.rs and their comments; see src/schema/mod.rs. -->
# Events
With `--log-format json` stdout is NDJSON, one JSON object a line, in the envelope of Terraform's own machine-readable
output. `--log-file FILE` takes the same lines, whatever the format on stdout is: info and above, and everything with
`-v`; what the command says is not in it.

- `@module` is `tfguard` in every line of ours. All other lines are Terraform's own
  ([its documentation](https://developer.hashicorp.com/terraform/internals/machine-readable-ui)), which pass unchanged.
- A program tells events apart by `type`. `@message` is for people and may change.
- Fields, types of events and words in a field are added, never changed or taken away without a line in the
  [changelog](../CHANGELOG.md): ignore what you do not know. [schema/events.json](schema/events.json) is the JSON Schema.
- A field that is there is always there, also as `null`, unless its row says otherwise. Times are RFC 3339 in UTC,
  lengths of time are whole milliseconds (`…_ms`).
- Text that others wrote (names, links, commands from a lock's record) is escaped: no control characters are in it.

Every line has these fields:

"#;

/// The whole page.
pub(super) fn text(schema: &Value) -> String {
    let mut page = HEAD.to_owned();
    let (_, first) = each(schema).next().unwrap();
    let of_envelope = |name: &str| name.starts_with('@') || name == "type";
    fields(&mut page, first, of_envelope);
    page.push_str("\n| type | level | when |\n|---|---|---|\n");
    let examples = examples();
    for (name, event) in each(schema) {
        let mut levels: Vec<&str> = examples
            .iter()
            .filter(|example| example["type"] == name)
            .filter_map(|example| example["@level"].as_str())
            .collect();
        levels.dedup();
        let level = if name == "diagnostic" { "any".into() } else { levels.join(", ") };
        let when = event["description"].as_str().unwrap();
        writeln!(page, "| [`{name}`](#{name}) | {level} | {when} |").unwrap();
    }
    for (name, event) in each(schema) {
        let of_it = examples.iter().filter(|example| example["type"] == name);
        let example = of_it.max_by_key(|example| example.as_object().map(Map::len)).unwrap();
        writeln!(page, "\n## {name}\n{}\n", event["description"].as_str().unwrap()).unwrap();
        fields(&mut page, event, |name| !of_envelope(name));
        // The tests' clock stands shortly after the epoch.
        let example = example.to_string().replace("1970-01-01T", "2026-01-05T");
        writeln!(page, "\n```json\n{example}\n```").unwrap();
    }
    let events: Vec<&str> = each(schema).map(|(name, _)| name).collect();
    page.push_str("\n# Objects in them\n");
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if definition.get("properties").is_some() && !events.contains(&name.as_str()) {
            writeln!(page, "\n## {name}\n{}\n", definition["description"].as_str().unwrap()).unwrap();
            fields(&mut page, definition, |_| true);
        }
    }
    page.push_str("\n# Words in them\n");
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if let Some(words) = definition["oneOf"].as_array().filter(|words| words.len() > 1) {
            writeln!(page, "\n## {name}\n{}\n", definition["description"].as_str().unwrap()).unwrap();
            page.push_str("| word | meaning |\n|---|---|\n");
            for word in words {
                let (word, meaning) = (word["const"].as_str().unwrap(), word["description"].as_str());
                writeln!(page, "| `{word}` | {} |", meaning.unwrap_or_default()).unwrap();
            }
        }
    }
    page
}

fn fields(page: &mut String, object: &Value, shown: impl Fn(&str) -> bool) {
    page.push_str("| field | type | meaning |\n|---|---|---|\n");
    for (name, property) in object["properties"].as_object().unwrap() {
        if shown(name) {
            let meaning = property["description"].as_str().unwrap_or_default();
            writeln!(page, "| `{name}` | {} | {} |", kind(property), meaning.replace('|', "\\|")).unwrap();
        }
    }
}

/// The type of a field in a few words.
fn kind(property: &Value) -> String {
    let fields = property.as_object().cloned().unwrap_or_default();
    if let Some(name) = named(&fields) {
        return match name {
            "LockName" => "string".into(),
            "Module" => "`tfguard`".into(),
            name => format!("[{name}](#{})", name.to_lowercase()),
        };
    }
    if fields.get("format").is_some_and(|format| format == "date-time") {
        return or_null("time", &fields);
    }
    if let Some(of) = fields.get("anyOf").and_then(Value::as_array) {
        return of.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(items) = fields.get("items") {
        return format!("list of {}", kind(items));
    }
    match fields.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".into(),
    }
}

fn named(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

fn or_null(what: &str, fields: &Map<String, Value>) -> String {
    if fields["type"].is_array() { format!("{what} or null") } else { what.to_owned() }
}
