//! What the table and the bucket are like that a lock and a state live in.
//!
//! Facts only, read with calls that change nothing: whether they are good enough is for `doctor`
//! to say, and what is missing is for `setup` to make. Each fact is asked for by itself, since
//! credentials that may use a table need not be allowed to ask everything about it.

mod bucket;
mod client;
mod date;
mod fact;
mod table;

pub use crate::store::S3Config as BucketPlace;
pub use bucket::{Bucket, Versioning};
pub use date::ServerTime;
pub use fact::{Fact, Fault};
pub use table::{Capacity, Consistency, Description, Replica, Table, TimeToLive};

pub use client::{DynamoClient, S3Client};
