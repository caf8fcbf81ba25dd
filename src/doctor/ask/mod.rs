//! Finding out, all at once: nothing here judges.

pub(in crate::doctor) mod dynamo;
pub(in crate::doctor) mod folder;
pub(in crate::doctor) mod s3;
pub(in crate::doctor) mod terraform;

use crate::store::aws::is_foreign;

/// Whether it is AWS itself that answers, also under another of its names.
fn is_aws(endpoint: Option<&str>) -> bool {
    !endpoint.is_some_and(is_foreign)
}
