//! What `-backend-config` adds to the written backend: files and pairs, in order.

use std::ffi::OsString;
use std::path::Path;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use serde_json::Value;

use super::Settings;
use super::expression::{json_settings, literal, settings};
use crate::terraform::flags::flags;

/// Settings that are no text: a pair gives them as an expression.
const STRUCTURED: [&str; 8] = [
    "endpoints",
    "assume_role",
    "assume_role_with_web_identity",
    "shared_config_files",
    "shared_credentials_files",
    "allowed_account_ids",
    "forbidden_account_ids",
    "workspaces",
];

/// What was given for `init`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The settings, the last one counting.
    pub settings: Settings,
    /// The first file that cannot be read, and why.
    pub unreadable: Option<String>,
}

/// Reads the `-backend-config` flags among `args`, relative to `directory`. `source`: the variable
/// that they come from, `None` for the command line.
pub(in crate::terraform) fn read(
    given: &mut Given,
    args: &[OsString],
    source: Option<&str>,
    directory: &Path,
) {
    for flag in flags(args).filter(|flag| flag.name == "backend-config") {
        let Some(value) = flag.value().filter(|value| !value.is_empty()) else { continue };
        if let Some((name, text)) = value.split_once('=') {
            let origin = source.unwrap_or("-backend-config");
            given.settings.set(name, pair(name, text), origin);
            continue;
        }
        let origin =
            source.map_or_else(|| format!("-backend-config={value}"), |source| format!("{value} ({source})"));
        match file(&directory.join(&value), &origin) {
            Ok(settings) => given.settings.override_with(settings),
            Err(cause) => {
                given.unreadable.get_or_insert_with(|| format!("{value}: {cause}"));
            }
        }
    }
}

pub(crate) fn pair(name: &str, text: &str) -> Option<Value> {
    if !STRUCTURED.contains(&name) {
        return Some(Value::String(text.to_owned()));
    }
    text.trim().parse::<Expression>().ok().and_then(|expression| literal(&expression))
}

fn file(path: &Path, origin: &str) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&text, path.extension().is_some_and(|extension| extension == "json"), origin)
}

/// The settings in the text of a file.
pub(crate) fn parse(text: &str, json: bool, origin: &str) -> Result<Settings, String> {
    if json {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        return Ok(value.as_object().map(|object| json_settings(object, origin)).unwrap_or_default());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body: Body = text.parse().map_err(|error: hcl_edit::parser::Error| {
        format!("line {}: {}", error.location().line(), error.message())
    })?;
    Ok(settings(&body, &|_| origin.to_owned()))
}
