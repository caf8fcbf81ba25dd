//! The recipes of `docs/ci`, taken out of their pages and used as each system uses them, with real
//! Terraform and the lock in a DynamoDB of the test's own. What is played is the system around
//! them: its variables, its shells, what it does on a cancel and when.

mod atlantis;
mod buildkite;
mod circleci;
mod github;
mod gitlab;
mod jenkins;
mod page;
mod site;
mod tables;
mod terragrunt;
