//! Runs that are over: written down for people, read back to say how long a wait may take.

mod estimate;
mod past;
mod write;

pub use estimate::{Ahead, Estimate, FEWEST, Span, estimate, estimate_at};
pub use past::{Past, RECENT, recent};
pub use write::write;
