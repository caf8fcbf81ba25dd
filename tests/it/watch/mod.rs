//! `status --watch`: at a real terminal, over real runs, and without one.

mod restored;
mod seen;
mod stream;

use crate::e2e::locks::Locks;
use crate::support::project::Project;
use crate::support::run::{Run, Started};
use crate::support::tmux::Tmux;

/// A terminal for the locks of a store.
fn terminal<'a>(locks: &Locks, project: &'a Project) -> Tmux<'a> {
    Tmux::start(project, |run| locks.named_in(run))
}

/// A run of `lock` that was started by `actor`.
fn run(locks: &Locks, project: &Project, actor: &str, lock: &str) -> Run {
    locks.run(project).env("TFGUARD_LOCK", lock).env("USER", actor)
}

/// A run that holds `lock` until its standard input ends.
fn hold(locks: &Locks, project: &Project, actor: &str, lock: &str) -> Started {
    let mut held = run(locks, project, actor, lock).args(["exec", "--", "cat"]).stdin_open().start();
    held.wait_for("child_started");
    held
}

fn release(mut held: Started) {
    held.close_stdin();
    held.finish().exits(0);
}
