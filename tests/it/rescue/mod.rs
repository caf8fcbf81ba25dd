//! What a run leaves to those after it, with real Terraform: a state that could not be written, and
//! plans that are stale.

mod backend;
mod kept;
mod site;
mod stale;
