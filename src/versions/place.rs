//! Where a state object is, and how its backend reaches it.

use crate::escape;
use crate::inventory::BucketPlace;
use crate::store::Access;

/// The state object of a directory and its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket, as the backend reaches it: with its region, profile and role, not the lock's.
    pub bucket: BucketPlace,
    /// The object's key.
    pub key: String,
    /// The table with Terraform's lock and the state's digest, and how it is reached.
    pub table: Option<(String, Access)>,
    /// Terraform's lock is an object beside the state.
    pub lockfile: bool,
}

impl Place {
    /// `s3://bucket/key`, for people.
    pub fn describe(&self) -> String {
        escape::line(&format!("s3://{}/{}", self.bucket.bucket, self.key)).into_owned()
    }

    /// The key of Terraform's lock in its table.
    pub(super) fn lock_id(&self) -> String {
        format!("{}/{}", self.bucket.bucket, self.key)
    }

    /// The key of the state's digest in that table.
    pub(super) fn digest_id(&self) -> String {
        format!("{}-md5", self.lock_id())
    }

    /// The key of Terraform's lock in the bucket.
    pub(super) fn lock_key(&self) -> String {
        format!("{}.tflock", self.key)
    }
}
