//! Whether the written backend is still the one that `init` set up.
//!
//! Terraform keeps a hash of the block as it was written, without what `-backend-config` gave. The
//! same hash over the block as it is written now tells for sure whether it was changed: a setting
//! that differs from the initialised one may as well have been given for `init`.

use serde_json::Value;

use super::{Configured, Settings};

/// What `init` set up, as the data directory holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Saved {
    /// Every argument that this Terraform knows, `null` where it is not set.
    pub(in crate::terraform) config: Value,
    /// Terraform's hash of the block that was written then.
    pub(in crate::terraform) hash: Option<u64>,
}

/// Values may be secrets.
impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// What differs, for people: `key: "a" → "b"`. Values of settings that may be secret are left out.
pub type Difference = String;

/// The differences because of which Terraform will refuse to go on before another `init`. Empty
/// when there are none, or when that is not sure.
pub fn differences(initialised: &Configured, saved: &Saved, written: Option<&Configured>) -> Vec<Difference> {
    let Some(written) = written else {
        return vec![format!("the {} backend → none", initialised.kind)];
    };
    if initialised.kind != written.kind {
        return vec![format!("the {} backend → the {} backend", initialised.kind, written.kind)];
    }
    // These two are hashed in a way of their own.
    let hashed = !matches!(written.kind.as_str(), "remote" | "cloud");
    match hash(&written.kind, &saved.config, &written.settings).filter(|_| hashed) {
        Some(now) if saved.hash.is_some_and(|then| then != now) => between(initialised, written),
        // Unchanged, or not sure.
        _ => Vec::new(),
    }
}

/// The settings that are written in `written` and differ in `initialised`; empty where not all that
/// is written is known.
pub fn between(initialised: &Configured, written: &Configured) -> Vec<Difference> {
    if initialised.kind != written.kind {
        return vec![format!("the {} backend → the {} backend", initialised.kind, written.kind)];
    }
    let mut differences = Vec::new();
    for (name, setting) in written.settings.iter() {
        let Some(now) = &setting.value else { return Vec::new() };
        let before = initialised.settings.get(name).and_then(|setting| setting.value.as_ref());
        if before.is_some_and(|before| same(before, now)) {
            continue;
        }
        differences.push(match (TELLING.contains(&name), before) {
            (true, Some(before)) => format!("{name}: {before} → {now}"),
            (true, None) => format!("{name}: not set → {now}"),
            (false, _) => name.to_owned(),
        });
    }
    differences
}

/// Settings whose values are shown.
const TELLING: [&str; 19] = [
    "bucket",
    "container_name",
    "dynamodb_table",
    "endpoints.dynamodb",
    "endpoints.s3",
    "hostname",
    "key",
    "namespace",
    "organization",
    "path",
    "prefix",
    "profile",
    "region",
    "schema_name",
    "secret_suffix",
    "storage_account_name",
    "use_lockfile",
    "workspace_dir",
    "workspace_key_prefix",
];

fn same(one: &Value, other: &Value) -> bool {
    one == other || text(one).is_some_and(|one| text(other) == Some(one))
}

/// `true` and `"true"` are one to Terraform.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Terraform's hash of a written block, which is a CRC-32 over the type and the values of all
/// arguments in the order of their names. `None` where it cannot be told how Terraform reads a
/// value.
fn hash(kind: &str, shape: &Value, settings: &Settings) -> Option<u64> {
    let mut known = 0;
    let mut bytes = format!("<{};", quoted(kind)?);
    bytes.push_str(&encode(shape, "", settings, &mut known)?);
    bytes.push_str(";>");
    // A setting that has no place in the shape would be left out.
    (known == settings.iter().count()).then(|| u64::from(crc32(bytes.as_bytes())))
}

fn encode(shape: &Value, prefix: &str, settings: &Settings, known: &mut usize) -> Option<String> {
    let mut text = String::from("<");
    // The names are in order: so does the map keep them.
    let mut fields: Vec<(&String, &Value)> = shape.as_object()?.iter().collect();
    fields.sort_by_key(|(name, _)| name.as_str());
    for (name, saved) in fields {
        let name = format!("{prefix}{name}");
        let inner = format!("{name}.");
        if let Some(setting) = settings.get(&name) {
            *known += 1;
            text.push_str(&scalar(setting.value.as_ref()?, saved)?);
        } else if settings.iter().any(|(other, _)| other.starts_with(&inner)) {
            text.push_str(&encode(saved, &inner, settings, known)?);
        } else {
            match saved.as_array() {
                None => text.push('~'),
                // Blocks, of which there are none.
                Some(list) if list.is_empty() => text.push_str("[]"),
                // Whether it is blocks or a list cannot be told.
                Some(_) => return None,
            }
        }
        text.push(';');
    }
    text.push('>');
    Some(text)
}

