//! What `/proc` tells about processes.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};

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

/// Our own children: those that we started and have not reaped, and orphans that we adopted. `None`
/// where the kernel does not tell (without `CONFIG_PROC_CHILDREN`, or before 3.5).
///
/// The list is whole while nobody reaps: the kernel keeps one for each thread, and when a thread ends
/// its children go to another one, an orphan at once to the first that lives. That is the main
/// thread, which is read last.
pub(crate) fn own_children() -> Option<Vec<i32>> {
    let main = rustix::process::getpid().as_raw_nonzero().get();
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let threads = threads.map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut threads: Vec<i32> = threads.collect::<Option<_>>()?;
    threads.retain(|thread| *thread != main);
    let mut children = Vec::new();
    for thread in threads.into_iter().chain([main]) {
        match fs::read_to_string(format!("/proc/self/task/{thread}/children")) {
            Ok(list) => {
                children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()))
            }
            // It has ended.
            Err(error) if error.kind() == ErrorKind::NotFound && thread != main => {}
            Err(_) => return None,
        }
    }
    Some(children)
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
    // At once, whatever it holds: 52 numbers and 15 bytes.
    let mut stat = [0; 2048];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut stat).ok()?;
    parse(&String::from_utf8_lossy(&stat[..length]))
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

    /// Another thread's children are ours too, also after it has ended.
    #[test]
    fn our_children_are_seen_whichever_thread_started_them() {
        let started = || std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut children = vec![started()];
        children.push(std::thread::spawn(started).join().unwrap());
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(started()).unwrap();
            let _ = ended.recv();
        });
        children.push(told.recv().unwrap());
        let seen = own_children().unwrap();
        drop(end);
        thread.join().unwrap();
        for child in &mut children {
            let pid = i32::try_from(child.id()).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(seen.contains(&pid), "{pid} is missing in {seen:?}");
            assert!(!own_children().unwrap().contains(&pid));
        }
    }

    #[test]
    fn we_see_ourselves() {
        let own = rustix::process::getpid();
        assert!(all().iter().any(|process| process.pid == own && !process.zombie));
    }
}
