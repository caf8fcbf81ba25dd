//! `doctor`: everything that a run needs, looked at without taking the lock and without changing
//! anything, each with what is wrong, why it matters and what mends it.
//!
//! [`examine`] asks, all at once and for a few seconds at most; each file beside it judges one area,
//! from plain facts to [`Finding`]s.

mod ask;
mod backend;
mod bucket;
mod clock;
mod credentials;
mod examine;
mod finding;
mod folder;
mod permissions;
mod record;
mod render;
mod state;
mod table;
mod terraform;

pub use examine::{Subject, examine};
pub use finding::{Area, Finding, Severity, exit_code};
pub use render::{Document, json, text};
