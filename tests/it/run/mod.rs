//! `tfguard run`: the pipeline under one lock, with real Terraform.

mod approval;
mod outcomes;
mod private;
mod stopped;
mod versions;
