//! Where a state object is, and how its backend reaches it.

use crate::error::Error;
use crate::escape;
use crate::inventory::BucketPlace;
use crate::store::Access;
use crate::terraform::{Backend, Directory};

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
    /// The state object that `directory` means.
    ///
    /// # Errors
    /// [`Error::Config`] where it is not an object in S3, or not known; it says what to do.
    pub fn of(directory: &Directory) -> Result<Self, Error> {
        let Some(s3) = &directory.s3 else { return Err(elsewhere(&directory.backend)) };
        let settings = directory.in_force.as_ref().map(|backend| &backend.settings);
        if settings.is_some_and(|settings| settings.text("sse_customer_key").is_some()) {
            return Err(Error::Config(
                "the backend encrypts the state with sse_customer_key, which tfguard does not take: use \
                 the AWS CLI to look at its versions"
                    .into(),
            ));
        }
        let access = |endpoint: &Option<String>| Access {
            region: s3.region.clone(),
            endpoint_url: endpoint.clone(),
            profile: s3.profile.clone(),
            role_arn: s3.role_arn.clone(),
        };
        Ok(Self {
            bucket: BucketPlace {
                bucket: s3.bucket.clone(),
                access: access(&s3.s3_endpoint),
                path_style: s3.path_style,
            },
            key: s3.state_key(&directory.workspace),
            table: s3.dynamodb_table.clone().map(|table| (table, access(&s3.dynamodb_endpoint))),
            lockfile: s3.use_lockfile,
        })
    }

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

fn elsewhere(backend: &Backend) -> Error {
    let what = match backend {
        Backend::Type(name) if name == "s3" => {
            return Error::Config(
                "the backend is s3, and its bucket and key are not known here: run init first, or give \
                 what -backend-config gives it"
                    .into(),
            );
        }
        Backend::None => "local".into(),
        Backend::Type(name) => escape::field(name).into_owned(),
        Backend::Cloud => "cloud".into(),
        Backend::Unreadable(cause) => format!("not known ({})", escape::line(cause)),
    };
    let beside = if backend.is_local() {
        "; a local state has its one last version beside it, terraform.tfstate.backup"
    } else {
        ""
    };
    Error::Config(format!(
        "the backend is {what}, and only an s3 backend in a bucket with versioning keeps earlier versions of \
         the state that tfguard can list and restore{beside}"
    ))
}
