//! The local store under several real processes at once, some of which are killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tfguard::store::{LocalStore, Store};

use super::{PLENTY, contract, name};
use crate::support::folder::Folder;
use crate::support::isolated::{again, block_on};

/// The folder, given to a process that is to work in it.
const DIR: &str = "TFGUARD_TEST_DIR";
/// How often to count.
const TIMES: &str = "TFGUARD_TEST_TIMES";

/// What each of the processes does: it counts, saying when it begins.
fn work() -> bool {
    let Ok(dir) = std::env::var(DIR) else {
        return false;
    };
    let times = std::env::var(TIMES).unwrap().parse().unwrap();
    let store = LocalStore::open(Path::new(&dir)).unwrap();
    println!("\nready");
    block_on(contract::count(&store, &name("counter"), &std::process::id().to_string(), times));
    true
}

/// A process at work, killed if it still is when the test is over.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(test: &str, home: &Path, dir: &Path, times: u64) -> Worker {
    let mut command: Command = again(test, home);
    command.env(DIR, dir).env(TIMES, times.to_string());
    Worker(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

fn wait_ready(worker: &mut Worker) {
    let lines = BufReader::new(worker.0.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
}

fn counted(dir: &Path) -> u64 {
    let store = LocalStore::open(dir).unwrap();
    block_on(store.read(&name("counter"), PLENTY)).unwrap().map_or(0, |record| record.runs)
}

#[test]
fn nothing_is_lost_among_processes() {
    if work() {
        return;
    }
    let test = concat!(module_path!(), "::nothing_is_lost_among_processes");
    let folder = Folder::new();
    // It does not exist yet: they also race for its creation.
    let dir = folder.path().join("locks");
    let workers: Vec<_> = (0..6).map(|_| spawn(test, folder.path(), &dir, 20)).collect();
    for mut worker in workers {
        assert!(worker.0.wait().unwrap().success());
    }
    assert_eq!(counted(&dir), 6 * 20);
}

#[test]
fn a_process_killed_while_it_writes_blocks_nobody_and_breaks_nothing() {
    if work() {
        return;
    }
    let test = concat!(module_path!(), "::a_process_killed_while_it_writes_blocks_nobody_and_breaks_nothing");
    let folder = Folder::new();
    let dir = folder.path().join("locks");
    for _ in 0..6 {
        let mut worker = spawn(test, folder.path(), &dir, u64::MAX);
        wait_ready(&mut worker);
        // Killed in the midst of it: it does nothing but write.
        let before = counted(&dir);
        while counted(&dir) < before + 3 {
            assert_eq!(worker.0.try_wait().unwrap(), None);
            std::thread::yield_now();
        }
        drop(worker);
        let after = counted(&dir);
        let store = LocalStore::open(&dir).unwrap();
        block_on(contract::count(&store, &name("counter"), "survivor", 1));
        assert_eq!(counted(&dir), after + 1);
    }
}
