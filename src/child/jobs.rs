//! Job control for a program that has the terminal to itself: being stopped, and going on.

use std::io;
use std::thread;

use rustix::process::{Signal, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::system;

/// What job control does to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// We are asked to stop: see [`Jobs::stop`].
    Stop,
    /// We go on, after a stop of whatever kind.
    Continued,
}

/// Tells of SIGTSTP, which then does not stop us by itself, and of SIGCONT.
#[derive(Debug)]
pub struct Jobs {
    handle: Handle,
    told: UnboundedReceiver<Job>,
}

impl Jobs {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system refuses a handler, a pipe or the thread.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::new([SIGTSTP, SIGCONT])?;
        let handle = signals.handle();
        let (tell, told) = unbounded_channel();
        thread::Builder::new().name("jobs".into()).spawn(move || {
            for signal in signals.forever() {
                let job = if signal == SIGTSTP { Job::Stop } else { Job::Continued };
                if tell.send(job).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { handle, told })
    }

    /// The next thing that job control does to us. Safe to drop and call again.
    pub async fn next(&mut self) -> Job {
        match self.told.recv().await {
            Some(job) => job,
            None => std::future::pending().await,
        }
    }

    /// Does what the terminal's suspend key does: asks everybody in our group, and so us, to stop.
    pub fn suspend_group(&self) {
        // Nothing is lost if it fails: we are not suspended.
        let _ = kill_current_process_group(Signal::TSTP);
    }

    /// Stops, until we are told to go on; not where nobody could tell us.
    pub fn stop(&mut self) {
        let _ = system::by_default(SIGTSTP);
        while self.told.try_recv().is_ok() {}
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.handle.close();
    }
}
