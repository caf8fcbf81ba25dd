//! The raw arguments of the commands that run something under the lock.

use std::ffi::OsString;

use super::Options;

/// `init`, `plan`, `apply`, `destroy`.
#[derive(Debug, clap::Args)]
pub struct Terraform {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Arguments for Terraform, passed on unchanged
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Apply without asking; needed where there is no terminal
    #[arg(long)]
    pub auto_approve: bool,
    /// Arguments for the plan, passed on unchanged
    #[arg(last = true, value_name = "PLAN ARGS")]
    pub args: Vec<OsString>,
}

/// `drift`.
#[derive(Debug, clap::Args)]
pub struct Drift {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// Arguments for the plan, passed on unchanged
    #[arg(last = true, value_name = "PLAN ARGS")]
    pub args: Vec<OsString>,
}

/// `exec`.
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// Options after the command.
    #[command(flatten)]
    pub options: Options,
    /// The command to run and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub argv: Vec<OsString>,
}
