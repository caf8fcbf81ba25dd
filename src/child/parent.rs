//! The death of whoever started us.
//!
//! A CI runner stops a step by signalling its shell, and a shell that dies of a signal passes none
//! on. What it ran goes on without anybody who reads its output or waits for its end, and holds
//! the lock.

use std::io;
use std::thread;

use rustix::process::{Pid, getppid};
use tokio::sync::mpsc::UnboundedSender;

use super::signals::Arrival;
use crate::system;

/// The process that started us.
#[derive(Debug, Clone, Copy)]
pub struct Parent(Pid);

impl Parent {
    /// Our parent, when its death says something: not when we were meant to outlive it (SIGHUP is
    /// ignored, as under `nohup`), nor when we were started by init or left to it already.
    pub fn of_ours() -> Option<Self> {
        let parent = getppid().filter(|pid| *pid != Pid::INIT)?;
        let outlives = system::is_ignored(libc::SIGHUP).unwrap_or(true);
        (!outlives).then_some(Self(parent))
    }

    /// Sends [`Arrival::Orphaned`] once when the parent has died, from a thread of its own.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn watch(self, tell: UnboundedSender<Arrival>) -> io::Result<()> {
        let death = Death::of(self.0)?;
        thread::Builder::new().name("parent".into()).spawn(move || {
            death.wait(self.0);
            // Nobody listens at the very end any more.
            let _ = tell.send(Arrival::Orphaned);
        })?;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
struct Death(Option<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Death {
    fn of(parent: Pid) -> io::Result<Self> {
        use rustix::io::Errno;
        use rustix::process::{PidfdFlags, pidfd_open};
        match pidfd_open(parent, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self(Some(pidfd))),
            // It has died already.
            Err(Errno::SRCH) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&self, parent: Pid) {
        use rustix::event::{PollFd, PollFlags, poll};
        let Some(pidfd) = &self.0 else { return };
        // Its number may have been given to somebody else before the descriptor was opened.
        while getppid() == Some(parent) {
            let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return thread::park(),
            }
            if !fds[0].revents().is_empty() {
                return;
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Death;

#[cfg(not(target_os = "linux"))]
impl Death {
    fn of(_parent: Pid) -> io::Result<Self> {
        Ok(Self)
    }

    fn wait(&self, parent: Pid) {
        while getppid() == Some(parent) {
            thread::sleep(std::time::Duration::from_secs(1));
        }
    }
}
