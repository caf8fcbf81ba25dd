//! Processes that are not the test's own children.

use rustix::process::{Pid, test_kill_process};

/// A process as `/proc` shows it.
struct Process {
    pid: Pid,
    parent: i32,
    zombie: bool,
}

/// What `pid` has started, and what that has started. Nothing where there is no `/proc`.
pub(crate) fn descendants(pid: Pid) -> Vec<Pid> {
    let processes: Vec<Process> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?))
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        next += 1;
        let parent = parent.as_raw_nonzero().get();
        family.extend(processes.iter().filter(|process| process.parent == parent).map(|process| process.pid));
    }
    family.split_off(1)
}

/// Whether a process is there and not a zombie.
pub(crate) fn is_alive(pid: Pid) -> bool {
    match look(pid.as_raw_nonzero().get()) {
        Some(process) => !process.zombie,
        // Without `/proc` a zombie looks alive.
        None => !std::path::Path::new("/proc/self").exists() && test_kill_process(pid).is_ok(),
    }
}

/// The arguments that a process was started with.
pub(crate) fn arguments(pid: Pid) -> Vec<String> {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
}

fn look(pid: i32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name before it may hold blanks and brackets.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    Some(Process {
        pid: Pid::from_raw(pid)?,
        parent: fields.next()?.parse().ok()?,
        zombie: matches!(state, "Z" | "X"),
    })
}
