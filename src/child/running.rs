//! A child that runs, or has run.

use std::io::{self, PipeReader};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

use super::spawn::Target;
use crate::report::event::Ended;

/// The child. Dropping this neither stops nor reaps it.
///
/// No signal can reach a stranger: the child's process id, and with it the id of its group, stays
/// taken until [`Running::poll`] has reaped it, and from then on nothing is sent.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    target: Target,
    /// `None` where there are none: not Linux, or before 5.3.
    #[cfg(target_os = "linux")]
    pidfd: Option<OwnedFd>,
    /// The same, to be waited for.
    #[cfg(target_os = "linux")]
    end: Option<AsyncFd<OwnedFd>>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    ended: Option<Ended>,
}

impl Running {
    pub(super) fn new(
        pid: Pid,
        target: Target,
        stdout: Option<PipeReader>,
        stderr: Option<PipeReader>,
    ) -> Self {
        #[cfg(target_os = "linux")]
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
        Self {
            pid,
            target,
            #[cfg(target_os = "linux")]
            end: pidfd.as_ref().and_then(|pidfd| crate::system::awaitable(pidfd.try_clone().ok()?).ok()),
            #[cfg(target_os = "linux")]
            pidfd,
            stdout,
            stderr,
            ended: None,
        }
    }

    /// The child's process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The child's process id as a number.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The child's process group, which it leads.
    pub fn pgid(&self) -> Pid {
        self.pid
    }

    /// The reading ends of the child's stdout and stderr, where they are pipes; once.
    pub fn take_output(&mut self) -> (Option<PipeReader>, Option<PipeReader>) {
        (self.stdout.take(), self.stderr.take())
    }

    /// Sends exactly one SIGINT to the target, and SIGCONT after it, since a stopped process takes
    /// notice only when it goes on. Nothing is sent to a child that has been reaped.
    ///
    /// # Errors
    /// When the system refuses: the child runs as another user.
    pub fn interrupt(&self) -> io::Result<()> {
        self.send(Signal::INT)?;
        self.send(Signal::CONT)
    }

    /// Lets a stopped child, and what stopped with it in its group, go on.
    ///
    /// # Errors
    /// When the system refuses: the child runs as another user.
    pub fn resume(&self) -> io::Result<()> {
        match self.ended {
            Some(_) => Ok(()),
            None => gone_is_fine(kill_process_group(self.pid, Signal::CONT)),
        }
    }

    /// Kills the child's process. What else is left of it is for [`Leftovers`](super::Leftovers).
    ///
    /// # Errors
    /// When the system refuses: the child runs as another user.
    pub fn kill(&self) -> io::Result<()> {
        match self.ended {
            Some(_) => Ok(()),
            None => self.send_to_process(Signal::KILL),
        }
    }

    /// How the child ended, if it has; reaps it the first time. Never blocks.
    pub fn poll(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = match self.wait(WaitIdOptions::EXITED) {
                Ok(status) => status.as_ref().map(ended),
                // Reaped behind our back, which nothing in this process does. How it ended is
                // unknown, and unknown must not pass for success.
                Err(Errno::CHILD) => Some(Ended::Signal(Signal::KILL.as_raw())),
                Err(_) => None,
            };
        }
        self.ended
    }

    /// Returns when the child has ended, at once and without the detour of SIGCHLD, which tells of the same;
    /// never where the system cannot tell.
    pub async fn end(&self) {
        #[cfg(target_os = "linux")]
        if let Some(end) = &self.end
            && end.readable().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// The signal that stopped the child, once for every time that it was stopped: SIGSTOP, or
    /// SIGTTIN when it read a terminal that it does not have. Never blocks.
    pub fn stopped(&self) -> Option<i32> {
        if self.ended.is_some() {
            return None;
        }
        self.wait(WaitIdOptions::STOPPED).ok().flatten().and_then(|status| status.stopping_signal())
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match (self.ended, self.target) {
            (Some(_), _) => Ok(()),
            (None, Target::Process) => self.send_to_process(signal),
            (None, Target::Group) => gone_is_fine(kill_process_group(self.pid, signal)),
        }
    }

    fn send_to_process(&self, signal: Signal) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            return gone_is_fine(rustix::process::pidfd_send_signal(pidfd, signal));
        }
        gone_is_fine(rustix::process::kill_process(self.pid, signal))
    }

    fn wait(&self, what: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
        loop {
            match waitid(WaitId::Pid(self.pid), what | WaitIdOptions::NOHANG) {
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }
}

fn ended(status: &WaitIdStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        // waitid was asked for ends only, so that one of the two is set.
        (None, None) => Ended::Signal(Signal::KILL.as_raw()),
    }
}

/// A process that ended in the meantime needs no signal any more.
fn gone_is_fine(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
