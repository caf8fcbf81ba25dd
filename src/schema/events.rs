//! The schema of the JSON log: one definition for each type of event, whole with its envelope, so
//! that a reader finds all of an event in one place and a validator can name what is wrong.

use serde_json::{Map, Value, json};

use super::of;
use crate::report::line::Line;

/// The schema, in which `oneOf` refers to the definition of each event, named as its `type`.
pub(super) fn schema() -> Value {
    let mut schema = of::<Line<'_>>();
    let envelope = json!({ "properties": schema["properties"], "required": schema["required"] });
    let mut definitions = take(&mut schema["$defs"]);
    let mut events = Vec::new();
    for body in schema["oneOf"].as_array().unwrap().clone() {
        let (name, event) = whole(&envelope, body, &mut definitions);
        events.push(json!({ "$ref": format!("#/$defs/{name}") }));
        definitions.insert(name, event);
    }
    schema["oneOf"] = events.into();
    schema["$defs"] = definitions.into();
    let root = schema.as_object_mut().unwrap();
    root.retain(|key, _| !["properties", "required", "type"].contains(&key.as_str()));
    schema
}

/// The body of an event with the envelope around it, and the event's type.
fn whole(envelope: &Value, mut body: Value, definitions: &mut Map<String, Value>) -> (String, Value) {
    let mut event = envelope.clone();
    // A variant that holds a type of its own refers to it.
    if let Some(name) = body["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        let inner = definitions.remove(name).unwrap();
        join(&mut event, inner);
    }
    event["description"] = body["description"].take();
    event["type"] = "object".into();
    let name = body["properties"]["type"]["const"].as_str().unwrap().to_owned();
    body["properties"]["type"]["description"] = "What happened.".into();
    join(&mut event, body);
    (name, event)
}

/// Adds properties to those of an event.
fn join(event: &mut Value, mut more: Value) {
    event["properties"].as_object_mut().unwrap().extend(take(&mut more["properties"]));
    event["required"].as_array_mut().unwrap().extend(more["required"].as_array().unwrap().clone());
}

fn take(value: &mut Value) -> Map<String, Value> {
    value.as_object_mut().map(std::mem::take).unwrap_or_default()
}

/// The definitions of the events, in the order of the types, by name.
pub(super) fn each(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let names = schema["oneOf"].as_array().unwrap().iter();
    names.map(|reference| {
        let name = reference["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
        (name, &schema["$defs"][name])
    })
}

/// A real line for every type of event, from the code that writes them.
pub(super) fn examples() -> Vec<Value> {
    use crate::report::testing::{at, every_event};
    use crate::report::{JsonOutput, SharedWriter, Stream, json};

    let parse = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
    let mut examples: Vec<Value> =
        every_event().iter().map(|event| parse(&json::line(event, at(90)))).collect();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut output = JsonOutput::new(Stream::Stdout, SharedWriter::new(writer), || at(90));
    crate::child::Sink::chunk(&mut output, b"Initializing the backend...\n");
    drop(output);
    let mut line = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut line).unwrap();
    examples.push(parse(&line));
    examples
}

#[test]
fn every_event_has_an_example_and_every_example_is_valid() {
    let schema = schema();
    let examples = examples();
    for (name, _) in each(&schema) {
        assert!(examples.iter().any(|example| example["type"] == name), "no example of {name}");
    }
    for example in examples {
        let name = example["type"].as_str().unwrap();
        let one = json!({ "$ref": format!("#/$defs/{name}"), "$defs": schema["$defs"] });
        let flaw = jsonschema::validate(&one, &example).err().map(|flaw| flaw.to_string());
        assert_eq!(flaw, None, "{name}: {example}");
    }
}

#[test]
fn a_line_of_output_is_what_its_type_gives() {
    use crate::report::line::{Body, Line, Module};
    use crate::report::parts::Stamp;
    use crate::report::{Level, Stream, testing};

    let text = "Initializing the backend...";
    let line = Line {
        level: Level::Info,
        message: text.into(),
        module: Module::Tfguard,
        timestamp: Stamp(testing::at(90)),
        body: Body::Output { stream: Stream::Stdout, line: text },
    };
    let typed = serde_json::to_value(&line).unwrap();
    assert_eq!(examples().into_iter().find(|example| example["type"] == "output"), Some(typed));
}
