//! Which store, as plain data: what a run resolves once and may hand on to another process.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{Instrument, debug_span};

use super::text::plain;
use super::traced::traced;
use super::{DynamoConfig, DynamoStore, LocalStore, S3Config, S3Store, Store, StoreResult};

/// A store that can be opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreSpec {
    /// A DynamoDB table.
    Dynamodb(DynamoConfig),
    /// An S3 bucket.
    S3(S3Config),
    /// A folder of record files.
    Local {
        /// The folder, created if it does not exist.
        dir: PathBuf,
    },
}

impl StoreSpec {
    /// Opens the store: finds credentials, creates the folder.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError), as [`DynamoStore::connect`],
    /// [`S3Store::connect`] and [`LocalStore::open`] give it.
    pub async fn open(&self) -> StoreResult<Arc<dyn Store>> {
        let open = async {
            Ok::<Arc<dyn Store>, _>(match self {
                Self::Dynamodb(config) => Arc::new(DynamoStore::connect(config).await?),
                Self::S3(config) => Arc::new(S3Store::connect(config).await?),
                Self::Local { dir } => Arc::new(LocalStore::open(dir)?),
            })
        };
        open.instrument(debug_span!("store open")).await.map(traced)
    }

    /// The same store, whatever directory it is opened from.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Local { dir } => {
                Self::Local { dir: std::path::absolute(dir).unwrap_or_else(|_| dir.clone()) }
            }
            Self::Dynamodb(_) | Self::S3(_) => self.clone(),
        }
    }

    /// What people know it by. An open store says it with what the environment added.
    pub fn describe(&self) -> String {
        match self {
            Self::Dynamodb(config) => config.describe(),
            Self::S3(config) => config.describe(),
            Self::Local { dir } => format!("folder {}", plain(&dir.display().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Access;

    #[test]
    fn a_spec_survives_the_way_to_another_process() {
        for spec in [
            StoreSpec::Local { dir: "/srv/locks".into() },
            StoreSpec::Dynamodb(DynamoConfig {
                table: "locks".into(),
                access: Access {
                    region: Some("eu-west-1".into()),
                    endpoint_url: None,
                    profile: Some("ops".into()),
                    role_arn: Some("arn:aws:iam::123456789012:role/ci".into()),
                    ..Access::default()
                },
            }),
            StoreSpec::S3(S3Config {
                bucket: "states".into(),
                path_style: true,
                access: Access { endpoint_url: Some("http://s3:9000".into()), ..Access::default() },
            }),
        ] {
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<StoreSpec>(&json).unwrap(), spec);
        }
    }
}
