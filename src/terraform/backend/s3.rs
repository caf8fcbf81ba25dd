//! The `s3` backend: a state object in a bucket, and beside it a table or an object for its lock.

use serde_json::{Map, Value};

/// Where the states of other workspaces lie, if nothing else is said.
const WORKSPACE_PREFIX: &str = "env:";

/// The settings of an `s3` backend that matter here, under Terraform's names for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3 {
    /// `bucket`
    pub bucket: String,
    /// `key`: the state of the default workspace.
    pub key: String,
    /// `workspace_key_prefix`; `None`: `env:`.
    pub workspace_key_prefix: Option<String>,
    /// `region`
    pub region: Option<String>,
    /// `dynamodb_table`: where Terraform's own lock and the digest of the state are.
    pub dynamodb_table: Option<String>,
    /// `use_lockfile`: Terraform's own lock is an object, `<key>.tflock`.
    pub use_lockfile: bool,
    /// `endpoints.s3`, or `endpoint`
    pub s3_endpoint: Option<String>,
    /// `endpoints.dynamodb`, or `dynamodb_endpoint`
    pub dynamodb_endpoint: Option<String>,
    /// `use_path_style`, or `force_path_style`
    pub path_style: bool,
    /// `profile`
    pub profile: Option<String>,
    /// `assume_role.role_arn`, or `role_arn`
    pub role_arn: Option<String>,
}

impl S3 {
    /// From the backend's arguments by name, as the data directory and HCL hold them. `None`
    /// without a bucket and a key, which Terraform cannot do without either.
    pub fn from_settings(settings: &Map<String, Value>) -> Option<Self> {
        let nested = |outer: &str, inner: &str| {
            let block = settings.get(outer)?;
            // A block is a list of objects in older data directories.
            let block = block.as_array().map_or(block, |list| list.first().unwrap_or(&Value::Null));
            text(block.get(inner))
        };
        let plain = |name: &str| text(settings.get(name));
        let truth = |name: &str| settings.get(name).is_some_and(is_true);
        Some(Self {
            bucket: plain("bucket")?,
            key: plain("key")?,
            workspace_key_prefix: plain("workspace_key_prefix"),
            region: plain("region"),
            dynamodb_table: plain("dynamodb_table"),
            use_lockfile: truth("use_lockfile"),
            s3_endpoint: nested("endpoints", "s3").or_else(|| plain("endpoint")),
            dynamodb_endpoint: nested("endpoints", "dynamodb").or_else(|| plain("dynamodb_endpoint")),
            path_style: truth("use_path_style") || truth("force_path_style"),
            profile: plain("profile"),
            role_arn: nested("assume_role", "role_arn").or_else(|| plain("role_arn")),
        })
    }

    /// Key of the state object of `workspace`.
    pub fn state_key(&self, workspace: &str) -> String {
        if workspace == "default" {
            return self.key.clone();
        }
        let prefix = self.workspace_key_prefix.as_deref().unwrap_or(WORKSPACE_PREFIX);
        format!("{prefix}/{workspace}/{}", self.key)
    }

    /// `<bucket>/<key>`: `LockID` of Terraform's own lock item, and the name of our lock.
    pub fn state_path(&self, workspace: &str) -> String {
        format!("{}/{}", self.bucket, self.state_key(workspace))
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<S3> {
        S3::from_settings(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap())
    }

    #[test]
    fn workspaces_have_keys_of_their_own() {
        let mut s3 = read(r#"{"bucket": "b", "key": "a/terraform.tfstate"}"#).unwrap();
        assert_eq!(s3.state_path("default"), "b/a/terraform.tfstate");
        assert_eq!(s3.state_path("dev"), "b/env:/dev/a/terraform.tfstate");
        s3.workspace_key_prefix = Some("ws".into());
        assert_eq!(s3.state_key("dev"), "ws/dev/a/terraform.tfstate");
    }

    #[test]
    fn old_and_new_names_mean_the_same() {
        let new = read(
            r#"{"bucket": "b", "key": "k", "region": null, "use_path_style": true, "use_lockfile": "true",
                "endpoints": {"s3": "http://s", "dynamodb": "http://d"}, "assume_role": {"role_arn": "r"}}"#,
        );
        let old = read(
            r#"{"bucket": "b", "key": "k", "force_path_style": true, "use_lockfile": true, "endpoint": "http://s",
                "dynamodb_endpoint": "http://d", "role_arn": "r", "profile": ""}"#,
        );
        assert_eq!(new, old);
        assert_eq!(read(r#"{"bucket": "b"}"#), None);
    }
}
