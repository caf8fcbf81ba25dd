//! The history as one page of HTML that stands for itself: nothing is loaded from elsewhere, and
//! without its script it is whole.
//!
//! `figures`, [`spread`], [`scale`], [`timeline`] and [`overview`] turn runs into what is drawn,
//! [`line`] into the table; [`render`] puts that into the templates beside it. All of it is pure. Lengths
//! along the time axis are per cent of the drawing's width, so that a drawing fits every screen
//! while its text keeps its size.

mod figures;
mod kind;
mod line;
mod link;
mod overview;
mod policy;
mod render;
mod run;
mod scale;
mod shape;
mod spread;
mod ticks;
mod timeline;

#[cfg(test)]
mod tests;

pub use render::render;

use jiff::Timestamp;

use super::Row;
use crate::lease::{LockName, Record};

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The locks, each with its runs.
    pub locks: &'a [Book<'a>],
    /// Where the history was cut off: only runs that ended after this were asked for.
    pub since: Option<Timestamp>,
    /// The time by this machine's wall clock.
    pub now: Timestamp,
    /// The version of the program that made it.
    pub version: &'a str,
}

/// The runs of one lock as they were found.
#[derive(Debug, Clone, Copy)]
pub struct Book<'a> {
    /// The lock.
    pub lock: &'a LockName,
    /// Its store in words.
    pub store: &'a str,
    /// Its record: who holds and who waits.
    pub record: Option<&'a Record>,
    /// The newest first.
    pub rows: &'a [Row],
}
