//! `setup`: what a lock needs on AWS, written as code or made.
//!
//! Names, code and judgement are pure. What is made is made step by step, each of which may have
//! been done before, by us or by somebody else at this moment: a command that was stopped is given
//! again, and two at once do not fight. What was there before is looked at and left alone.

mod backend;
mod blueprint;
mod bucket;
mod code;
mod flaw;
mod hcl;
mod make;
pub mod names;
mod patience;
mod progress;
mod repair;
mod table;

pub use backend::BackendFile;
pub use blueprint::{Blueprint, DEFAULT_TABLE, KEY, MANAGED_BY, TTL};
pub use code::{cloudformation, terraform};
pub use make::{Way, make};
