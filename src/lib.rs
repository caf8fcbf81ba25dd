pub mod clock;
pub mod error;
pub mod lease;
pub mod report;
pub mod store;
