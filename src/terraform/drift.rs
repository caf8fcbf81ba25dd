//! What a refresh-only plan shows: what has changed outside Terraform. Pure.
//!
//! Read from `terraform show -json`, which holds every value in the clear. A value leaves this
//! module only where the plan's own masks say that it is not sensitive; where a mask is missing
//! there is nothing that says so.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value whose JSON is longer is not shown.
const LARGEST: usize = 1024;

/// All that has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Resources, in the plan's order.
    pub resources: Vec<Drifted>,
    /// Outputs, whose values follow from something that has changed.
    pub outputs: Vec<Drifted>,
}

impl Drift {
    /// Whether nothing has.
    pub fn is_none(&self) -> bool {
        self.resources.is_empty() && self.outputs.is_empty()
    }
}

/// A resource or an output that is not what the state says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// Its address, or the output's name. Text from the plan: escape it before showing it.
    pub address: String,
    /// What became of it.
    pub action: Action,
    /// What differs; empty where it is gone or new.
    pub changes: Vec<Change>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is there and differs.
    Updated,
    /// It is gone.
    Deleted,
    /// It was not there.
    Created,
}

impl Action {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Created => "created",
        }
    }
}

/// One attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is, such as `tags.Name` or `root_block_device[0].size`; empty for the value itself.
    pub path: String,
    /// What the state says.
    pub before: Shown,
    /// What there is.
    pub after: Shown,
}

/// A value, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// There is none.
    Absent,
    /// This.
    Value(Value),
    /// Never shown.
    Sensitive,
    /// Too large to be shown.
    Large,
    /// Known only after an apply.
    Unknown,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    resource_drift: Vec<Resource>,
    #[serde(default)]
    output_changes: std::collections::BTreeMap<String, Parts>,
}

#[derive(Deserialize)]
struct Resource {
    address: String,
    change: Parts,
}

#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    after_unknown: Value,
    #[serde(default = "masked")]
    before_sensitive: Value,
    #[serde(default = "masked")]
    after_sensitive: Value,
}

fn masked() -> Value {
    Value::Bool(true)
}

/// Reads the document of `terraform show -json` of a refresh-only plan.
///
/// # Errors
/// It is no such document.
pub fn read(document: &[u8]) -> io::Result<Drift> {
    let plan: Plan = serde_json::from_slice(document)?;
    let resources = plan.resource_drift.into_iter().map(|resource| (resource.address, resource.change));
    Ok(Drift {
        resources: resources.filter_map(|(address, parts)| drifted(address, &parts)).collect(),
        outputs: plan.output_changes.into_iter().filter_map(|(name, parts)| drifted(name, &parts)).collect(),
    })
}

/// `None` where nothing differs: a resource that has only moved is listed too.
fn drifted(address: String, parts: &Parts) -> Option<Drifted> {
    let is = |name: &str| parts.actions.iter().any(|action| action == name);
    let action = match () {
        () if is("update") || (is("delete") && is("create")) => Action::Updated,
        () if is("delete") => Action::Deleted,
        () if is("create") => Action::Created,
        () => return None,
    };
    let mut changes = Vec::new();
    if action == Action::Updated {
        let (before, after) = (Some(&parts.before), Some(&parts.after));
        let masks = (&parts.before_sensitive, &parts.after_sensitive);
        compare(String::new(), before, after, masks, &parts.after_unknown, &mut changes);
    }
    Some(Drifted { address, action, changes })
}

/// Goes down to what differs. A mask that is `true` hides all below it.
fn compare(
    path: String,
    before: Option<&Value>,
    after: Option<&Value>,
    masks: (&Value, &Value),
    unknown: &Value,
    changes: &mut Vec<Change>,
) {
    if before == after && !is_true(unknown) {
        return;
    }
    let hidden = is_true(masks.0) || is_true(masks.1);
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !hidden => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let masks = (&masks.0[name.as_str()], &masks.1[name.as_str()]);
                compare(below, old.get(name), new.get(name), masks, &unknown[name.as_str()], changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if !hidden && old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                let masks = (&masks.0[index], &masks.1[index]);
                compare(format!("{path}[{index}]"), Some(old), Some(new), masks, &unknown[index], changes);
            }
        }
        _ => {
            let hidden = holds_true(masks.0) || holds_true(masks.1);
            let after = if holds_true(unknown) && !hidden { Shown::Unknown } else { shown(after, hidden) };
            changes.push(Change { path, before: shown(before, hidden), after });
        }
    }
}

fn shown(value: Option<&Value>, hidden: bool) -> Shown {
    match value {
        None | Some(Value::Null) => Shown::Absent,
        Some(_) if hidden => Shown::Sensitive,
        Some(value) if value.to_string().len() > LARGEST => Shown::Large,
        Some(value) => Shown::Value(value.clone()),
    }
}

fn is_true(mask: &Value) -> bool {
    mask == &Value::Bool(true)
}