/// A value as the type that the saved one has; where none is saved, as the type in which it is
/// written.
fn scalar(value: &Value, saved: &Value) -> Option<String> {
    match (value, saved) {
        (Value::Bool(truth), Value::Bool(_) | Value::Null) => Some(if *truth { "T" } else { "F" }.to_owned()),
        (Value::String(text), Value::Bool(_)) => match text.as_str() {
            "true" => Some("T".to_owned()),
            "false" => Some("F".to_owned()),
            _ => None,
        },
        (Value::String(text), Value::String(_) | Value::Null) => quoted(text),
        (Value::Number(number), Value::Number(_) | Value::Null) if number.is_i64() => {
            Some(number.to_string())
        }
        (Value::Number(_) | Value::Bool(_), Value::String(_)) => quoted(&text(value)?),
        _ => None,
    }
}

/// As Go quotes it. What would need more than that of JSON is left to Terraform.
fn quoted(text: &str) -> Option<String> {
    let plain = text.chars().all(|c| !c.is_control() && (c.is_ascii() || c.is_alphanumeric()));
    plain.then(|| Value::String(text.to_owned()).to_string())
}

/// CRC-32 as of zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(kind: &str, settings: Value) -> Configured {
        let mut read = Settings::default();
        for (name, value) in settings.as_object().unwrap() {
            read.set(name, Some(value.clone()), "x");
        }
        Configured { kind: kind.into(), settings: read, origin: "x".into() }
    }

    /// What Terraform 1.11.4 wrote for a block with the bucket `overridden` and `-backend-config` of
    /// another.
    fn saved() -> Saved {
        let names = "access_key acl allowed_account_ids assume_role assume_role_with_web_identity \
            custom_ca_bundle dynamodb_endpoint dynamodb_table ec2_metadata_service_endpoint \
            ec2_metadata_service_endpoint_mode encrypt endpoint forbidden_account_ids force_path_style \
            http_proxy https_proxy iam_endpoint insecure kms_key_id max_retries no_proxy profile retry_mode \
            secret_key shared_config_files shared_credentials_file shared_credentials_files \
            skip_metadata_api_check skip_region_validation skip_s3_checksum sse_customer_key sts_endpoint \
            sts_region token use_dualstack_endpoint use_fips_endpoint use_lockfile workspace_key_prefix";
        let mut config: serde_json::Map<String, Value> =
            names.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
        let set = json!({
            "bucket": "bucket-one", "key": "a/terraform.tfstate", "region": "eu-west-1", "use_path_style": true,
            "skip_credentials_validation": true, "skip_requesting_account_id": true,
            "endpoints": {"dynamodb": null, "iam": null, "s3": "http://127.0.0.1:5999", "sso": null, "sts": null},
        });
        config.extend(set.as_object().unwrap().clone());
        Saved { config: Value::Object(config), hash: Some(2_118_707_505) }
    }

    fn written(key: &str) -> Configured {
        configured(
            "s3",
            json!({
                "bucket": "overridden", "key": key, "region": "eu-west-1", "use_path_style": "true",
                "skip_credentials_validation": true, "skip_requesting_account_id": true,
                "endpoints": {"s3": "http://127.0.0.1:5999"},
            }),
        )
    }

    fn compared(written: Option<&Configured>) -> Vec<Difference> {
        let saved = saved();
        differences(&configured("s3", saved.config.clone()), &saved, written)
    }

    #[test]
    fn what_was_given_for_init_is_no_change() {
        assert_eq!(compared(Some(&written("a/terraform.tfstate"))), Vec::<String>::new());
    }

    #[test]
    fn what_was_written_anew_is_named() {
        assert_eq!(
            compared(Some(&written("b/terraform.tfstate"))),
            [
                "bucket: \"bucket-one\" → \"overridden\"",
                "key: \"a/terraform.tfstate\" → \"b/terraform.tfstate\""
            ]
        );
        assert_eq!(compared(Some(&configured("gcs", json!({})))), ["the s3 backend → the gcs backend"]);
        assert_eq!(compared(None), ["the s3 backend → none"]);
    }

    #[test]
    fn what_is_not_sure_is_left_to_terraform() {
        let mut unknown = written("b");
        unknown.settings.set("region", None, "x");
        assert_eq!(compared(Some(&unknown)), Vec::<String>::new());
        let strange = configured("s3", json!({"bucket": "b", "no_such_setting": "x"}));
        assert_eq!(compared(Some(&strange)), Vec::<String>::new());
        let listed = configured("s3", json!({"bucket": "b", "shared_config_files": ["x"]}));
        assert_eq!(compared(Some(&listed)), Vec::<String>::new());
    }

    #[test]
    fn a_secret_is_named_and_not_shown() {
        let secret = configured("s3", json!({"bucket": "b", "secret_key": "hunter2"}));
        let told = compared(Some(&secret));
        assert!(told.contains(&"secret_key".to_owned()) && !told.concat().contains("hunter2"), "{told:?}");
    }
}
