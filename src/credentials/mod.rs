//! How long the AWS credentials last that the child will work with.
//!
//! They are the child's own affair: it reads the environment and the AWS files by itself, and a
//! `provider` block may say something else again. What can be known from outside is an
//! [`Outlook`]; what follows from it is the user's [`Demands`]; [`Watch`] keeps an eye on both while
//! the child runs. The credentials of the lock are another matter: see [`crate::store`].

mod demands;
mod outlook;
mod watch;

pub use demands::Demands;
pub use outlook::{End, Outlook, Source};
pub use watch::{Notice, Watch};
