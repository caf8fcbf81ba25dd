//! The whole program from end to end: real Terraform under a real lock, over local files and over
//! DynamoDB, and in part over S3. Signals and terminals have a module of their own.

mod bad_input;
mod bad_record;
mod bad_table;
mod dropin;
mod exit_codes;
mod init;
mod json;
mod limits;
pub(crate) mod locks;
mod queue;
mod s3;
mod status;
mod surroundings;
mod takeover;
mod text;
mod unlock;
mod volume;
