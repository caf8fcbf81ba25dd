//! The local store: a folder of record files, for locks of one machine.

mod dir;
mod file;
mod folder;
mod history;
#[cfg(target_os = "linux")]
mod inotify;
mod latent;
mod name;
#[cfg(not(target_os = "linux"))]
mod watch;

#[cfg(target_os = "linux")]
use inotify as watch;

pub use folder::LocalStore;
pub use latent::LatentStore;
