//! The S3 store: one object per lock, written on condition, in the state's own bucket or another.

mod bucket;
mod config;
mod error;
mod history;
pub(crate) mod key;
mod list;
mod many;
mod requests;
mod trial;

pub use bucket::S3Store;
pub use config::S3Config;
