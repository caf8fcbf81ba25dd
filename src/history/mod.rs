//! Runs that are over: who writes them down, how they are read back, and what they look like.

pub mod page;
mod row;
pub mod words;
mod write;

pub use row::Row;
pub use write::write;

use std::time::Duration;

/// By the nearest rank.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
