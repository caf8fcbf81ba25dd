//! Versions of the state object, as a list of them is worked with.

use jiff::Timestamp;

use super::head::Head;

/// What a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A state, or something that says enough of itself to be one.
    State(Head),
    /// The object was deleted.
    Deleted,
    /// Nothing: an object of no bytes, which Terraform takes for no state.
    Empty,
    /// No state, or one that is damaged.
    Spoilt,
    /// It could not be read; why.
    Unread(String),
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its ID in the bucket.
    pub id: String,
    /// It is what stands there now.
    pub current: bool,
    /// When it was written, by the service's clock.
    pub at: Timestamp,
    /// Its length in bytes; `None`: it is a deletion.
    pub size: Option<u64>,
    /// What it is.
    pub content: Content,
}

impl Version {
    /// What it says of itself, where it is a state.
    pub fn head(&self) -> Option<&Head> {
        match &self.content {
            Content::State(head) => Some(head),
            _ => None,
        }
    }

    /// Its serial, where it is a state.
    pub fn serial(&self) -> Option<u64> {
        self.head().and_then(|head| head.serial)
    }

    /// Its lineage, where it is a state.
    pub fn lineage(&self) -> Option<&str> {
        self.head().and_then(|head| head.lineage.as_deref())
    }
}
