//! What a run tells GitHub Actions and GitLab, with real Terraform.

mod github;
mod gitlab;
mod refused;
mod runner;
mod started;
mod summary;
