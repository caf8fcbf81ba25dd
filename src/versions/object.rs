//! The state object: its versions, its digest, Terraform's lock on it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ServerSideEncryption;
use jiff::Timestamp;
use md5::{Digest, Md5};
use tokio::task::JoinSet;

use super::head::Head;
use super::list::{Content, Version};
use super::place::Place;
use super::state::{State, StateError};
use crate::error::Error;
use crate::inventory::{Bucket, DynamoClient, Fault, S3Client, Versioning};
use crate::store::StoreError;

/// How long a whole state may take on its way.
const LONG: Duration = Duration::from_secs(60);
/// How much of a version is fetched to see what it is.
const BEGINNING: u64 = 16 * 1024;
/// What is longer is no state that we work with.
const LONGEST: u64 = 256 * 1024 * 1024;
/// How many versions are looked at at once.
const AT_ONCE: usize = 8;

/// The object, connected.
pub struct Object {
    /// Where it is.
    pub place: Place,
    s3: Arc<S3Client>,
    table: Option<(String, DynamoClient)>,
}

/// What stands there now.
#[derive(Debug)]
pub struct Present {
    /// The ID of the version; `None`: there is no object.
    pub version: Option<String>,
    /// Its bytes; empty where there is no object.
    pub bytes: Vec<u8>,
    /// What they are; `None`: no state at all.
    pub state: Option<Result<State, StateError>>,
    /// The table has another digest than that of these bytes, so that Terraform refuses them.
    pub digest_differs: bool,
    tag: Option<String>,
}

impl Present {
    /// Whether Terraform itself finds a state there, and so pushes over it with the serial that it
    /// is given. Where there is none it would begin to count anew.
    pub fn is_sound(&self) -> bool {
        !self.digest_differs && matches!(self.state, Some(Ok(_)))
    }
}

/// A version with all that is needed to bring it back.
#[derive(Debug)]
pub struct Fetched {
    /// As it was written.
    pub bytes: Vec<u8>,
    encryption: Option<ServerSideEncryption>,
    key_id: Option<String>,
}

impl Object {
    /// Finds out regions and credentials; nothing is asked for yet.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Credentials`].
    pub async fn connect(place: Place) -> Result<Self, Error> {
        let whose = place.describe();
        let failed = |error| said(&whose, &error);
        let s3 = Arc::new(S3Client::connect(&place.bucket).await.map_err(failed)?);
        let table = match &place.table {
            Some((table, access)) => {
                let whose = format!("table \"{table}\"");
                let client = DynamoClient::connect(access, &whose).await;
                Some((table.clone(), client.map_err(failed)?))
            }
            None => None,
        };
        Ok(Self { place, s3, table })
    }

    /// Refuses a bucket that keeps no versions.
    ///
    /// # Errors
    /// [`Error::Config`], with the cure.
    pub async fn require_versioning(&self) -> Result<(), Error> {
        let bucket = &self.place.bucket.bucket;
        match Bucket::versioning(&self.s3, bucket).await.known() {
            Some(Versioning::Off) => Err(Error::Config(format!(
                "the bucket {bucket} keeps no earlier versions of the state: turn versioning on, and from then \
                 on there are some (`tfguard setup --bucket {bucket} --repair` does)"
            ))),
            // What is not told shows in the list.
            _ => Ok(()),
        }
    }

    /// The newest `most` versions, the newest first.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Credentials`], [`Error::Store`]. A single version that cannot be
    /// read is none, but says so itself.
    pub async fn versions(&self, most: usize) -> Result<Vec<Version>, Error> {
        let mut versions = self.list(most).await?;
        let mut looks: JoinSet<(usize, Content)> = JoinSet::new();
        let open: Vec<usize> = (0..versions.len()).filter(|at| versions[*at].size.is_some()).collect();
        let mut open = open.into_iter();
        loop {
            while looks.len() < AT_ONCE
                && let Some(at) = open.next()
            {
                let (s3, place) = (Arc::clone(&self.s3), self.place.clone());
                let (id, size) = (versions[at].id.clone(), versions[at].size.unwrap_or_default());
                looks.spawn(async move { (at, look(&s3, &place, &id, size).await) });
            }
            match looks.join_next().await {
                Some(Ok((at, content))) => versions[at].content = content,
                Some(Err(_)) => {}
                None => return Ok(versions),
            }
        }
    }

