//! The guardian's own process: listens, and keeps the deadlines of a supervisor that is frozen.
//! No runtime, no connection, no TLS here: that is for [`takeover`] alone.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::takeover;
use super::token::Token;
use super::ward::Ward;
use super::wire::{Begin, Message, Received, Receiver};
use crate::child::Pid;
use crate::clock::SystemClock;
use crate::lease::{Instant, Tenure};
use crate::rescue::Watch;

/// The one argument that makes this program a guardian. Not for people.
pub const ARGUMENT: &str = "--tfguard-guardian";

/// How much longer than the supervisor we wait with the interrupt: while it is alive it is its to
/// send and to tell.
const COURTESY: Duration = Duration::from_millis(250);
/// The longest we sleep without looking at the clock: a timer of the system may not count during
/// suspend.
const SLICE: Duration = Duration::from_secs(1);

/// What is guarded.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) begin: Begin,
    pub(super) token: Token,
    pub(super) tenure: Tenure,
    pub(super) ward: Option<Ward>,
    /// Set once the requested command may run.
    pub(super) rescue: Option<Watch>,
    tried: bool,
}

/// How listening ends.
enum End {
    /// The supervisor took leave.
    Over,
    /// The supervisor died.
    Orphaned(Box<Post>),
}

/// Runs the guardian at the socket that is our standard input. Returns the exit code.
pub fn main() -> u8 {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        // Some runners signal every process that they find, and it is us who must not go. Where
        // the handler cannot be had we are as mortal as the supervisor, which then replaces us.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    // Out of the supervisor's group and off its terminal.
    let _ = rustix::process::setsid();
    let end = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
        .map_err(io::Error::from)
        .and_then(|socket: OwnedFd| listen(Receiver::new(socket)));
    match end {
        Ok(End::Over) | Err(_) => 0,
        Ok(End::Orphaned(post)) => takeover::run(*post),
    }
}

fn listen(mut receiver: Receiver) -> io::Result<End> {
    let clock = SystemClock;
    let mut post: Option<Box<Post>> = None;
    loop {
        let wait = post.as_ref().map_or(SLICE, |post| post.next_look(clock.mono()));
        let timeout = Timespec::try_from(wait).map_err(io::Error::other)?;
        let readable = {
            let mut fds = [PollFd::from_borrowed_fd(receiver.as_fd(), PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(count) => count > 0,
                Err(rustix::io::Errno::INTR) => false,
                Err(error) => return Err(error.into()),
            }
        };
        if readable {
            let received = receiver.receive()?;
            while let Some(message) = receiver.next()? {
                match message {
                    Message::Over => return Ok(End::Over),
                    Message::Begin(begin) => post = Some(Post::begin(begin, &mut receiver)?),
                    other => {
                        if let Some(post) = &mut post {
                            post.hear(other, &mut receiver);
                        }
                    }
                }
            }
            if matches!(received, Received::End) {
                // Before anything was told there is nothing to guard.
                return Ok(post.map_or(End::Over, End::Orphaned));
            }
        }
        if let Some(post) = &mut post {
            post.watch(clock.mono());
        }
    }
}

impl Post {
    fn begin(begin: Begin, receiver: &mut Receiver) -> io::Result<Box<Self>> {
        let token = receiver.claim_fds().pop().ok_or_else(|| io::Error::other("the token did not come"))?;
        let tenure = begin.tenure.clone();
        Ok(Box::new(Self {
            begin,
            token: Token::from_fd(token)?,
            tenure,
            ward: None,
            rescue: None,
            tried: false,
        }))
    }

    fn hear(&mut self, message: Message, receiver: &mut Receiver) {
        match message {
            Message::Tenure(tenure) => self.tenure = tenure,
            Message::Rescue(watch) => self.rescue = Some(watch),
            Message::Child { pid, group } => {
                let outputs = receiver.claim_fds();
                self.ward = Pid::from_raw(pid).map(|pid| Ward::new(pid, group, outputs));
            }
            Message::ChildGone => self.ward = None,
            Message::Begin(_) | Message::Over => {}
        }
    }

    fn next_look(&self, now: Instant) -> Duration {
        let Some(ward) = &self.ward else { return SLICE };
        let deadlines = self.tenure.deadlines();
        let next = if self.tried { deadlines.kill } else { deadlines.stop + COURTESY };
        if next <= now && !ward.is_alive() {
            return SLICE;
        }
        next.since(now).clamp(Duration::from_millis(10), SLICE)
    }

    /// Does what a frozen supervisor does not. The supervisor does the same while it can, and
    /// then there is nothing left to do here.
    fn watch(&mut self, now: Instant) {
        let deadlines = self.tenure.deadlines();
        let Some(ward) = &mut self.ward else { return };
        if !self.tried && now >= deadlines.stop + COURTESY {
            self.tried = true;
            if self.token.take() {
                ward.interrupt();
                // Nobody else reads what it prints while it stops.
                ward.drain();
            }
        }
        if now >= deadlines.kill {
            ward.kill_everything(&self.tenure.own.session);
        }
        // A heartbeat got through in the meantime.
        if now < deadlines.stop {
            self.tried = false;
        }
    }
}
