//! What operators do to a lock from outside: ask its holder to stop, or take an entry out.

mod unlock;

pub use unlock::{Done, Request, unlock};
