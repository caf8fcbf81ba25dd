//! Without a terminal: JSON for every change.

use rustix::process::Signal;
use serde_json::Value;

use super::{hold, release, run};
use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::Started;
use crate::support::schema;
use crate::support::tmux::signal;

over_both_stores![every_change_is_a_line, all_locks_are_a_stream];

/// The whole lines so far: lock and state, with who holds it.
fn lines(run: &Started) -> Vec<String> {
    let text = String::from_utf8(run.stdout_so_far()).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let told = whole.lines().map(|line| {
        let document: Value = serde_json::from_str(line).unwrap();
        schema::check("status", &document);
        let queue = document["queue"].as_array().unwrap().len();
        let who = document["holders"][0]["identity"]["actor"].as_str().unwrap_or("nobody").to_owned();
        format!(
            "{} {} {who} {queue}",
            document["lock"].as_str().unwrap(),
            document["state"].as_str().unwrap()
        )
    });
    told.collect()
}

/// Waits for a line, and that it comes once.
#[track_caller]
fn wait(stream: &mut Started, line: &str) {
    stream.wait_until(line, |stream| lines(stream).contains(&line.to_owned()).then_some(()));
}

fn every_change_is_a_line(locks: &Locks) {
    let project = Project::hello();
    let mut stream = locks.run(&project).args(["status", "--watch", "--json"]).start();
    wait(&mut stream, "e2e free nobody 0");
    let holder = hold(locks, &project, "alice", "e2e");
    wait(&mut stream, "e2e held alice 0");
    let mut waiter = run(locks, &project, "bob", "e2e").args(["exec", "--", "true"]).start();
    waiter.wait_for("lock_waiting");
    wait(&mut stream, "e2e held alice 1");
    release(holder);
    waiter.finish().exits(0);
    let ended = |stream: &Started| lines(stream).last().is_some_and(|line| line == "e2e free nobody 0");
    stream.wait_until("the end", |stream| (lines(stream).len() > 3 && ended(stream)).then_some(()));
    signal(stream.pid(), Signal::TERM);
    stream.finish().exits(143);
}

fn all_locks_are_a_stream(locks: &Locks) {
    let project = Project::hello();
    let mut stream =
        locks.run(&project).args(["status", "--watch", "--all", "--json", "--prefix", "net/"]).start();
    let first = hold(locks, &project, "alice", "net/a");
    wait(&mut stream, "net/a held alice 0");
    let other = hold(locks, &project, "erin", "db");
    let second = hold(locks, &project, "bob", "net/b");
    wait(&mut stream, "net/b held bob 0");
    release(first);
    release(second);
    release(other);
    wait(&mut stream, "net/a free nobody 0");
    wait(&mut stream, "net/b free nobody 0");
    assert!(!lines(&stream).iter().any(|line| line.starts_with("db ")), "{:?}", lines(&stream));
    signal(stream.pid(), Signal::INT);
    stream.finish().exits(130);
}

#[test]
fn off_a_terminal_it_says_what_to_give() {
    let locks = Locks::local();
    let project = Project::hello();
    let refused = locks.run(&project).args(["status", "--watch"]).output().exits(64);
    refused.says(&["no terminal", "--watch --json"]);
    locks.run(&project).args(["status", "--watch", "--check"]).output().exits(64);
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let locks = Locks::local();
    let project = Project::hello();
    let (reader, writer) = std::io::pipe().unwrap();
    let stream = locks.run(&project).args(["status", "--watch", "--json"]).stdout(writer).start();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
    assert!(lines.next().unwrap().unwrap().contains("\"free\""));
    drop(lines);
    release(hold(&locks, &project, "alice", "e2e"));
    stream.finish().exits(0);
}
