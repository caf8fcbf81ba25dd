//! A timer of the kernel's that counts during suspend, as [`SystemClock`](super::SystemClock) does. Linux has one; where
//! there is none, sleepers look at the clock every [`SLICE`](super::SLICE).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

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
        match Self::new().filter(|alarm| alarm.set(at)) {
            Some(alarm) => match crate::system::awaitable(alarm.0) {
                Ok(alarm) => alarm.readable().await.is_ok(),
                Err(_) => false,
            },
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
