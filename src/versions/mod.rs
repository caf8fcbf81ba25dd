//! Earlier versions of a state: which there are in a bucket that keeps them, and bringing one back.
//!
//! Terraform itself writes what is brought back (`terraform state push`), so that its own lock,
//! digest and checks stay what they are. Only where Terraform finds no present state that it can
//! read is the object mended first; see [`Object::mend`].
//!
//! - [`Head`], [`State`]: what a state says of itself. The rest of it is never looked at, since
//!   states hold secrets.
//! - [`Wanted`]: which version was asked for.
//! - [`Place`], [`Object`]: the state object, its versions, its digest and Terraform's lock.

mod head;
mod list;
mod object;
mod place;
mod state;
mod wanted;

pub use head::Head;
pub use list::{Content, Version};
pub use object::{Fetched, Object, Present};
pub use place::Place;
pub use state::{State, StateError};
pub use wanted::Wanted;
