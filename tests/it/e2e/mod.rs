//! The whole program from end to end: real Terraform under a real lock, over local files and over
//! DynamoDB. Signals and terminals have a module of their own.

mod exit_codes;
mod init;
mod json;
mod locks;
mod queue;
mod status;
mod text;
mod volume;
