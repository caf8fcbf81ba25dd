//! Making it.

use super::blueprint::Blueprint;
use super::patience::unconnected;
use super::progress::Progress;
use super::{bucket, table};
use crate::error::Error;
use crate::inventory::{BucketPlace, DynamoClient, S3Client};
use crate::report::Reporter;
use crate::store::Access;

/// Who keeps what is made here, as its tag says.
const KEEPER: &str = "tfguard";

/// How to reach both services.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// To DynamoDB.
    pub table: Access,
    /// To S3.
    pub bucket: Access,
    /// The bucket stands in the path of a URL.
    pub path_style: bool,
}

/// Makes what is not there, looks at what is, and puts right what is off if `repair` says so.
/// Gives back the region of what was made.
///
/// # Errors
/// [`Error::Config`] for something that no run could work with, [`Error::Credentials`],
/// [`Error::Unavailable`]. What was done before stays; given again, the command takes up there.
pub async fn make(
    blueprint: &Blueprint,
    way: &Way,
    repair: bool,
    reporter: &Reporter,
) -> Result<Option<String>, Error> {
    let tags = blueprint.tags_by(KEEPER);
    let progress = Progress::new(reporter);
    let mut region = None;
    if let Some(name) = &blueprint.table {
        let whose = format!("table \"{name}\"");
        let client = DynamoClient::connect(&way.table, &whose).await.map_err(unconnected)?;
        table::ensure(&client, name, &tags, repair, &progress).await?;
        region = Some(client.region().to_owned());
    }
    if let Some(name) = &blueprint.bucket {
        let place =
            BucketPlace { bucket: name.clone(), access: way.bucket.clone(), path_style: way.path_style };
        let client = S3Client::connect(&place).await.map_err(unconnected)?;
        bucket::ensure(&client, name, &tags, repair, &progress).await?;
        region = Some(client.region().to_owned());
    }
    progress.conclude();
    Ok(region)
}
