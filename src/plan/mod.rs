//! Saved plans: whether what one was made from is still what there is.
//!
//! `plan -out FILE` leaves a note beside the plan, `FILE.tfguard.json`, that says under which lock
//! and with which fencing token it was made. `apply FILE` looks at the note once it holds the
//! lock: when a run with a higher token may have changed things since, the plan is stale. The note
//! travels with the plan, as an artifact of the same job. It is bound to the plan's content by a
//! hash, so that it never speaks for another plan of the same name.

mod note;
mod stale;

pub use note::{Note, Under, Unknown, digest, path_of, read, write};
pub use stale::{Ground, Judgement, judge};