/// Whether anything in it is masked.
fn holds_true(mask: &Value) -> bool {
    match mask {
        Value::Bool(masked) => *masked,
        Value::Array(list) => list.iter().any(holds_true),
        Value::Object(fields) => fields.values().any(holds_true),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes(change: Value) -> Vec<(String, Shown, Shown)> {
        let document = json!({ "resource_drift": [{ "address": "a.b", "change": change }] });
        let drift = read(document.to_string().as_bytes()).unwrap();
        let resource = drift.resources.into_iter().next();
        let changes = resource.map(|resource| resource.changes).unwrap_or_default();
        changes.into_iter().map(|change| (change.path, change.before, change.after)).collect()
    }

    fn value(value: Value) -> Shown {
        Shown::Value(value)
    }

    #[test]
    fn what_differs_is_found_where_it_is() {
        let found = changes(json!({
            "actions": ["update"],
            "before": { "id": "i", "size": 8, "tags": { "a": "1", "b": "2" }, "disks": [{ "gb": 1 }, { "gb": 2 }], "ips": ["x"] },
            "after": { "id": "i", "size": 9, "tags": { "a": "1", "c": "3" }, "disks": [{ "gb": 1 }, { "gb": 3 }], "ips": ["x", "y"] },
            "after_unknown": {}, "before_sensitive": {}, "after_sensitive": {},
        }));
        assert_eq!(
            found,
            [
                ("disks[1].gb".into(), value(json!(2)), value(json!(3))),
                ("ips".into(), value(json!(["x"])), value(json!(["x", "y"]))),
                ("size".into(), value(json!(8)), value(json!(9))),
                ("tags.b".into(), value(json!("2")), Shown::Absent),
                ("tags.c".into(), Shown::Absent, value(json!("3"))),
            ]
        );
    }

    #[test]
    fn what_is_sensitive_is_never_shown() {
        let secret = "hunter2";
        for (before_sensitive, after_sensitive) in [
            (json!({ "pw": true }), json!({ "pw": true })),
            (json!({ "pw": true }), json!({})),
            (json!({}), json!({ "pw": true })),
            (json!(true), json!(false)),
        ] {
            let found = changes(json!({
                "actions": ["update"],
                "before": { "pw": secret }, "after": { "pw": "hunter3" },
                "before_sensitive": before_sensitive, "after_sensitive": after_sensitive,
            }));
            assert!(!found.is_empty() && !format!("{found:?}").contains("hunter"), "{found:?}");
        }
        // Deep inside of what is shown whole.
        let found = changes(json!({
            "actions": ["update"],
            "before": { "users": [{ "name": "a", "pw": secret }] }, "after": { "users": [] },
            "before_sensitive": { "users": [{ "pw": true }] }, "after_sensitive": { "users": [] },
        }));
        assert_eq!(found, [("users".into(), Shown::Sensitive, Shown::Sensitive)]);
        // Without a mask nothing says that it may be shown.
        let found =
            changes(json!({ "actions": ["update"], "before": { "x": secret }, "after": { "x": "y" } }));
        assert_eq!(found, [(String::new(), Shown::Sensitive, Shown::Sensitive)]);
    }

    #[test]
    fn what_only_moved_is_no_drift() {
        let moved = json!({ "actions": ["no-op"], "before": { "x": 1 }, "after": { "x": 1 } });
        let document =
            json!({ "resource_drift": [{ "address": "a.b", "previous_address": "a.a", "change": moved }] });
        assert!(read(document.to_string().as_bytes()).unwrap().is_none());
        assert!(read(b"{}").unwrap().is_none());
        assert!(read(b"Error: no plan").is_err());
    }

    #[test]
    fn outputs_and_the_gone_are_told() {
        let document = json!({
            "resource_drift": [{ "address": "a.gone", "change": { "actions": ["delete"], "before": { "x": 1 }, "after": null } }],
            "output_changes": {
                "url": { "actions": ["update"], "before": "a", "after": "b", "before_sensitive": false, "after_sensitive": false },
                "key": { "actions": ["update"], "before": "s", "after": "t", "before_sensitive": true, "after_sensitive": true },
                "same": { "actions": ["no-op"], "before": "a", "after": "a", "before_sensitive": false, "after_sensitive": false },
                "big": { "actions": ["update"], "before": "a", "after": "b".repeat(2000), "before_sensitive": false, "after_sensitive": false },
                "later": { "actions": ["update"], "before": "a", "after_unknown": true, "before_sensitive": false, "after_sensitive": false },
            },
        });
        let drift = read(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            drift.resources,
            [Drifted { address: "a.gone".into(), action: Action::Deleted, changes: vec![] }]
        );
        let shown: Vec<_> =
            drift.outputs.iter().map(|output| (output.address.as_str(), &output.changes[0])).collect();
        let change = |before, after| Change { path: String::new(), before, after };
        assert_eq!(
            shown,
            [
                ("big", &change(value(json!("a")), Shown::Large)),
                ("key", &change(Shown::Sensitive, Shown::Sensitive)),
                ("later", &change(value(json!("a")), Shown::Unknown)),
                ("url", &change(value(json!("a")), value(json!("b")))),
            ]
        );
    }
}
