//! What several tests lean on.

pub(crate) mod browser;
pub(crate) mod dynamo;
pub(crate) mod fault;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod isolated;
pub(crate) mod moto;
pub(crate) mod processes;
pub(crate) mod project;
#[cfg(target_os = "linux")]
pub(crate) mod pty;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod tmux;
