//! The child as the guardian sees it: somebody else's child.

use std::io::PipeReader;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Signal, kill_process, kill_process_group};

use super::relay::Relay;
#[cfg(target_os = "linux")]
use crate::child::proc::{self, Process};
use crate::child::{Pid, Pumps};
#[cfg(target_os = "linux")]
use crate::escape;
use crate::report::Stream;

/// A process that the guardian can stop, and whose end it can see.
#[derive(Debug)]
pub(super) struct Ward {
    pid: Pid,
    group: bool,
    /// Taken while the supervisor keeps the process id from being used again.
    handle: Handle,
    outputs: Vec<(Stream, OwnedFd)>,
    /// It showed that it was interrupted.
    pub(super) interrupted: bool,
}

#[derive(Debug)]
enum Handle {
    #[cfg(target_os = "linux")]
    Pidfd(OwnedFd),
    /// There are no such descriptors here.
    Number,
    /// It had ended before we were told of it. Its number may be somebody else's by now.
    Gone,
}

impl Ward {
    pub(super) fn new(pid: Pid, group: bool, outputs: Vec<(Stream, OwnedFd)>) -> Self {
        Self { pid, group, handle: Handle::of(pid), outputs, interrupted: false }
    }

    /// The child of a supervisor that died before it could tell us: the leader of a group that
    /// runs under `session`.
    #[cfg(target_os = "linux")]
    pub(super) fn find(session: &str, group: bool) -> Option<Self> {
        let leads = |process: &Process| process.group == process.pid.as_raw_nonzero().get();
        let child =
            proc::all().into_iter().find(|process| leads(process) && proc::runs_under(process.pid, session));
        child.map(|process| Self::new(process.pid, group, Vec::new()))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn find(_session: &str, _group: bool) -> Option<Self> {
        None
    }

    /// Whether the child itself still runs.
    pub(super) fn is_alive(&self) -> bool {
        match &self.handle {
            #[cfg(target_os = "linux")]
            Handle::Pidfd(pidfd) => {
                use rustix::event::{PollFd, PollFlags, Timespec, poll};
                let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
                !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
            }
            Handle::Number => rustix::process::test_kill_process(self.pid).is_ok(),
            Handle::Gone => false,
        }
    }

    /// Sends the one SIGINT, and SIGCONT behind it. Only for who has the token.
    pub(super) fn interrupt(&self) {
        for signal in [Signal::INT, Signal::CONT] {
            // Gone in the meantime is fine.
            let _ = match self.group {
                true if self.is_alive() => kill_process_group(self.pid, signal),
                true => Ok(()),
                false => self.send(signal),
            };
        }
    }

    /// Kills the child, its group and whatever else runs under `session`.
    pub(super) fn kill_everything(&self, session: &str) {
        if self.is_alive() {
            let _ = self.send(Signal::KILL);
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        self.kill_left(session);
    }

    /// After the child's own end: kills what it left. What was left, as `name (pid 123)`.
    pub(super) fn bury(&self, session: &str) -> Vec<String> {
        self.kill_left(session)
    }

    /// Kills what runs under `session`, also what went away into a session of the system's: the
    /// supervisor's death has left it to init, and no family tie leads to it any more. The members
    /// of the child's group may have cleared their environment, and are killed too.
    #[cfg(target_os = "linux")]
    fn kill_left(&self, session: &str) -> Vec<String> {
        let own = rustix::process::getpid();
        // Not a number that means nobody: kernel threads, init and whoever is seen from inside a
        // container have group 0.
        let group = match self.handle {
            Handle::Gone => None,
            _ => Some(self.pid.as_raw_nonzero().get()),
        };
        proc::all()
            .into_iter()
            .filter(|process| !process.zombie && process.pid != own)
            .filter(|process| Some(process.group) == group || proc::runs_under(process.pid, session))
            .map(|process| {
                let _ = kill_process(process.pid, Signal::KILL);
                format!("{} (pid {})", escape::field(&process.name), process.pid.as_raw_nonzero())
            })
            .collect()
    }

    #[cfg(not(target_os = "linux"))]
    fn kill_left(&self, _session: &str) -> Vec<String> {
        match (&self.handle, kill_process_group(self.pid, Signal::KILL)) {
            (Handle::Gone, _) | (_, Err(_)) => Vec::new(),
            (_, Ok(())) => vec![format!("group {}", self.pid.as_raw_nonzero())],
        }
    }

    /// Carries the child's output on, so that it neither blocks nor dies of a broken pipe. Nothing
    /// the second time.
    pub(super) fn carry(&mut self, relay: &Relay) -> Pumps {
        let mut pumps = Pumps::new();
        for (stream, output) in self.outputs.drain(..) {
            // Without the thread the child may block; the lease's end sees to it then.
            let _ = pumps.add(PipeReader::from(output), relay.sink(stream));
        }
        pumps
    }

    fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        match &self.handle {
            #[cfg(target_os = "linux")]
            Handle::Pidfd(pidfd) => rustix::process::pidfd_send_signal(pidfd, signal),
            Handle::Number => kill_process(self.pid, signal),
            Handle::Gone => Err(Errno::SRCH),
        }
    }
}

impl Handle {
    #[cfg(target_os = "linux")]
    fn of(pid: Pid) -> Self {
        match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            Ok(pidfd) => Self::Pidfd(pidfd),
            Err(Errno::SRCH) => Self::Gone,
            Err(_) => Self::Number,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(pid: Pid) -> Self {
        match rustix::process::test_kill_process(pid) {
            Err(Errno::SRCH) => Self::Gone,
            _ => Self::Number,
        }
    }
}

/// Whether a command that was started under `session` runs on this machine. Off Linux nobody can
/// tell, and the answer is no.
pub fn anything_runs_under(session: &str) -> bool {
    #[cfg(target_os = "linux")]
    {
        proc::all().iter().any(|process| !process.zombie && proc::runs_under(process.pid, session))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = session;
        false
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use super::*;

    /// A child as the supervisor starts it, with a process of its own in another session.
    fn child(session: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "setsid sleep 301 & exec sleep 302"]).env("TFGUARD_SESSION", session);
        command.process_group(0).spawn().unwrap()
    }

    #[test]
    fn a_child_that_nobody_told_of_is_found_and_buried_with_all_it_started() {
        let mut child = child("found-by-its-mark");
        assert!(Ward::find("found-by-another-mark", false).is_none());
        let ward = Ward::find("found-by-its-mark", false).unwrap();
        assert_eq!(ward.pid.as_raw_nonzero().get(), i32::try_from(child.id()).unwrap());
        assert!(ward.is_alive());
        ward.kill_everything("found-by-its-mark");
        child.wait().unwrap();
        assert!(!ward.is_alive());
        while !ward.bury("found-by-its-mark").is_empty() {}
        assert!(Ward::find("found-by-its-mark", false).is_none());
    }

    #[test]
    fn a_child_that_had_ended_before_we_were_told_is_left_alone() {
        let mut child = Command::new("true").process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        child.wait().unwrap();
        let ward = Ward::new(pid, true, Vec::new());
        assert!(!ward.is_alive());
        assert!(matches!(ward.handle, Handle::Gone));
        assert_eq!(ward.bury("nobody"), Vec::<String>::new());
    }
}
