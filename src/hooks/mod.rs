//! Hooks: commands of the user's that are told of what happens to a lock.
//!
//! Nothing of a hook may reach the run. So hooks are started by a process of their own, the
//! *keeper*, in a session of its own, which is started with a run that has hooks and listens at a
//! socket. What the child leaves behind is swept without it; what a hook leaves behind ends with
//! it; and when the supervisor dies, the socket ends, and with it the keeper and every hook.
//!
//! - [`settings`]: which command for what, and how long it may take.
//! - [`tap`]: which events are worth a hook. Pure.
//! - [`schedule`]: which hook is started next, and which one killed when. Pure.
//! - [`Hooks`]: the supervisor's end, a listener of its [`Reporter`](crate::report::Reporter).
//! - [`main`]: the keeper; `errand`: one hook under way; `wire`: what they say to each other.

mod errand;
mod handle;
mod keeper;
pub mod schedule;
pub mod settings;
pub mod tap;
mod wire;

pub use handle::Hooks;
pub use keeper::{ARGUMENT, main};
pub use settings::Settings;
