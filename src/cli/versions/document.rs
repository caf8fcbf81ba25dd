//! The versions as JSON.

use serde::Serialize;

use super::{View, writer};
use crate::escape;
use crate::lease::{Outcome, PastRun};
use crate::report::json as ndjson;
use crate::report::parts::{self, Stamp, Who};
use crate::versions::{Content, Version};

/// The earlier versions of a state object.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// Where the state is: `s3://BUCKET/KEY`.
    state: &'a str,
    /// Its versions, the newest first.
    versions: Vec<Entry>,
}

/// One version.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entry {
    /// Its ID in the bucket.
    version: String,
    /// It is the one that Terraform reads.
    current: bool,
    /// When it was written. The bucket cuts this to whole seconds.
    written_at: Stamp,
    /// Its size in bytes.
    size: Option<u64>,
    /// What it holds.
    content: Kind,
    /// Why it could not be read; only with `content` `not_read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    error: Option<String>,
    /// The state's serial number.
    serial: Option<u64>,
    /// The state's lineage.
    lineage: Option<String>,
    /// The Terraform that wrote it.
    terraform_version: Option<String>,
    /// The run that held the lock when it was written, as far as clocks and the history tell.
    run: Option<Writer>,
}

/// What a version holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A state.
    State,
    /// Nothing: the object was deleted.
    Deleted,
    /// Nothing at all: no bytes.
    Empty,
    /// Something that is no state.
    NotAState,
    /// Unknown: it could not be read.
    NotRead,
}

/// The run that wrote a version.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Writer {
    /// Its number under the lock.
    run: u64,
    /// How it ended.
    outcome: Outcome,
    /// Who it was.
    identity: Who,
}

/// One JSON document on one line, with its newline. Its fields are described in [`Document`].
pub fn json(view: View<'_>) -> Vec<u8> {
    let entries = view.versions.iter().map(|version| Entry::new(version, writer(view.runs, version.at)));
    ndjson::document(&Document { state: view.state, versions: entries.collect() })
}

impl Entry {
    fn new(version: &Version, run: Option<&PastRun>) -> Self {
        let (content, error) = match &version.content {
            Content::State(_) => (Kind::State, None),
            Content::Deleted => (Kind::Deleted, None),
            Content::Empty => (Kind::Empty, None),
            Content::Spoilt => (Kind::NotAState, None),
            Content::Unread(why) => (Kind::NotRead, parts::field(Some(why))),
        };
        let head = version.head();
        Self {
            version: escape::field(&version.id).into_owned(),
            current: version.current,
            written_at: Stamp(version.at),
            size: version.size,
            content,
            error,
            serial: version.serial(),
            lineage: parts::field(version.lineage()),
            terraform_version: parts::field(head.and_then(|head| head.terraform_version.as_deref())),
            run: run.map(|run| Writer {
                run: run.run,
                outcome: run.outcome,
                identity: Who::from(&run.identity),
            }),
        }
    }
}
