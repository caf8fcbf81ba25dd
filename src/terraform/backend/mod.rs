//! Where Terraform keeps its state, as far as it decides about lock, store and set-up.

mod s3;

pub use s3::S3;
