//! The note beside a saved plan.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::draft;

/// The only layout this version reads and writes.
const SCHEMA: u64 = 1;
/// What follows the plan's name.
const ENDING: &str = ".tfguard.json";
/// A file that is larger is no note.
const LARGEST: u64 = 64 * 1024;

/// A lock under which a plan was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Under {
    /// The lock.
    pub lock: String,
    /// Its store, in words.
    pub store: String,
    /// The fencing token of the run that made the plan.
    pub generation: u64,
    /// The number of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
}

/// Where and when a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Layout, 1.
    pub schema: u64,
    /// The lock it was made under.
    #[serde(flatten)]
    pub under: Under,
    /// The others, where it was made under several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Under>,
    /// When it was made, by the wall clock of the machine that made it. For people.
    pub created: Timestamp,
    /// SHA-256 of the plan, in hexadecimal.
    pub sha256: String,
}

/// Why nothing is known of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It was made without tfguard, or copied without its note.
    #[error("there is no {0} beside it: it was made without tfguard, or copied without that file")]
    Absent(String),
    /// The note cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, String),
    /// The note is that of another plan.
    #[error("{0} belongs to another plan of that name")]
    Another(String),
}

impl Note {
    /// The note of a plan with the hash `sha256`, made under `locks`.
    pub fn new(locks: Vec<Under>, created: Timestamp, sha256: String) -> Self {
        let mut locks = locks.into_iter();
        let under = locks.next().unwrap_or_default();
        Self { schema: SCHEMA, under, others: locks.collect(), created, sha256 }
    }

    /// All the locks under which the plan was made.
    pub fn locks(&self) -> impl Iterator<Item = &Under> {
        std::iter::once(&self.under).chain(&self.others)
    }
}

/// Where the note of `plan` is.
pub fn path_of(plan: &Path) -> PathBuf {
    let mut path = OsString::from(plan);
    path.push(ENDING);
    path.into()
}

/// The hash of a file's content, as it stands in a note.
///
/// # Errors
/// The file cannot be read.
pub fn digest(plan: &Path) -> io::Result<String> {
    let mut file = File::open(plan)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes the note of `plan`, mode 0600, in place of one that is there.
///
/// # Errors
/// The note cannot be written; one that was there before still is.
pub fn write(plan: &Path, note: &Note) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(note)?;
    json.push(b'\n');
    draft::replace(&path_of(plan), &json)
}

/// The note of `plan`, if there is one that speaks of its content.
///
/// # Errors
/// [`Unknown`], why nothing is known.
pub fn read(plan: &Path) -> Result<Note, Unknown> {
    let path = path_of(plan);
    let shown = path.display().to_string();
    let unreadable = |cause: String| Unknown::Unreadable(shown.clone(), cause);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Unknown::Absent(shown)),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(unreadable(format!("its layout is number {other}; a newer tfguard wrote it")));
        }
        None => return Err(unreadable("it has no schema number".into())),
    }
    let note: Note = serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
    match digest(plan) {
        Ok(sha256) if sha256 == note.sha256 => Ok(note),
        Ok(_) => Err(Unknown::Another(shown)),
        Err(error) => Err(unreadable(format!("the plan itself cannot be read: {error}"))),
    }
}
