//! The child as the guardian sees it: somebody else's child.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::process::{Signal, kill_process, kill_process_group};

use crate::child::Pid;

/// A process that the guardian can stop, and whose end it can see.
#[derive(Debug)]
pub(super) struct Ward {
    pid: Pid,
    group: bool,
    /// Taken while the supervisor keeps the process id from being used again.
    #[cfg(target_os = "linux")]
    pidfd: Option<OwnedFd>,
    outputs: Vec<OwnedFd>,
}

impl Ward {
    pub(super) fn new(pid: Pid, group: bool, outputs: Vec<OwnedFd>) -> Self {
        Self {
            pid,
            group,
            #[cfg(target_os = "linux")]
            pidfd: rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok(),
            outputs,
        }
    }

    /// Whether the child itself still runs.
    pub(super) fn is_alive(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
            return !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1));
        }
        rustix::process::test_kill_process(self.pid).is_ok()
    }

    /// Sends the one SIGINT, and SIGCONT behind it. Only for who has the token.
    pub(super) fn interrupt(&self) {
        for signal in [Signal::INT, Signal::CONT] {
            // Gone in the meantime is fine.
            let _ = if self.group { kill_process_group(self.pid, signal) } else { self.send(signal) };
        }
    }

    /// Kills the child, its group and whatever else runs under `session`.
    pub(super) fn kill_everything(&self, session: &str) {
        let _ = self.send(Signal::KILL);
        let _ = kill_process_group(self.pid, Signal::KILL);
        for pid in marked(session) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// After the child's own end: kills what it left. Whether nothing is left.
    pub(super) fn bury(&self, session: &str) -> bool {
        let left = marked(session);
        if left.is_empty() && !self.group_is_alive() {
            return true;
        }
        self.kill_everything(session);
        false
    }

    /// Whether a member of the group runs. On Linux [`marked`] looks at every process, and the
    /// group's members are among them unless they cleared their environment.
    fn group_is_alive(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            processes().any(|pid| is_running_in_group(pid, self.pid))
        }
        #[cfg(not(target_os = "linux"))]
        {
            rustix::process::test_kill_process_group(self.pid).is_ok()
        }
    }

    /// Reads the child's output away, so that it neither blocks nor dies of a broken pipe.
    pub(super) fn drain(&mut self) {
        for output in self.outputs.drain(..) {
            let name = "drain".to_owned();
            // Without the thread the child may block; the lease's end sees to it then.
            let _ = thread::Builder::new().name(name).spawn(move || {
                let mut reader = std::fs::File::from(output);
                let mut buffer = vec![0; 64 * 1024];
                while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
            });
        }
    }

    fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            return rustix::process::pidfd_send_signal(pidfd, signal);
        }
        kill_process(self.pid, signal)
    }
}

/// Every process that runs with `TFGUARD_SESSION` set to `session`: the child and what it started,
/// also when that went away into a session of its own. The supervisor's death has left them to
/// init, so that no family tie leads to them any more.
#[cfg(target_os = "linux")]
fn marked(session: &str) -> Vec<Pid> {
    let mark = format!("TFGUARD_SESSION={session}");
    let own = rustix::process::getpid();
    processes()
        .filter(|pid| *pid != own)
        .filter(|pid| {
            // A zombie's environment is empty, and somebody else's cannot be read.
            std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn marked(_session: &str) -> Vec<Pid> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn processes() -> impl Iterator<Item = Pid> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
}

/// Reads `/proc/<pid>/stat`: `pid (name) state ppid pgrp …`, where the name may hold anything.
#[cfg(target_os = "linux")]
fn is_running_in_group(pid: Pid, group: Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) else {
        return false;
    };
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let running = !matches!(fields.first(), Some(&("Z" | "X")));
    running && fields.get(2).and_then(|field| field.parse().ok()).and_then(Pid::from_raw) == Some(group)
}
