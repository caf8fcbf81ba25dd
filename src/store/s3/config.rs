//! Which bucket, as plain data.

use serde::{Deserialize, Serialize};

use crate::store::aws::Access;
use crate::store::aws::Target;

/// A bucket and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// The bucket stands in the path of a request and not in its host's name. An endpoint that is
    /// not AWS's own is always spoken to like this.
    #[serde(default)]
    pub path_style: bool,
    /// How to reach it and as whom.
    #[serde(flatten)]
    pub access: Access,
}

impl S3Config {
    /// In words, as far as it is known before the environment was asked.
    pub fn describe(&self) -> String {
        let Access { region, endpoint_url, .. } = &self.access;
        Target::bucket(&self.bucket, region.as_deref(), endpoint_url.as_deref()).to_string()
    }
}
