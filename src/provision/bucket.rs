//! The bucket: made if it is not there, else looked at.

use std::cell::Cell;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};

use super::flaw::{self, Setting};
use super::patience::{SETTLED, Wait, failure, persist};
use super::progress::Progress;
use super::repair::looked_at;
use crate::error::Error;
use crate::inventory::{Bucket, Fault, S3Client};
use crate::store::aws::Target;
use crate::store::{StoreError, Unavailable, text::plain};

/// The one region that takes no location.
const UNLOCATED: &str = "us-east-1";

/// What came of asking for a bucket.
enum Made {
    New,
    /// It is ours, and there by now.
    Raced,
    /// The name belongs to somebody else.
    Taken,
}

/// Makes the bucket, or looks at the one that is there and, if told so, puts right what can be.
///
/// # Errors
/// [`Error::Config`] for a bucket that is another's or in another region, and whatever AWS refuses.
pub(super) async fn ensure(
    client: &S3Client,
    name: &str,
    tags: &[(String, String)],
    repair: bool,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let thing = Target::bucket(name, Some(client.region()), client.endpoint());
    let switch = async |setting| persist(|| switch_on(client, name, setting)).await;
    let look_at =
        async |bucket: &Bucket| looked_at(&thing, flaw::of_bucket(bucket), repair, &switch, progress).await;
    match persist(|| Bucket::region(client, name)).await {
        Ok(region) if region == client.region() => {
            let bucket = Bucket::read(client, name).await;
            look_at(&bucket).await
        }
        Ok(region) => Err(elsewhere(&thing, Some(&region))),
        Err(Fault::Elsewhere(region)) => Err(elsewhere(&thing, region.as_deref())),
        Err(Fault::Denied { .. }) => Err(Error::Credentials(format!(
            "{thing} exists, and the AWS credentials may not look at it: if it is yours, allow s3:ListBucket in \
             their IAM policy, which `tfguard policy --for setup` prints; if not, choose another name, since all of \
             AWS shares them"
        ))),
        Err(Fault::Missing) => {
            match create(client, name).await {
                Ok(Made::Taken) => {
                    return Err(Error::Config(format!(
                        "{thing} cannot be created: somebody else has a bucket of that name, and all of AWS \
                         shares them; choose another with --bucket"
                    )));
                }
                Ok(Made::New) => progress.created(&thing),
                Ok(Made::Raced) => {
                    progress.say(&format!("{thing} is being made by somebody else"));
                    let bucket = settled(client, name).await;
                    return look_at(&bucket).await;
                }
                Err(fault) => return Err(failure(&format!("{thing} could not be created"), &fault)),
            }
            finish(client, name, &thing, tags).await?;
            progress.left(&thing, &flaw::of_bucket(&Bucket::read(client, name).await));
            Ok(())
        }
        Err(fault) => Err(failure(&format!("{thing} could not be looked at"), &fault)),
    }
}

fn elsewhere(thing: &Target, region: Option<&str>) -> Error {
    let is = region.map_or("is in another region".to_owned(), |region| format!("is in {}", plain(region)));
    let give = region.map_or("the bucket's own".to_owned(), plain);
    Error::Config(format!(
        "{thing}: a bucket of that name {is}; give --region {give}, or choose another name"
    ))
}

