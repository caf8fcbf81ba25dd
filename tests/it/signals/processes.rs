//! What `/proc` tells about the processes of a test.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The processes whose environment holds `entry` (`NAME=value`), highest id first. Zombies have
/// none.
pub(super) fn with_variable(entry: &str) -> Vec<Pid> {
    let mut found: Vec<Pid> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|line| line == entry.as_bytes()))
        })
        .filter_map(Pid::from_raw)
        .collect();
    found.sort_by_key(|pid| std::cmp::Reverse(pid.as_raw_nonzero()));
    found
}

/// The state letter of a process: `S`, `R`, `T` when it is stopped; `None` when it has gone.
pub(super) fn state(pid: Pid) -> Option<char> {
    field(pid, 0)?.chars().next()
}

/// The process group of a process.
pub(super) fn group(pid: Pid) -> Option<i32> {
    field(pid, 2)?.parse().ok()
}

fn field(pid: Pid, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(index).map(str::to_owned)
}

/// Sends a signal to a process that must be there.
pub(super) fn send(pid: Pid, signal: Signal) {
    kill_process(pid, signal).unwrap();
}
