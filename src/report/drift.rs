//! What has drifted, for people and as JSON. Everything in it comes from a plan and is escaped.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

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

/// What has drifted, as it is written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fields<'a> {
    /// Whether anything has.
    drifted: bool,
    /// Resources that are not what the state says.
    resources: Vec<DriftedResource<'a>>,
    /// Outputs whose values follow from something that has changed.
    outputs: Vec<DriftedOutput<'a>>,
}

/// A resource that is not what the state says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DriftedResource<'a> {
    /// Its address.
    address: Cow<'a, str>,
    /// What became of it.
    action: Action,
    /// What differs; empty where it is gone or new.
    changes: Vec<Differs<'a>>,
}

/// An output whose value follows from something that has changed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DriftedOutput<'a> {
    /// Its name.
    name: Cow<'a, str>,
    /// What became of it.
    action: Action,
    /// What differs.
    changes: Vec<Differs<'a>>,
}

/// An attribute that differs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Differs<'a> {
    /// Where it is, such as `tags.Name`; empty for the value itself.
    path: Cow<'a, str>,
    /// What the state says; null where there is none, or it is sensitive, long or not known yet.
    before: Option<&'a Value>,
    /// What there is; null as `before` is.
    after: Option<&'a Value>,
    /// One of the two is sensitive, and neither is shown.
    sensitive: bool,
}

impl<'a> Fields<'a> {
    /// `None`: nothing has drifted.
    pub fn new(drift: Option<&'a Drift>) -> Self {
        let (resources, outputs) =
            drift.map_or((&[][..], &[][..]), |drift| (&drift.resources[..], &drift.outputs[..]));
        let differs = |drifted: &'a Drifted| drifted.changes.iter().map(Differs::new).collect();
        Self {
            drifted: drift.is_some(),
            resources: resources
                .iter()
                .map(|drifted| DriftedResource {
                    address: escape::line(&drifted.address),
                    action: drifted.action,
                    changes: differs(drifted),
                })
                .collect(),
            outputs: outputs
                .iter()
                .map(|drifted| DriftedOutput {
                    name: escape::line(&drifted.address),
                    action: drifted.action,
                    changes: differs(drifted),
                })
                .collect(),
        }
    }
}

impl<'a> Differs<'a> {
    fn new(change: &'a Change) -> Self {
        let value = |shown: &'a Shown| match shown {
            Shown::Value(value) => Some(value),
            _ => None,
        };
        Self {
            path: escape::line(&change.path),
            before: value(&change.before),
            after: value(&change.after),
            sensitive: [&change.before, &change.after].contains(&&Shown::Sensitive),
        }
    }
}

/// What `tfguard drift --json` found.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// The locks of the run.
    locks: Vec<&'a LockName>,
    /// What has drifted.
    #[serde(flatten)]
    fields: Fields<'a>,
}

/// One JSON document on one line, with its newline.
pub fn document<'a>(locks: impl Iterator<Item = &'a LockName>, drift: Option<&'a Drift>) -> Vec<u8> {
    ndjson::document(&Document { locks: locks.collect(), fields: Fields::new(drift) })
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
    use serde_json::json;

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
        let drift = drift();
        let fields = |drift| serde_json::to_value(Fields::new(drift)).unwrap();
        let none = fields(None);
        let fields = fields(Some(&drift));
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
        assert_eq!(none, json!({ "drifted": false, "resources": [], "outputs": [] }));
    }
}
