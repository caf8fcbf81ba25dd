//! The terminal: lent to the child, taken back on every way out.
//!
//! A terminal delivers its keys to one process group, the foreground group, and stops whoever else
//! reads from it. The child has a group of its own, so that it needs to be that group to read the
//! answer to a prompt; and a Ctrl-C then reaches it exactly once, from the kernel, and us not at
//! all.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use rustix::termios::{
    OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp,
};
use tokio::sync::oneshot;

use crate::system;

/// A special character that is switched off, `_POSIX_VDISABLE`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DISABLED: u8 = 0;
/// A special character that is switched off, `_POSIX_VDISABLE`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DISABLED: u8 = 0xff;

/// Our controlling terminal, of which we are the foreground group.
#[derive(Debug)]
pub struct Terminal {
    tty: OwnedFd,
    ours: Pid,
    lent: Option<Loan>,
}

#[derive(Debug)]
struct Loan {
    settings: Termios,
    /// Known once the child runs.
    to: Option<Pid>,
}

impl Terminal {
    /// The terminal, if we have one and our process group is its foreground group, whatever our
    /// standard streams are. `None` in the background, under `nohup` without a terminal, in CI.
    ///
    /// To be asked directly before each child is started: while we wait for a lock the user may
    /// have sent us to the background.
    pub fn open_foreground() -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        let ours = system::positive(system::own_group())?;
        (tcgetpgrp(&tty).ok()? == ours).then_some(Self { tty, ours, lent: None })
    }

    /// Remembers the terminal's settings and switches the quit key off: SIGQUIT would end
    /// Terraform with the exit code for "there are changes" and leave its state locked.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(super) fn begin_loan(&mut self) -> io::Result<()> {
        if self.lent.is_some() {
            return Ok(());
        }
        let settings = tcgetattr(&self.tty)?;
        let mut without_quit = settings.clone();
        without_quit.special_codes[SpecialCodeIndex::VQUIT] = DISABLED;
        self.lent = Some(Loan { settings, to: None });
        system::without_ttou(|| tcsetattr(&self.tty, OptionalActions::Now, &without_quit))?;
        Ok(())
    }

    /// Notes which group has the terminal now.
    pub(super) fn lent_to(&mut self, pgid: Pid) {
        if let Some(loan) = &mut self.lent {
            loan.to = Some(pgid);
        }
    }

    /// Makes `pgid` the foreground group, with the quit key off. A group that
    /// [`spawn`](super::spawn()) started with this terminal has it already.
    ///
    /// # Errors
    /// When the terminal has gone, or the group is not of our session.
    pub fn lend_to(&mut self, pgid: Pid) -> io::Result<()> {
        self.begin_loan()?;
        self.lent_to(pgid);
        system::without_ttou(|| tcsetpgrp(&self.tty, pgid))?;
        Ok(())
    }

    /// Takes the terminal back: our group is its foreground group again, and its settings are to
    /// the bit what they were before the loan. Whoever in our group was stopped for want of the
    /// terminal goes on. Dropping the terminal does the same, so that a panic does too. Without a
    /// loan, on a terminal that has gone, or after the session's shell has taken it for itself,
    /// this does nothing.
    pub fn take_back(&mut self) {
        let Some(loan) = self.lent.take() else { return };
        if self.shell_took_it(&loan) {
            return;
        }
        // Failures mean that the terminal has gone: there is nobody left to mind its settings.
        system::without_ttou(|| {
            let _ = tcsetpgrp(&self.tty, self.ours);
            // At once: waiting for output to drain would hang on a terminal stopped by Ctrl-S.
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &loan.settings);
        });
        // A pager behind us reached for the keys while the child had them, and was stopped.
        let _ = kill_process_group(self.ours, Signal::CONT);
    }

    /// Whether the shell that started us took the terminal, as it does when somebody stops us with
    /// SIGSTOP: taking it from under a prompt would stop the shell.
    fn shell_took_it(&self, loan: &Loan) -> bool {
        let Ok(foreground) = tcgetpgrp(&self.tty) else { return false };
        if foreground == self.ours || Some(foreground) == loan.to {
            return false;
        }
        let leader = system::session_of_terminal(self.tty.as_fd()).and_then(system::positive);
        leader.and_then(system::group_of) == Some(foreground)
            && test_kill_process_group(foreground) != Err(Errno::SRCH)
    }

    /// Watches for the terminal to go away. The kernel tells only the session's leader and the
    /// foreground group, which is the child's while it has the terminal. Under `nohup`, which sets
    /// SIGHUP to be ignored, nobody wants to know.
    ///
    /// # Errors
    /// When the system refuses a pipe, a descriptor or the thread.
    pub fn watch(&self) -> io::Result<Hangup> {
        if system::is_ignored(libc::SIGHUP)? {
            return Ok(Hangup { told: None, _keep: None });
        }
        let tty = self.tty.try_clone()?;
        let (ended, keep) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (tell, told) = oneshot::channel();
        thread::Builder::new().name("hangup".into()).spawn(move || {
            if wait_for_hangup(tty.as_fd(), ended.as_fd()) {
                let _ = tell.send(());
            }
        })?;
        Ok(Hangup { told: Some(told), _keep: Some(keep) })
    }

    /// Whether `fd` is our controlling terminal. A child in the background whose input that is
    /// would stop as soon as it reads.
    pub fn is_controlling(fd: impl AsFd) -> bool {
        system::session_of_terminal(fd.as_fd()) == Some(system::own_session())
    }

    pub(super) fn raw_fd(&self) -> RawFd {
        self.tty.as_raw_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Tells when the terminal goes away. Dropping it ends the watch.
#[derive(Debug)]
pub struct Hangup {
    told: Option<oneshot::Receiver<()>>,
    _keep: Option<OwnedFd>,
}

impl Hangup {
    /// Completes once, when the terminal has gone; after that, and when the watch failed, never.
    /// Safe to drop and call again.
    pub async fn gone(&mut self) {
        if let Some(told) = &mut self.told {
            let result = told.await;
            self.told = None;
            if result.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

/// True when the terminal hung up, false when the other end of `ended` was closed first.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wait_for_hangup(tty: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> bool {
    loop {
        // No events asked for: errors and hang-ups are always told.
        let mut fds = [
            PollFd::from_borrowed_fd(tty, PollFlags::empty()),
            PollFd::from_borrowed_fd(ended, PollFlags::empty()),
        ];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return false,
            Ok(_) if !fds[0].revents().is_empty() => return true,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// True when the terminal hung up, false when the other end of `ended` was closed first. `poll`
/// cannot be relied on for terminals here, so the terminal is asked once a second.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wait_for_hangup(tty: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> bool {
    let second = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
    loop {
        let mut fds = [PollFd::from_borrowed_fd(ended, PollFlags::IN)];
        match poll(&mut fds, Some(&second)) {
            Ok(0) if tcgetpgrp(tty).is_err() => return true,
            Ok(0) | Err(Errno::INTR) => {}
            _ => return false,
        }
    }
}
