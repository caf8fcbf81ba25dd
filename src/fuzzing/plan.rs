//! The documents that Terraform gives when it is asked: a plan, its version, its own lock.

use serde_json::Value;

use super::{assert_harmless, assert_json_line, now};
use crate::report::drift as report;
use crate::report::{Event, Look, json, text};
use crate::terraform::drift;
use crate::terraform::lock_info::LockInfo;
use crate::terraform::version::Version;

/// Nothing that a plan masks comes out, what comes out does no harm, and an ID can stand in a command.
pub fn plan(bytes: &[u8]) {
    let printed = String::from_utf8_lossy(bytes);
    if let Ok(drift) = drift::read(bytes) {
        assert_harmless(&report::text(Some(&drift)));
        assert_harmless(&report::summary(&drift));
        let document = report::document(std::iter::empty(), Some(&drift));
        assert_json_line(&document);
        let event = Event::Drift { drift: Some(drift) };
        assert_harmless(&text::lines(&event, now(), Look::PLAIN));
        assert_json_line(&json::line(&event, now()));
        assert_masked(bytes, &document);
    }
    for info in [LockInfo::find(&printed), LockInfo::from_json(&printed)].into_iter().flatten() {
        assert!(!info.id.is_empty() && !info.id.starts_with('-') && !info.id.contains(char::is_whitespace));
    }
    if let Some(version) = Version::parse(&printed) {
        assert_harmless(&version.to_string());
    }
}

/// The seeds' secret. Where no mask says that a value is none, none is shown.
const SECRET: &str = "hunter2";

fn assert_masked(bytes: &[u8], document: &[u8]) {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    if !holds(&read(bytes), &|name, _| matches!(name, "before_sensitive" | "after_sensitive")) {
        let shown = |name: &str, value: &Value| {
            matches!(name, "before" | "after") && value.to_string().contains(SECRET)
        };
        assert!(!holds(&read(document), &shown), "what nothing says is no secret was shown");
    }
}

/// Whether there is a field like this anywhere in it.
fn holds(value: &Value, is: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| is(name, value) || holds(value, is)),
        Value::Array(list) => list.iter().any(|value| holds(value, is)),
        _ => false,
    }
}
