//! What `/proc` tells about processes.

use std::fs;

use rustix::process::Pid;

/// A process as `/proc/<pid>/stat` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// The program's name, cut to 15 bytes by the kernel. It may hold anything.
    pub(crate) name: String,
    /// Ended, and not reaped yet.
    pub(crate) zombie: bool,
    pub(crate) parent: i32,
    pub(crate) group: i32,
}

/// Every process that can be seen. One that ends while we look may be missing.
pub(crate) fn all() -> Vec<Process> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// Whether the process was started under `session`, alone or with other sessions around it: its
/// `TFGUARD_SESSION` lists it. A zombie has none, and somebody else's cannot be read.
pub(crate) fn runs_under(pid: Pid, session: &str) -> bool {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
        .is_ok_and(|environ| lists(&environ, session.as_bytes()))
}

fn lists(environ: &[u8], session: &[u8]) -> bool {
    environ
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.strip_prefix(b"TFGUARD_SESSION="))
        .any(|list| list.split(|byte| *byte == b',').any(|one| one == session))
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(&String::from_utf8_lossy(&stat))
}

/// `pid (name) state ppid pgrp …`, where the name may hold blanks and brackets.
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    Some(Process {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        name: name.to_owned(),
        zombie: matches!(state, "Z" | "X"),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process = parse("42 (a) b (c) S 1 7 7 0 -1").unwrap();
        assert_eq!((process.name.as_str(), process.parent, process.group), ("a) b (c", 1, 7));
        assert!(!process.zombie);
        assert!(parse("42 (x) Z 1 7").unwrap().zombie);
        assert_eq!(parse("42"), None);
    }

    #[test]
    fn a_session_is_found_among_those_around_it() {
        let environ = b"A=s1\0TFGUARD_SESSION=s1,s2\0B=s3\0";
        assert!(lists(environ, b"s1") && lists(environ, b"s2"));
        assert!(!lists(environ, b"s") && !lists(environ, b"s3") && !lists(environ, b"s1,s2"));
    }

    #[test]
    fn we_see_ourselves() {
        let own = rustix::process::getpid();
        assert!(all().iter().any(|process| process.pid == own && !process.zombie));
    }
}
