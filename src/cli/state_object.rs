//! Which object the state is, for the commands that look at its versions.

use super::placement::state_place;
use crate::error::Error;
use crate::escape;
use crate::inventory::BucketPlace;
use crate::store::S3Config;
use crate::terraform::{Backend, Directory};
use crate::versions::Place;

/// The state object that `directory` means, reached as its backend reaches it: options that name
/// the lock's store do not count.
///
/// # Errors
/// [`Error::Config`] where it is not an object in S3, or not known; it says what to do.
pub fn state_object(directory: &Directory) -> Result<Place, Error> {
    let Some(place) = state_place(directory) else { return Err(elsewhere(&directory.backend)) };
    let settings = directory.in_force.as_ref().map(|backend| &backend.settings);
    if settings.is_some_and(|settings| settings.text("sse_customer_key").is_some()) {
        return Err(Error::Config(
            "the backend encrypts the state with sse_customer_key, which tfguard does not take: use the AWS \
             CLI to look at its versions"
                .into(),
        ));
    }
    let S3Config { bucket, path_style, access } = place.objects;
    Ok(Place {
        bucket: BucketPlace { bucket, access, path_style },
        key: place.backend.state_key(&place.workspace),
        table: place.items.map(|items| (items.table, items.access)),
        lockfile: place.backend.use_lockfile,
    })
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
