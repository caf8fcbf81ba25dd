//! Access to AWS, the same for every service: region, endpoint, HTTP, credentials.

mod access;
mod error;
mod files;
mod github_token;
mod http;
mod keys;
mod login;
mod role;
mod sources;
mod target;

pub use access::Access;
pub use files::{AwsFiles, ask_aws_files};
pub use login::{Login, RoleOptions, Secret, StaticKeys};

pub(crate) use access::{Service, is_foreign, link};
pub(crate) use error::{Answer, Asked};
#[cfg(feature = "otel")]
pub(in crate::store) use http::connector;
pub(crate) use keys::Keys;
pub(crate) use target::Target;
