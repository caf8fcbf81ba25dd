//! What an S3 bucket is like.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::client::S3Client;
use super::fact::{Fact, Fault};

/// What a bucket is like, as far as that could be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The region it is in; [`Fault::Missing`]: there is no such bucket, [`Fault::Elsewhere`]: it
    /// is in another region than the one that was asked.
    pub region: Fact<String>,
    /// Whether earlier versions of its objects are kept.
    pub versioning: Fact<Versioning>,
    /// How objects are encrypted by default: `AES256`, `aws:kms`…; `None`: not.
    pub encryption: Fact<Option<String>>,
    /// Whether all four ways to make it public are blocked, at the bucket itself.
    pub public_access_blocked: Fact<bool>,
}

/// Whether earlier versions of objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// They are.
    Enabled,
    /// They were, and those from then are still there.
    Suspended,
    /// They never were.
    Off,
}

impl Bucket {
    /// Asks for the region alone.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn region(client: &S3Client, bucket: &str) -> Result<String, Fault> {
        region(client, bucket).await
    }

    /// Asks. Nothing is changed.
    pub async fn read(client: &S3Client, bucket: &str) -> Self {
        let (region, versioning, encryption, blocked) = tokio::join!(
            region(client, bucket),
            versioning(client, bucket),
            encryption(client, bucket),
            public_access_blocked(client, bucket)
        );
        Self {
            region: region.into(),
            versioning: versioning.into(),
            encryption: encryption.into(),
            public_access_blocked: blocked.into(),
        }
    }

    /// Asks for that alone.
    pub async fn versioning(client: &S3Client, bucket: &str) -> Fact<Versioning> {
        versioning(client, bucket).await.into()
    }
}

async fn region(client: &S3Client, bucket: &str) -> Result<String, Fault> {
    let request = client.sdk.head_bucket().bucket(bucket).send();
    let answer = client.ask("s3:ListBucket", request).await?;
    // What is not AWS may not say it; it answers for the region that it was asked in.
    Ok(answer.bucket_region.filter(|region| !region.is_empty()).unwrap_or_else(|| client.region().to_owned()))
}

async fn versioning(client: &S3Client, bucket: &str) -> Result<Versioning, Fault> {
    let request = async {
        match client.sdk.get_bucket_versioning().bucket(bucket).send().await {
            // Some look-alikes wrap the same answer in an element of another name.
            Err(SdkError::ServiceError(answer)) if answer.raw().status().is_success() => {
                Ok(versioning_in(answer.raw().body().bytes().unwrap_or_default()))
            }
            answer => answer.map(|answer| match answer.status {
                Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
                Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
                _ => Versioning::Off,
            }),
        }
    };
    client.ask("s3:GetBucketVersioning", request).await
}

fn versioning_in(body: &[u8]) -> Versioning {
    let body = String::from_utf8_lossy(body);
    if body.contains("<Status>Enabled</Status>") {
        Versioning::Enabled
    } else if body.contains("<Status>Suspended</Status>") {
        Versioning::Suspended
    } else {
        Versioning::Off
    }
}

async fn encryption(client: &S3Client, bucket: &str) -> Result<Option<String>, Fault> {
    let request = client.sdk.get_bucket_encryption().bucket(bucket).send();
    let answer = match client.ask("s3:GetEncryptionConfiguration", request).await {
        // The bucket itself is asked for beside this.
        Err(Fault::Missing) => return Ok(None),
        answer => answer?,
    };
    let rules = answer.server_side_encryption_configuration.map(|told| told.rules).unwrap_or_default();
    let by_default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
    Ok(by_default.map(|told| told.sse_algorithm.as_str().to_owned()))
}

async fn public_access_blocked(client: &S3Client, bucket: &str) -> Result<bool, Fault> {
    let request = client.sdk.get_public_access_block().bucket(bucket).send();
    let answer = match client.ask("s3:GetBucketPublicAccessBlock", request).await {
        Err(Fault::Missing) => return Ok(false),
        answer => answer?,
    };
    Ok(answer.public_access_block_configuration.is_some_and(|told| {
        [
            told.block_public_acls,
            told.ignore_public_acls,
            told.block_public_policy,
            told.restrict_public_buckets,
        ]
        .into_iter()
        .all(|blocked| blocked == Some(true))
    }))
}