    async fn list(&self, most: usize) -> Result<Vec<Version>, Error> {
        let (bucket, key) = (&self.place.bucket.bucket, &self.place.key);
        let mut versions = Vec::new();
        let (mut key_from, mut id_from) = (None, None);
        loop {
            let request = self.s3.sdk.list_object_versions().bucket(bucket).prefix(key);
            let request = request.set_key_marker(key_from).set_version_id_marker(id_from).send();
            let page = self.asked(self.s3.ask("s3:ListBucketVersions", request).await)?;
            let mut beyond = false;
            for found in page.versions.unwrap_or_default() {
                if found.key.as_deref() != Some(key) {
                    // The key itself is the first of all that begin with it.
                    beyond = true;
                    continue;
                }
                versions.push(Version {
                    id: found.version_id.unwrap_or_default(),
                    current: found.is_latest.unwrap_or_default(),
                    at: timestamp(found.last_modified),
                    size: Some(u64::try_from(found.size.unwrap_or_default()).unwrap_or_default()),
                    content: Content::Unread("it was not looked at".into()),
                });
            }
            for found in page.delete_markers.unwrap_or_default() {
                if found.key.as_deref() != Some(key) {
                    beyond = true;
                    continue;
                }
                versions.push(Version {
                    id: found.version_id.unwrap_or_default(),
                    current: found.is_latest.unwrap_or_default(),
                    at: timestamp(found.last_modified),
                    size: None,
                    content: Content::Deleted,
                });
            }
            (key_from, id_from) = (page.next_key_marker, page.next_version_id_marker);
            if beyond || versions.len() > most || page.is_truncated != Some(true) || key_from.is_none() {
                break;
            }
        }
        // Pages have the two kinds apart, each with the newest first.
        versions.sort_by_key(|version| (!version.current, std::cmp::Reverse(version.at)));
        versions.truncate(most);
        Ok(versions)
    }

    /// A whole version.
    ///
    /// # Errors
    /// As [`Object::versions`].
    pub async fn fetch(&self, id: &str) -> Result<Fetched, Error> {
        let request = self.s3.sdk.get_object().bucket(&self.place.bucket.bucket).key(&self.place.key);
        let request = request.version_id(id).send();
        let answer = self.asked(self.s3.ask_within("s3:GetObjectVersion", LONG, request).await)?;
        let (encryption, key_id) = (answer.server_side_encryption.clone(), answer.ssekms_key_id.clone());
        Ok(Fetched { bytes: self.body(answer).await?, encryption, key_id })
    }

    /// What stands there now.
    ///
    /// # Errors
    /// As [`Object::versions`].
    pub async fn present(&self) -> Result<Present, Error> {
        let request = self.s3.sdk.get_object().bucket(&self.place.bucket.bucket).key(&self.place.key).send();
        let (version, tag, bytes) = match self.s3.ask_within("s3:GetObject", LONG, request).await {
            Err(Fault::Missing) => (None, None, Vec::new()),
            answer => {
                let answer = self.asked(answer)?;
                // In a bucket without versions each has this name.
                let version = answer.version_id.clone().unwrap_or_else(|| "null".to_owned());
                (Some(version), answer.e_tag.clone(), self.body(answer).await?)
            }
        };
        let digest = self.digest().await?;
        let ours = version.as_ref().map(|_| hex(&bytes));
        let digest_differs = digest.is_some() && digest != ours;
        let state = (!bytes.is_empty()).then(|| State::read(&bytes));
        Ok(Present { version, bytes, state, digest_differs, tag })
    }

