//! Signals that reach us, in one line with everything else that happens.
//!
//! Nothing is decided here: each signal becomes an [`Arrival`] on a channel, with what the kernel
//! tells about its sender.

use std::io;
use std::thread::{self, JoinHandle};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin as Info;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::system::{self, Disposition};

/// Something that the kernel told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// We are asked to stop.
    Stop(Arrived),
    /// A child of ours ended, stopped or went on (SIGCHLD). Several may have become one: look at
    /// all of them.
    Child,
    /// Whoever started us has died: see [`Parent`](super::Parent).
    Orphaned,
}

/// A signal that asks us to stop: SIGINT, SIGTERM, SIGHUP or SIGQUIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// The signal's number, as in exit code 128 + n.
    pub number: i32,
    /// `SIGINT` and the like.
    pub name: &'static str,
    /// Who sent it.
    pub origin: Origin,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The kernel, on behalf of a terminal: a key, or a hang-up.
    Terminal,
    /// A process, by its id in our namespace; 0 for one outside of it.
    Process {
        /// The process id.
        pid: i32,
    },
    /// The system does not tell.
    Unknown,
}

/// Listens for signals on a thread of its own until dropped. After that the signals are caught
/// still and told to nobody, so keep it until the process ends.
#[derive(Debug)]
pub struct Signals {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    sender: UnboundedSender<Arrival>,
}

/// What `nohup` and a shell without job control set to be ignored. Such a run is meant to outlive
/// the signal, so it stays ignored.
const RESPECTED: [i32; 3] = [SIGINT, SIGHUP, SIGQUIT];

impl Signals {
    /// Starts to listen for SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGCHLD. SIGINT, SIGHUP and
    /// SIGQUIT stay ignored when they were ignored at our start. Call it once, early, on the main
    /// thread: signals that our parent left blocked are let through in this thread and those that
    /// it starts.
    ///
    /// # Errors
    /// When the system refuses a handler, a pipe or the thread.
    pub fn install() -> io::Result<(Self, UnboundedReceiver<Arrival>)> {
        let mut wanted = vec![SIGTERM, SIGCHLD];
        for signal in RESPECTED {
            if !system::is_ignored(signal)? {
                wanted.push(signal);
            }
        }
        let mut signals = SignalsInfo::<WithOrigin>::new(&wanted)?;
        system::unblock(&wanted)?;
        let handle = signals.handle();
        let (sender, receiver) = unbounded_channel();
        let told = sender.clone();
        let thread = thread::Builder::new().name("signals".into()).spawn(move || {
            for info in signals.forever() {
                if told.send(arrival(&info)).is_err() {
                    break;
                }
            }
        })?;
        Ok((Self { handle, thread: Some(thread), sender }, receiver))
    }

    /// For what else arrives in this line.
    pub fn line(&self) -> UnboundedSender<Arrival> {
        self.sender.clone()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn arrival(info: &Info) -> Arrival {
    if info.signal == SIGCHLD {
        return Arrival::Child;
    }
    let origin = match (info.cause, &info.process) {
        (Cause::Kernel, _) => Origin::Terminal,
        (_, Some(process)) => Origin::Process { pid: process.pid },
        _ => Origin::Unknown,
    };
    Arrival::Stop(Arrived { number: info.signal, name: name(info.signal), origin })
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        SIGQUIT => "SIGQUIT",
        _ => "a signal",
    }
}

/// While it lives SIGTSTP, SIGTTIN and SIGTTOU do not stop us: a frozen supervisor loses its lease
/// while the child goes on. Dropping it gives them back what they did before.
#[must_use = "the stop signals are given back when this is dropped"]
pub struct HoldTheLine {
    before: Vec<Disposition>,
}

impl HoldTheLine {
    /// Makes us unstoppable, but for SIGSTOP. To be called when a lock is granted; while we only
    /// wait for one, job control may stop us.
    ///
    /// # Errors
    /// When the system refuses; what had been changed by then is given back.
    pub fn new() -> io::Result<Self> {
        let mut held = Self { before: Vec::with_capacity(3) };
        for signal in [SIGTSTP, SIGTTIN, SIGTTOU] {
            held.before.push(system::ignore(signal)?);
        }
        Ok(held)
    }
}

impl Drop for HoldTheLine {
    fn drop(&mut self) {
        for saved in &self.before {
            system::restore(saved);
        }
    }
}

impl std::fmt::Debug for HoldTheLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HoldTheLine").finish_non_exhaustive()
    }
}
