//! The local store: a folder of record files, for locks of one machine.

mod dir;
mod file;
mod folder;
mod history;
mod latent;
mod name;
mod watch;

pub use folder::LocalStore;
pub use latent::LatentStore;
