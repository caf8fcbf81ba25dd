//! The `s3` backend: a state object in a bucket, and beside it a table or an object for its lock.

use super::Settings;
use super::path::join;

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
    /// `None` without a bucket and a key, which Terraform cannot do without either.
    pub fn from_settings(settings: &Settings) -> Option<Self> {
        let text = |name: &str| settings.text(name).map(str::to_owned);
        Some(Self {
            bucket: text("bucket")?,
            key: text("key")?,
            workspace_key_prefix: settings.given("workspace_key_prefix").map(str::to_owned),
            region: text("region"),
            dynamodb_table: text("dynamodb_table"),
            use_lockfile: settings.is_on("use_lockfile"),
            s3_endpoint: text("endpoints.s3").or_else(|| text("endpoint")),
            dynamodb_endpoint: text("endpoints.dynamodb").or_else(|| text("dynamodb_endpoint")),
            path_style: settings.is_on("use_path_style") || settings.is_on("force_path_style"),
            profile: text("profile"),
            role_arn: text("assume_role.role_arn").or_else(|| text("role_arn")),
        })
    }

    /// Key of the state object of `workspace`.
    pub fn state_key(&self, workspace: &str) -> String {
        if workspace == "default" {
            return self.key.clone();
        }
        let prefix = self.workspace_key_prefix.as_deref().unwrap_or(WORKSPACE_PREFIX);
        join(&[prefix, workspace, &self.key])
    }

    /// `<bucket>/<key>`: `LockID` of Terraform's own lock item, and the name of our lock.
    pub fn state_path(&self, workspace: &str) -> String {
        format!("{}/{}", self.bucket, self.state_key(workspace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<S3> {
        let mut settings = Settings::default();
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        fields.into_iter().for_each(|(name, value)| settings.set(&name, Some(value), "x"));
        S3::from_settings(&settings)
    }

    #[test]
    fn workspaces_have_keys_of_their_own() {
        let mut s3 = read(r#"{"bucket": "b", "key": "a/terraform.tfstate"}"#).unwrap();
        assert_eq!(s3.state_path("default"), "b/a/terraform.tfstate");
        assert_eq!(s3.state_path("dev"), "b/env:/dev/a/terraform.tfstate");
        s3.workspace_key_prefix = Some("ws".into());
        assert_eq!(s3.state_key("dev"), "ws/dev/a/terraform.tfstate");
        s3.workspace_key_prefix = Some(String::new());
        assert_eq!(s3.state_key("dev"), "dev/a/terraform.tfstate");
        // The key of the default workspace is taken as it is, those of others are cleaned.
        s3.key = "a//./k".into();
        assert_eq!((s3.state_key("default").as_str(), s3.state_key("dev").as_str()), ("a//./k", "dev/a/k"));
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