    /// Puts a version back as it was, where Terraform cannot read the present state and so pushes
    /// nothing over it: the object first, then its digest. Until both are there Terraform goes on to
    /// refuse; at no time is there no state, in which somebody's Terraform would create everything
    /// anew.
    ///
    /// # Errors
    /// As [`Object::versions`]; [`Error::Refused`] when something else was written meanwhile.
    pub async fn mend(&self, present: &Present, fetched: &Fetched) -> Result<(), Error> {
        let request = self
            .s3
            .sdk
            .put_object()
            .bucket(&self.place.bucket.bucket)
            .key(&self.place.key)
            .content_type("application/json")
            .set_server_side_encryption(fetched.encryption.clone())
            .set_ssekms_key_id(fetched.key_id.clone())
            .body(ByteStream::from(fetched.bytes.clone()));
        let request = match &present.tag {
            Some(tag) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        self.asked(self.s3.ask_within("s3:PutObject", LONG, request.send()).await)?;
        if let Some((table, client)) = &self.table {
            let request = client
                .sdk
                .put_item()
                .table_name(table)
                .item("LockID", AttributeValue::S(self.place.digest_id()))
                .item("Digest", AttributeValue::S(hex(&fetched.bytes)));
            self.asked(client.ask("dynamodb:PutItem", request.send()).await)?;
        }
        Ok(())
    }

    /// Refuses while a Terraform holds its own lock on the state.
    ///
    /// # Errors
    /// [`Error::Refused`]; else as [`Object::versions`].
    pub async fn require_unlocked(&self) -> Result<(), Error> {
        let held = || {
            Error::Refused(format!(
                "a Terraform holds its own lock on {}, and may be about to write it: nothing was restored. \
                 When none runs any more, free it with terraform force-unlock and restore again",
                self.place.describe()
            ))
        };
        if let Some((table, client)) = &self.table {
            let key = AttributeValue::S(self.place.lock_id());
            let request = client.sdk.get_item().table_name(table).key("LockID", key).consistent_read(true);
            let answer = self.asked(client.ask("dynamodb:GetItem", request.send()).await)?;
            if answer.item.is_some_and(|item| item.contains_key("Info")) {
                return Err(held());
            }
        }
        if self.place.lockfile {
            let bucket = &self.place.bucket.bucket;
            let request = self.s3.sdk.get_object().bucket(bucket).key(self.place.lock_key());
            match self.s3.ask("s3:GetObject", request.send()).await {
                Err(Fault::Missing) => {}
                answer => {
                    self.asked(answer)?;
                    return Err(held());
                }
            }
        }
        Ok(())
    }

    /// The digest that Terraform will compare the object with, in hexadecimal.
    async fn digest(&self) -> Result<Option<String>, Error> {
        let Some((table, client)) = &self.table else { return Ok(None) };
        let key = AttributeValue::S(self.place.digest_id());
        let request = client.sdk.get_item().table_name(table).key("LockID", key).consistent_read(true);
        let answer = self.asked(client.ask("dynamodb:GetItem", request.send()).await)?;
        let digest = answer.item.as_ref().and_then(|item| item.get("Digest")?.as_s().ok());
        Ok(digest.filter(|digest| !digest.is_empty()).cloned())
    }

    async fn body(&self, answer: GetObjectOutput) -> Result<Vec<u8>, Error> {
        let length = u64::try_from(answer.content_length.unwrap_or_default()).unwrap_or(u64::MAX);
        if length > LONGEST {
            return Err(Error::Config(format!(
                "{} has {length} bytes, which no state has",
                self.place.describe()
            )));
        }
        let broken = |why: String| {
            said(
                &self.place.describe(),
                &StoreError::Unavailable {
                    kind: crate::store::Unavailable::Failed,
                    message: format!("the state did not come whole: {why}"),
                },
            )
        };
        match tokio::time::timeout(LONG, answer.body.collect()).await {
            Ok(Ok(bytes)) => Ok(bytes.to_vec()),
            Ok(Err(error)) => Err(broken(error.to_string())),
            Err(_) => Err(broken(format!("not within {} s", LONG.as_secs()))),
        }
    }

    fn asked<T>(&self, answer: Result<T, Fault>) -> Result<T, Error> {
        answer.map_err(|fault| {
            let state = self.place.describe();
            match fault {
                Fault::Denied { .. } => Error::Credentials(format!(
                    "the state {state}: {}; allow it in the IAM policy",
                    fault.text()
                )),
                Fault::Condition => Error::Refused(format!(
                    "the state {state} changed while it was to be restored, and is left as it is; look at it \
                     with `tfguard state versions`"
                )),
                Fault::Failed(error) => said(&state, &error),
                Fault::Missing | Fault::Unsupported | Fault::Elsewhere(_) | Fault::Invalid(_) => {
                    Error::Config(format!("the state {state} or its table: {}", fault.text()))
                }
            }
        })
    }
}

/// What a version is, from its beginning where that says enough.
async fn look(s3: &S3Client, place: &Place, id: &str, size: u64) -> Content {
    if size == 0 {
        return Content::Empty;
    }
    let mut range = Some(format!("bytes=0-{}", BEGINNING - 1)).filter(|_| size > BEGINNING);
    loop {
        let whole = range.is_none();
        if whole && size > LONGEST {
            return Content::Spoilt;
        }
        let request = s3.sdk.get_object().bucket(&place.bucket.bucket).key(&place.key).version_id(id);
        let request = request.set_range(range.take()).send();
        let answer = match s3.ask_within("s3:GetObjectVersion", LONG, request).await {
            Ok(answer) => answer,
            Err(fault) => return Content::Unread(fault.text()),
        };
        let bytes = match tokio::time::timeout(LONG, answer.body.collect()).await {
            Ok(Ok(bytes)) => bytes.to_vec(),
            Ok(Err(_)) | Err(_) => return Content::Unread("it did not come whole".into()),
        };
        let head = Head::read(&bytes);
        let sound = !whole || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
        match (head.is_whole() && sound, whole) {
            (true, _) => return Content::State(head),
            (false, true) => return Content::Spoilt,
            // Its fields stand in another order than Terraform writes them.
            (false, false) => {}
        }
    }
}

/// A service's words about the state, as an error of the run.
fn said(state: &str, error: &StoreError) -> Error {
    Error::State { state: state.to_owned(), source: error.clone() }
}

/// The MD5 of a state, as Terraform keeps it in its table.
fn hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn timestamp(at: Option<DateTime>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok())
        .unwrap_or_default()
}
