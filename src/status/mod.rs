//! What a lock is like now: as text, as JSON, and as a row among all locks of a store.
//!
//! All of it is pure but [`sweep`], which asks the store for its locks page by page. [`View`] is one
//! lock as it was found, [`Brief`] what stays of it in a list of thousands. Everything that comes
//! from a record is escaped here: others can write to it.

pub mod brief;
pub mod columns;
pub mod document;
pub mod sweep;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
mod view;
pub mod words;

pub use brief::{Brief, Condition, Ended, Held, Tally};
pub use sweep::sweep;
pub use view::View;
