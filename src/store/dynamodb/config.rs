//! Which table, as plain data.

use serde::{Deserialize, Serialize};

use crate::store::aws::Access;
use crate::store::aws::Target;

/// A table and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamoConfig {
    /// Name of the table.
    pub table: String,
    /// How to reach it and as whom.
    #[serde(flatten)]
    pub access: Access,
}

impl DynamoConfig {
    /// In words, as far as it is known before the environment was asked.
    pub fn describe(&self) -> String {
        let Access { region, endpoint_url, .. } = &self.access;
        Target::table(&self.table, region.as_deref(), endpoint_url.as_deref()).to_string()
    }
}
