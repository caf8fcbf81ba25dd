//! What operators do to a lock from outside: ask its holder to stop, or take an entry out.

mod amend;
mod unlock;

pub use amend::{recovered, rescued};
pub use unlock::{Done, Request, unlock};
