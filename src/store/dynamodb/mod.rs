//! The DynamoDB store: one item per lock, in a table that may be Terraform's own lock table.

mod config;
mod error;
mod history;
pub(crate) mod item;
pub(crate) mod key;
mod shape;
mod table;

pub use config::DynamoConfig;
pub use key::{KeyFault, KeyPart};
pub use table::DynamoStore;
