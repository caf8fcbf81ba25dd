//! A timer of the kernel's that counts during suspend, as [`SystemClock`](super::SystemClock) does. Linux has one; where
//! there is none, sleepers look at the clock every [`SLICE`](super::SLICE).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{SLICE, SystemClock};
use crate::lease::Instant;

/// An alarm. Its descriptor is readable from the instant on for which it was last set; right after a suspend where
/// that has passed meanwhile.
#[derive(Debug)]
pub struct Alarm(OwnedFd);

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// An alarm that is not set yet; `None` where the system has none to give.
    pub fn new() -> Option<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        timerfd_create(TimerfdClockId::Boottime, flags).ok().map(Self)
    }

    /// Sets it, whether it has rung or not. False when that cannot be done.
    pub fn set(&self, at: Instant) -> bool {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let since_boot = at.since(Instant::from_nanos(0));
        let Ok(it_value) = Timespec::try_from(since_boot) else { return false };
        let timer = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &timer).is_ok()
    }

    /// Waits until `at`. False, and at once, where there is no alarm.
    pub(super) async fn until(at: Instant) -> bool {
        let alarm = Self::new().filter(|alarm| alarm.set(at));
        match alarm.and_then(|alarm| crate::system::awaitable(alarm.0).ok()) {
            Some(alarm) => alarm.readable().await.is_ok(),
            None => false,
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// There is none here.
    pub fn new() -> Option<Self> {
        None
    }

    /// False: it cannot be set.
    pub fn set(&self, _at: Instant) -> bool {
        false
    }

    pub(super) async fn until(_at: Instant) -> bool {
        false
    }
}

/// Waits, without a runtime, until one of `fds` can be read from or has ended, and for no longer than `rest`
/// (`None`: for ever); or for a shorter time, when a signal comes or no `alarm` counts during suspend. Gives back
/// for each of them whether it can.
///
/// # Errors
/// When the system refuses.
pub fn wait_for(
    fds: &[BorrowedFd<'_>],
    rest: Option<Duration>,
    alarm: Option<&Alarm>,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = match rest {
        None => None,
        Some(rest) if rest <= SLICE => Some(rest),
        Some(rest) => match alarm.filter(|alarm| alarm.set(SystemClock.mono() + rest)) {
            Some(alarm) => {
                polled.push(PollFd::from_borrowed_fd(alarm.as_fd(), PollFlags::IN));
                None
            }
            None => Some(SLICE),
        },
    };
    let timeout = timeout.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) => Ok(polled.iter().take(fds.len()).map(|fd| !fd.revents().is_empty()).collect()),
        Err(Errno::INTR) => Ok(vec![false; fds.len()]),
        Err(error) => Err(error.into()),
    }
}
