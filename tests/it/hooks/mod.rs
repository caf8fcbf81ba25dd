//! Hooks, with real processes: each is told once what happened, and none of them can do anything to
//! the run.

#[cfg(target_os = "linux")]
mod apart;
mod bounded;
#[cfg(target_os = "linux")]
mod killed;
mod site;
mod told;
