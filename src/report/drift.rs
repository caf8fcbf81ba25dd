//! What has drifted, for people and as JSON. Everything in it comes from a plan and is escaped.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::json as ndjson;
use crate::escape;
use crate::lease::LockName;
use crate::terraform::drift::{Action, Change, Drift, Drifted, Shown};

/// Characters of a value that people are shown.
const VALUE: usize = 80;

/// What people are told, each line with its end.
pub fn text(drift: Option<&Drift>) -> String {
    match drift {
        None => "no drift\n".to_owned(),
        Some(drift) => lines(drift).join("\n") + "\n",
    }
}

/// Lines for people, without their ends.
fn lines(drift: &Drift) -> Vec<String> {
    let mut lines = vec![summary(drift)];
    for resource in &drift.resources {
        lines.push(format!("{} {}", mark(resource.action), named(resource)));
        lines.extend(resource.changes.iter().map(|change| format!("    {}", shown(change))));
    }
    for output in &drift.outputs {
        let change = output.changes.first().map_or(String::new(), |change| format!(": {}", shown(change)));
        lines.push(format!("{} output {}{change}", mark(output.action), escape::field(&output.address)));
    }
    lines
}

/// One sentence.
pub fn summary(drift: &Drift) -> String {
    let count = |number: usize, what: &str| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{number} {what}s")),
    };
    let parts: Vec<String> = [count(drift.resources.len(), "resource"), count(drift.outputs.len(), "output")]
        .into_iter()
        .flatten()
        .collect();
    match (parts.len(), drift.resources.len() + drift.outputs.len()) {
        (0, _) => {
            "drift: the state differs from what is there, and this Terraform does not tell in what".to_owned()
        }
        (_, 1) => format!("drift: {} differs from the state", parts.join(" and ")),
        _ => format!("drift: {} differ from the state", parts.join(" and ")),
    }
}

/// `drifted`, `resources[]` (`address`, `action`, `changes[]`: `path`, `before`, `after`, `sensitive`)
/// and `outputs[]` (`name` in place of `address`). A value that is not shown is `null`.
pub fn fields(drift: Option<&Drift>) -> Value {
    let of = |key: &str, list: &[Drifted]| -> Vec<Value> {
        list.iter()
            .map(|drifted| {
                json!({
                    key: escape::line(&drifted.address),
                    "action": drifted.action.as_str(),
                    "changes": drifted.changes.iter().map(change_json).collect::<Vec<_>>(),
                })
            })
            .collect()
    };
    json!({
        "drifted": drift.is_some(),
        "resources": drift.map_or(Vec::new(), |drift| of("address", &drift.resources)),
        "outputs": drift.map_or(Vec::new(), |drift| of("name", &drift.outputs)),
    })
}

/// One JSON document on one line, with its newline.
pub fn document<'a>(locks: impl Iterator<Item = &'a LockName>, drift: Option<&Drift>) -> Vec<u8> {
    let mut document = fields(drift);
    document["locks"] = locks.map(|lock| json!(lock)).collect();
    let mut line = ndjson::to_bytes(&document);
    line.push(b'\n');
    line
}

fn change_json(change: &Change) -> Value {
    let value = |shown: &Shown| match shown {
        Shown::Value(value) => value.clone(),
        _ => Value::Null,
    };
    let sensitive = [&change.before, &change.after].contains(&&Shown::Sensitive);
    json!({
        "path": escape::line(&change.path),
        "before": value(&change.before),
        "after": value(&change.after),
        "sensitive": sensitive,
    })
}

fn mark(action: Action) -> char {
    match action {
        Action::Updated => '~',
        Action::Deleted => '-',
        Action::Created => '+',
    }
}

fn named(resource: &Drifted) -> String {
    let address = escape::line(&resource.address);
    match resource.action {
        Action::Updated => address.into_owned(),
        Action::Deleted => format!("{address} (gone)"),
        Action::Created => format!("{address} (new)"),
    }
}

fn shown(change: &Change) -> String {
    let values = match (&change.before, &change.after) {
        (Shown::Sensitive, _) | (_, Shown::Sensitive) => "(sensitive)".to_owned(),
        (before, after) => format!("{} → {}", value(before), value(after)),
    };
    match change.path.is_empty() {
        true => values,
        false => format!("{}: {values}", escape::field(&change.path)),
    }
}

fn value(shown: &Shown) -> Cow<'_, str> {
    match shown {
        Shown::Absent => "(none)".into(),
        Shown::Sensitive => "(sensitive)".into(),
        Shown::Large => "(large)".into(),
        Shown::Unknown => "(not known yet)".into(),
        Shown::Value(value) => escape::bounded(&value.to_string(), VALUE).into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Shown, after: Shown) -> Change {
        Change { path: path.into(), before, after }
    }

    fn drift() -> Drift {
        let resource = |address: &str, action, changes| Drifted { address: address.into(), action, changes };
        Drift {
            resources: vec![
                resource(
                    "aws_instance.web",
                    Action::Updated,
                    vec![
                        change("size", Shown::Value(json!("s")), Shown::Value(json!("l"))),
                        change("password", Shown::Sensitive, Shown::Absent),
                        change("tags.x", Shown::Absent, Shown::Large),
                    ],
                ),
                resource("aws_instance.old", Action::Deleted, vec![]),
            ],
            outputs: vec![resource(
                "url",
                Action::Updated,
                vec![change("", Shown::Value(json!("a\n::error::b")), Shown::Unknown)],
            )],
        }
    }

    #[test]
    fn people_see_what_differs_and_no_secret() {
        assert_eq!(
            lines(&drift()),
            [
                "drift: 2 resources and 1 output differ from the state",
                "~ aws_instance.web",
                "    size: \"s\" → \"l\"",
                "    password: (sensitive)",
                "    tags.x: (none) → (large)",
                "- aws_instance.old (gone)",
                "~ output url: \"a\\n::error::b\" → (not known yet)",
            ]
        );
        assert!(summary(&Drift::default()).contains("does not tell"));
    }

    #[test]
    fn the_document_says_the_same() {
        let fields = fields(Some(&drift()));
        assert_eq!(fields["drifted"], true);
        assert_eq!(
            fields["resources"][0]["changes"][1],
            json!({ "path": "password", "before": null, "after": null, "sensitive": true })
        );
        assert_eq!(
            fields["resources"][1],
            json!({ "address": "aws_instance.old", "action": "deleted", "changes": [] })
        );
        assert_eq!(fields["outputs"][0]["name"], "url");
        assert_eq!(super::fields(None), json!({ "drifted": false, "resources": [], "outputs": [] }));
    }
}
