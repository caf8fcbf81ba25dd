//! Who to work as, beyond profile and role: what Terraform's backend can say about it.

use std::fmt;
use std::path::PathBuf;

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use serde::{Deserialize, Serialize};

/// A text that is shown nowhere. It travels in one piece to the guardian, over a private socket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Keys that stand in a backend's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticKeys {
    /// `access_key`
    pub id: String,
    /// `secret_key`
    pub secret: Secret,
    /// `token`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// How the role is asked for. What is `None` is left to AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleOptions {
    /// The role is the backend's, and Terraform assumes it with the credentials it finds: so do we,
    /// also in a job that could mint identity tokens.
    pub by_backend: bool,
    /// Name under which its use is logged.
    pub session_name: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Who stands behind it.
    pub source_identity: Option<String>,
    /// How long it is lent, in seconds.
    pub seconds: Option<i32>,
    /// A policy that narrows it, as JSON.
    pub policy: Option<String>,
    /// Managed policies that narrow it.
    pub policy_arns: Vec<String>,
}

/// Who to work as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Login {
    /// Go before everything else, as they do for Terraform.
    pub keys: Option<StaticKeys>,
    /// In place of `~/.aws/config`.
    pub config_files: Vec<PathBuf>,
    /// In place of `~/.aws/credentials`.
    pub credentials_files: Vec<PathBuf>,
    /// Endpoint of AWS STS.
    pub sts_endpoint: Option<String>,
    /// How the role is asked for.
    pub role: RoleOptions,
    /// The role is asked for against the token in this file, read anew each time.
    pub identity_token_file: Option<PathBuf>,
    /// The role is asked for against this token.
    pub identity_token: Option<Secret>,
}

impl Login {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The files in place of the usual ones; `None`: the usual ones. Where only one kind is named the
    /// other is where it always is.
    pub(super) fn files(&self) -> Option<EnvConfigFiles> {
        if self.config_files.is_empty() && self.credentials_files.is_empty() {
            return None;
        }
        let mut files = EnvConfigFiles::builder();
        let kinds = [
            (EnvConfigFileKind::Config, &self.config_files),
            (EnvConfigFileKind::Credentials, &self.credentials_files),
        ];
        for (kind, paths) in kinds {
            for path in paths {
                files = files.with_file(kind, path);
            }
        }
        files = files.include_default_config_file(self.config_files.is_empty());
        Some(files.include_default_credentials_file(self.credentials_files.is_empty()).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_reach_another_process_and_no_log() {
        let keys = StaticKeys {
            id: "AKID".into(),
            secret: "hunter2".to_owned().into(),
            token: Some("hunter3".to_owned().into()),
        };
        let login =
            Login { keys: Some(keys), identity_token: Some("hunter4".to_owned().into()), ..Login::default() };
        let json = serde_json::to_string(&login).unwrap();
        assert_eq!(serde_json::from_str::<Login>(&json).unwrap(), login);
        assert!(!format!("{login:?}").contains("hunter"));
    }
}
