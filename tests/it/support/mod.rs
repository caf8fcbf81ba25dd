//! What several tests lean on.

pub(crate) mod dynamo;
pub(crate) mod fault;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod isolated;
pub(crate) mod moto;