async fn create(client: &S3Client, name: &str) -> Result<Made, Fault> {
    let location = (client.region() != UNLOCATED).then(|| {
        let region = BucketLocationConstraint::from(client.region());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let mut wait = Wait::at_most(SETTLED);
    loop {
        let attempts = Cell::new(0);
        let made = persist(|| async {
            attempts.set(attempts.get() + 1);
            let request =
                client.sdk.create_bucket().bucket(name).set_create_bucket_configuration(location.clone());
            let send = async {
                match request.send().await {
                    Ok(_) => Ok(Some(Made::New)),
                    Err(error) => match error.code() {
                        // After an attempt without an answer it is our own that took effect.
                        Some("BucketAlreadyOwnedByYou") if attempts.get() > 1 => Ok(Some(Made::New)),
                        Some("BucketAlreadyOwnedByYou") => Ok(Some(Made::Raced)),
                        Some("BucketAlreadyExists") => Ok(Some(Made::Taken)),
                        // Somebody else creates or deletes it at this moment.
                        Some("OperationAborted") => Ok(None),
                        _ => Err(error),
                    },
                }
            };
            client.ask("s3:CreateBucket", send).await
        })
        .await?;
        match made {
            Some(made) => return Ok(made),
            None if wait.again().await => {}
            None => {
                let message = "another change to the bucket is under way".to_owned();
                return Err(Fault::Failed(StoreError::Unavailable { kind: Unavailable::Failed, message }));
            }
        }
    }
}

/// The bucket once somebody else has switched everything on, or when the time for it is over.
async fn settled(client: &S3Client, name: &str) -> Bucket {
    let mut wait = Wait::at_most(SETTLED);
    loop {
        let bucket = Bucket::read(client, name).await;
        let open = flaw::of_bucket(&bucket).iter().any(|flaw| flaw.setting().is_some());
        if !open || !wait.again().await {
            return bucket;
        }
    }
}

/// What a bucket cannot be created with. A new one may not be seen everywhere for a moment.
async fn finish(
    client: &S3Client,
    name: &str,
    thing: &Target,
    tags: &[(String, String)],
) -> Result<(), Error> {
    let fail = |what: &str, fault: &Fault| {
        failure(&format!("{thing} was created, and {what} could not be switched on"), fault)
    };
    let mut wait = Wait::at_most(SETTLED);
    for setting in Setting::OF_BUCKET {
        loop {
            match persist(|| switch_on(client, name, setting)).await {
                Ok(()) => break,
                // Not AWS, but something that speaks its language; what is off is said at the end.
                Err(Fault::Unsupported) => break,
                Err(Fault::Missing) if wait.again().await => {}
                Err(fault) => return Err(fail(setting.name(), &fault)),
            }
        }
    }
    match persist(|| tag(client, name, tags)).await {
        Ok(()) | Err(Fault::Unsupported) => Ok(()),
        Err(fault) => Err(failure(&format!("{thing} was created, and could not be tagged"), &fault)),
    }
}

async fn switch_on(client: &S3Client, name: &str, setting: Setting) -> Result<(), Fault> {
    let sdk = &client.sdk;
    match setting {
        Setting::Versioning => {
            let wanted = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let request = sdk.put_bucket_versioning().bucket(name).versioning_configuration(wanted);
            client.ask("s3:PutBucketVersioning", request.send()).await.map(drop)
        }
        Setting::Encryption => {
            let by_default =
                ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
            let rule = ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(by_default.map_err(unbuilt)?)
                .build();
            let wanted = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(unbuilt)?;
            let request =
                sdk.put_bucket_encryption().bucket(name).server_side_encryption_configuration(wanted);
            client.ask("s3:PutEncryptionConfiguration", request.send()).await.map(drop)
        }
        Setting::PublicAccess => {
            let wanted = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .block_public_policy(true)
                .ignore_public_acls(true)
                .restrict_public_buckets(true)
                .build();
            let request =
                sdk.put_public_access_block().bucket(name).public_access_block_configuration(wanted);
            client.ask("s3:PutBucketPublicAccessBlock", request.send()).await.map(drop)
        }
        Setting::TimeToLive | Setting::Recovery | Setting::DeletionProtection => Ok(()),
    }
}

async fn tag(client: &S3Client, name: &str, tags: &[(String, String)]) -> Result<(), Fault> {
    let mut tagging = Tagging::builder();
    for (key, value) in tags {
        tagging = tagging.tag_set(Tag::builder().key(key).value(value).build().map_err(unbuilt)?);
    }
    let request = client.sdk.put_bucket_tagging().bucket(name).tagging(tagging.build().map_err(unbuilt)?);
    client.ask("s3:PutBucketTagging", request.send()).await.map(drop)
}

fn unbuilt(error: aws_sdk_s3::error::BuildError) -> Fault {
    Fault::Failed(StoreError::Misconfigured { message: error.to_string() })
}
