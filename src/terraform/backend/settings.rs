//! A backend's settings, each with where it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The value of one setting.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value; `None`: an expression that only Terraform can evaluate.
    pub value: Option<Value>,
    /// Where it stands, for people: `main.tf:3`.
    pub origin: String,
}

/// Settings by name. Those inside a block or an object have the outer name before theirs:
/// `endpoints.s3`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Setting>);

/// Values may be secrets: names and origins are shown, nothing else.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, setting)| (name, &setting.origin))).finish()
    }
}

impl Settings {
    /// Sets `name`, as a whole: what an object or a block of this name held before is gone. A null
    /// is no value.
    pub fn set(&mut self, name: &str, value: Option<Value>, origin: &str) {
        let inner = format!("{name}.");
        self.0.retain(|known, _| known != name && !known.starts_with(&inner));
        self.add(name, value, origin);
    }

    fn add(&mut self, name: &str, value: Option<Value>, origin: &str) {
        match value {
            Some(Value::Null) => {}
            Some(Value::Object(fields)) => {
                for (field, value) in fields {
                    self.add(&format!("{name}.{field}"), Some(value), origin);
                }
            }
            // A block is a list of one object in data directories and in JSON.
            Some(Value::Array(mut list)) if list.len() == 1 && list.iter().all(Value::is_object) => {
                self.add(name, list.pop(), origin);
            }
            value => {
                self.0.insert(name.to_owned(), Setting { value, origin: origin.to_owned() });
            }
        }
    }

    /// Puts those of `other` in the place of ours, by their outer names.
    pub fn override_with(&mut self, other: Self) {
        let outer = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let replaced: std::collections::BTreeSet<String> = other.0.keys().map(|name| outer(name)).collect();
        self.0.retain(|name, _| !replaced.contains(&outer(name)));
        self.0.extend(other.0);
    }

    /// Gives `name` a value if it has none.
    pub(super) fn fall_back(&mut self, name: &str, value: String, origin: &str) {
        let set = |setting: &Setting| setting.value.as_ref().is_none_or(|value| value.as_str() != Some(""));
        if !self.0.get(name).is_some_and(set) {
            let setting = Setting { value: Some(value.into()), origin: origin.to_owned() };
            self.0.insert(name.to_owned(), setting);
        }
    }

    /// One setting, whatever it is.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    /// A text that is there, is known and is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|text| !text.is_empty())
    }

    /// A text that is there and is known, also an empty one.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.value.as_ref()?.as_str()
    }

    /// Texts of a list, or the one that stands in its place.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.0.get(name).and_then(|setting| setting.value.as_ref()) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        let value = self.0.get(name).and_then(|setting| setting.value.as_ref());
        value.is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
    }

    /// Whether it stands there as an expression that only Terraform can evaluate.
    pub fn is_unknown(&self, name: &str) -> bool {
        let unknown = |name: &str| self.0.get(name).is_some_and(|setting| setting.value.is_none());
        unknown(name) || name.split_once('.').is_some_and(|(outer, _)| unknown(outer))
    }

    /// Where it stands.
    pub fn origin(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|setting| setting.origin.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_inside_has_the_outer_name_before_its_own() {
        let mut settings = Settings::default();
        settings.set("endpoints", Some(json!({"s3": "a", "sts": null})), "x:1");
        settings.set("assume_role", Some(json!([{"role_arn": "r"}])), "x:2");
        settings.set("key", None, "x:3");
        assert_eq!(settings.text("endpoints.s3"), Some("a"));
        assert_eq!(settings.origin("assume_role.role_arn"), Some("x:2"));
        assert!(settings.is_unknown("key") && !settings.is_unknown("bucket"));
        // An override replaces the whole.
        let mut other = Settings::default();
        other.set("endpoints", Some(json!({"sts": "b"})), "y");
        settings.override_with(other);
        assert_eq!((settings.text("endpoints.s3"), settings.text("endpoints.sts")), (None, Some("b")));
    }

    #[test]
    fn no_value_is_shown_by_accident() {
        let mut settings = Settings::default();
        settings.set("secret_key", Some("hunter2".into()), "main.tf:3");
        let shown = format!("{settings:?}");
        assert!(shown.contains("secret_key") && shown.contains("main.tf:3") && !shown.contains("hunter2"));
    }
}
