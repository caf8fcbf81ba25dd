//! What CI runners do to the jobs that we ship: the GitHub action and GitLab's job scripts, with
//! real node, shells and Terraform. The runners are played: their signals in their order and at
//! their times, their files, their clean-up. `pages` does the same with the recipes in `docs/ci`.

#![cfg(target_os = "linux")]

mod github;
mod gitlab;
mod install;
mod job;
mod outputs;
mod pages;
mod pipeline;
mod recipes;
