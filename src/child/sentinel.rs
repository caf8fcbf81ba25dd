//! Somebody in the child's process group who tells us of a Ctrl-C.
//!
//! At a terminal the child's group is the foreground group: the kernel sends the key's SIGINT to
//! the child and not to us, and what Terraform prints about it goes to the terminal directly. A
//! later signal of ours would be its second and make it drop its state. So a tiny process joins the
//! group, gets the same SIGINT, and writes a byte into a pipe.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::process::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use tokio::sync::mpsc::UnboundedSender;

use super::marker::InterruptSeen;

/// The one argument that makes this program a sentinel. Not for people.
pub const ARGUMENT: &str = "--tfguard-sentinel";

/// A sentinel on its post; dropping it ends it.
#[derive(Debug)]
pub struct Sentinel {
    process: Arc<Mutex<Child>>,
    /// It stays while this is open.
    leash: Option<PipeWriter>,
    listener: Option<JoinHandle<()>>,
}

impl Sentinel {
    /// Posts a sentinel in the group of the child that has just been started. `seen` gets what it
    /// sees.
    ///
    /// # Errors
    /// When the system gives no pipe, process or thread.
    pub fn post(group: Pid, seen: UnboundedSender<InterruptSeen>) -> io::Result<Self> {
        let (held, leash) = io::pipe()?;
        let (bell, rope) = io::pipe()?;
        let mut command = Command::new(super::own_program()?);
        command.arg(ARGUMENT).current_dir("/").process_group(group.as_raw_nonzero().get());
        command.stdin(held).stdout(rope).stderr(Stdio::null());
        let process = Arc::new(Mutex::new(command.spawn()?));
        // The writing end of the bell is the sentinel's alone.
        drop(command);
        let mut sentinel = Self { process: process.clone(), leash: Some(leash), listener: None };
        let listen = move || listen(bell, &process, &seen);
        sentinel.listener = Some(thread::Builder::new().name("sentinel".into()).spawn(listen)?);
        Ok(sentinel)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.leash = None;
        // It has nothing to do but to go. Killed, it goes also when it is stopped.
        let _ = self.process.lock().unwrap_or_else(PoisonError::into_inner).kill();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn listen(mut bell: PipeReader, process: &Mutex<Child>, seen: &UnboundedSender<InterruptSeen>) {
    let mut byte = [0];
    while bell.read(&mut byte).is_ok_and(|count| count > 0) {
        let _ = seen.send(InterruptSeen);
    }
    let ended = process.lock().unwrap_or_else(PoisonError::into_inner).wait();
    // The key came before it could listen.
    if ended.is_ok_and(|status| status.signal() == Some(SIGINT)) {
        let _ = seen.send(InterruptSeen);
    }
}

/// Runs the sentinel: rings at every SIGINT until the supervisor has gone. Returns the exit code.
pub fn main() -> u8 {
    for signal in [SIGHUP, SIGQUIT, SIGTERM, SIGTSTP] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let bell = io::stdout().as_fd().try_clone_to_owned();
    let rings = bell.is_ok_and(|bell| signal_hook::low_level::pipe::register(SIGINT, bell).is_ok());
    let mut byte = [0];
    let mut leash = io::stdin();
    if !rings {
        return 0;
    }
    loop {
        match leash.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    0
}
