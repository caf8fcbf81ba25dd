//! Runs that are over: written down for people, read back to say how long a wait may take, and
//! shown as a page.

mod estimate;
pub mod page;
mod past;
mod row;
pub mod words;
mod write;

pub use estimate::{Ahead, Estimate, FEWEST, Span, estimate, estimate_at};
pub use past::{Past, RECENT, recent};
pub use row::Row;
pub use write::write;
