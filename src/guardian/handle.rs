//! The supervisor's end of the guardian.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};

use super::process::ARGUMENT;
use super::token::Token;
use super::wire::{self, Begin, Charge, Message};
use crate::child::{Pid, start_session};
use crate::hooks;
use crate::lease::Tenure;
use crate::report::Stream;
use crate::rescue::Watch;
use crate::state_lock::Care;
use crate::supervisor::stop::OnLeaseLost;

/// A guardian that dies more often than this in one run is not replaced any more.
const MAX_POSTED: u32 = 5;
/// How long a dismissed guardian may take to go.
const GOODBYE: Duration = Duration::from_secs(1);

/// Variables by which CI runners find the processes that a job left behind, to kill them. The
/// guardian must outlive such a sweep: it is what ends the job's Terraform in good order.
const HUNTED_BY: [&str; 6] = [
    "RUNNER_TRACKING_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "HUDSON_COOKIE",
    "HUDSON_SERVER_COOKIE",
    "BUILD_ID",
];

/// What every guardian of a run is told.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The session that the run's children carry in their environment.
    pub session: String,
    /// How to look after Terraform's own state lock.
    pub state: Option<Care>,
    /// How long a stop may take before what is left is killed.
    pub stop_timeout: Option<Duration>,
    /// What a lease that is lost or at risk means for the child.
    pub on_lease_lost: OnLeaseLost,
    /// Report as NDJSON on stdout instead of text on stderr.
    pub json: bool,
    /// Report into this file too.
    pub log_file: Option<PathBuf>,
    /// What the user wants to be run at events of the locks.
    pub hooks: Option<hooks::Settings>,
}

/// What [`Guardian::look_after`] found and did.
#[derive(Debug)]
pub enum Relief {
    /// The guardian was dead; another one is on its post.
    Posted,
    /// It was dead, and no other could be had: from here on nobody takes over when we are killed.
    Unguarded(io::Error),
}

/// A guardian on its post.
#[derive(Debug)]
pub struct Guardian {
    setting: Setting,
    /// In the order in which they were acquired; `None`: released.
    charges: Vec<Option<Charge>>,
    token: OwnedFd,
    watched: Watched,
    rescue: Option<Watch>,
    scratch: Option<PathBuf>,
    post: Option<Post>,
    posted: u32,
}

/// A process for a guardian: started, and told nothing yet. It ends by itself when this is dropped or
/// dies with us, and whoever wants to see it gone uses [`Recruit::dismiss`].
#[derive(Debug)]
pub struct Recruit(Post);

#[derive(Debug)]
struct Post {
    process: Child,
    socket: UnixStream,
}

impl Recruit {
    /// Starts the process, which takes as long as a write to a local store: a run does it while it asks
    /// for its first lock. Blocks until it runs.
    ///
    /// # Errors
    /// When the system gives no socket or process.
    pub fn start() -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok(Self(Post { process: command(theirs)?.spawn()?, socket: ours }))
    }

    /// It is not needed: waits until it has gone.
    pub fn dismiss(self) {
        self.0.leave();
    }

    /// The post, unless the process has died in the meantime.
    fn fit(mut self) -> Option<Post> {
        matches!(self.0.process.try_wait(), Ok(None)).then_some(self.0)
    }
}

impl Post {
    /// Closes the socket and waits until the process has gone.
    fn leave(self) {
        let Self { mut process, socket } = self;
        drop(socket);
        if !is_gone(&mut process, GOODBYE) {
            // Stopped, or swapped out: it must not wake up to guard what is over.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Waits for the end of a child, and reaps it. Whether it came in time.
fn is_gone(process: &mut Child, bound: Duration) -> bool {
    #[cfg(target_os = "linux")]
    if let Some(pid) = i32::try_from(process.id()).ok().and_then(Pid::from_raw)
        && let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
        && let Ok(timeout) = Timespec::try_from(bound)
    {
        // Signals may come and end this early, the child's end for one; what is left to be waited is
        // waited below.
        let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout));
    }
    let step = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    while matches!(process.try_wait(), Ok(None)) {
        if waited >= bound {
            return false;
        }
        std::thread::sleep(step);
        waited += step;
    }
    true
}

/// The command that a guardian is, at its end of the socket.
fn command(socket: UnixStream) -> io::Result<Command> {
    let mut command = Command::new(crate::child::own_program()?);
    // In our own directory: the store's settings may name files by relative paths.
    command.arg0("tfguard").arg(ARGUMENT).stdin(Stdio::from(OwnedFd::from(socket)));
    for name in HUNTED_BY {
        command.env_remove(name);
    }
    start_session(&mut command);
    Ok(command)
}

/// What there is to be guarded, kept to be told to a successor.
#[derive(Debug)]
enum Watched {
    Nothing,
    Starting { group: bool },
    Child { pid: Pid, group: bool, outputs: Vec<(Stream, OwnedFd)>, interrupted: bool },
}

impl Guardian {
    /// Posts a guardian for a lock that has just been acquired, the run's first: `recruit` where there
    /// is one and it lives, else a new process.
    ///
    /// # Errors
    /// When the system gives no socket or process.
    pub fn post(
        setting: Setting,
        first: Charge,
        token: &Token,
        recruit: Option<Recruit>,
    ) -> io::Result<Self> {
        let mut guardian = Self {
            setting,
            charges: vec![Some(first)],
            token: token.as_fd().try_clone_to_owned()?,
            watched: Watched::Nothing,
            rescue: None,
            scratch: None,
            post: None,
            posted: 0,
        };
        if let Some(post) = recruit.and_then(Recruit::fit)
            && guardian.brief(post.socket.as_fd()).is_ok()
        {
            guardian.posted = 1;
            guardian.post = Some(post);
        } else {
            guardian.start()?;
        }
        Ok(guardian)
    }

    /// The process on its post.
    pub fn pid(&self) -> Option<Pid> {
        self.post.as_ref().and_then(|post| i32::try_from(post.process.id()).ok()).and_then(Pid::from_raw)
    }

    /// Another lock has been acquired. Charges are counted from 0 in the order of their coming.
    pub fn charge(&mut self, next: Charge) {
        self.tell(&Message::Charge(next.clone()), &[]);
        self.charges.push(Some(next));
    }

    /// A heartbeat of one of the charges took effect.
    pub fn renewed(&mut self, charge: usize, tenure: &Tenure) {
        if let Some(Some(known)) = self.charges.get_mut(charge) {
            known.tenure = tenure.clone();
            self.tell(&Message::Tenure { charge, tenure: tenure.clone() }, &[]);
        }
    }

    /// One of the charges is released.
    pub fn relieve(&mut self, charge: usize) {
        if let Some(known) = self.charges.get_mut(charge) {
            *known = None;
            self.tell(&Message::Relieved { charge }, &[]);
        }
    }

    /// A child is about to be started. Followed by [`Guardian::watch`], or by
    /// [`Guardian::unwatch`] when it could not be.
    pub fn starting(&mut self, group: bool) {
        self.watched = Watched::Starting { group };
        self.introduce();
    }

    /// The requested command is about to be started; `watch` knows what it may leave. Kept until the
    /// end: we may die before that is seen to.
    pub fn rescue(&mut self, watch: Watch) {
        self.tell(&Message::Rescue(watch.clone()), &[]);
        self.rescue = Some(watch);
    }

    /// A private folder is about to be made, which is to be removed at the end, by us or by it.
    pub fn scratch(&mut self, folder: &Path) {
        self.tell(&Message::Scratch(folder.to_owned()), &[]);
        self.scratch = Some(folder.to_owned());
    }

    /// A child runs, whose output comes through `outputs`.
    pub fn watch<'a>(
        &mut self,
        pid: Pid,
        group: bool,
        outputs: impl Iterator<Item = (Stream, BorrowedFd<'a>)>,
    ) {
        // Without the reading ends the child would die of a broken pipe after us, its state
        // locked. A descriptor that cannot be copied is one less that is drained.
        let outputs =
            outputs.filter_map(|(stream, fd)| Some((stream, fd.try_clone_to_owned().ok()?))).collect();
        self.watched = Watched::Child { pid, group, outputs, interrupted: false };
        self.introduce();
    }

    /// The child showed that it was interrupted: no signal may follow, whoever has the token.
    pub fn interrupted(&mut self) {
        if let Watched::Child { interrupted, .. } = &mut self.watched {
            *interrupted = true;
            self.tell(&Message::Interrupted, &[]);
        }
    }

    /// The child, and all it left, is dead.
    pub fn unwatch(&mut self) {
        self.watched = Watched::Nothing;
        self.tell(&Message::ChildGone, &[]);
    }

    /// A child of ours may have ended: if it was the guardian, posts another one. The token is not
    /// renewed, so that the new one cannot signal a second time. `None`: all is well, or was told
    /// before.
    pub fn look_after(&mut self) -> Option<Relief> {
        let post = self.post.as_mut()?;
        if matches!(post.process.try_wait(), Ok(None)) {
            return None;
        }
        self.post = None;
        if self.posted >= MAX_POSTED {
            return Some(Relief::Unguarded(io::Error::other(format!("{MAX_POSTED} of them have died"))));
        }
        if let Err(error) = self.start() {
            return Some(Relief::Unguarded(error));
        }
        Some(Relief::Posted)
    }

    /// Nothing is left to guard: waits until the guardian has gone, so that nobody takes it for
    /// something that the command left behind.
    pub fn dismiss(mut self) {
        self.tell(&Message::Over, &[]);
        if let Some(post) = self.post.take() {
            post.leave();
        }
    }

    fn start(&mut self) -> io::Result<()> {
        self.posted += 1;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = command(theirs)?;
        // Everything it must know waits for it in the socket before there is a process: we may be
        // killed at any moment after that.
        self.brief(ours.as_fd())?;
        let process = command.spawn()?;
        self.post = Some(Post { process, socket: ours });
        Ok(())
    }

    /// All that a guardian must know that comes to its post now.
    fn brief(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let begin = Message::Begin(Begin {
            charges: self.charges.clone(),
            session: self.setting.session.clone(),
            state: self.setting.state.clone(),
            stop_timeout: self.setting.stop_timeout,
            on_lease_lost: self.setting.on_lease_lost,
            json: self.setting.json,
            log_file: self.setting.log_file.clone(),
            hooks: self.setting.hooks.clone(),
        });
        wire::send(socket, &begin, &[self.token.as_fd()])?;
        if let Some(watch) = &self.rescue {
            wire::send(socket, &Message::Rescue(watch.clone()), &[])?;
        }
        if let Some(folder) = &self.scratch {
            wire::send(socket, &Message::Scratch(folder.clone()), &[])?;
        }
        self.describe(socket)
    }

    /// Tells what is watched.
    fn introduce(&mut self) {
        if let Some(post) = &self.post {
            let sent = self.describe(post.socket.as_fd());
            self.settle(sent);
        }
    }

    fn describe(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        match &self.watched {
            Watched::Nothing => Ok(()),
            Watched::Starting { group } => wire::send(socket, &Message::Starting { group: *group }, &[]),
            Watched::Child { pid, group, outputs, interrupted } => {
                let streams = outputs.iter().map(|(stream, _)| *stream).collect();
                let child = Message::Child { pid: pid.as_raw_nonzero().get(), group: *group, streams };
                let fds: Vec<BorrowedFd<'_>> = outputs.iter().map(|(_, fd)| fd.as_fd()).collect();
                wire::send(socket, &child, &fds)?;
                if *interrupted { wire::send(socket, &Message::Interrupted, &[]) } else { Ok(()) }
            }
        }
    }

    fn tell(&mut self, message: &Message, fds: &[BorrowedFd<'_>]) {
        let sent = self.send(message, fds);
        self.settle(sent);
    }

    /// A guardian that cannot be told is dead or as good as dead, and one that missed a heartbeat
    /// would stop a healthy child. Its end is noticed as a child's end, and there another one is
    /// posted.
    fn settle(&mut self, sent: io::Result<()>) {
        if let (Err(_), Some(post)) = (sent, &mut self.post) {
            let _ = post.process.kill();
        }
    }

    fn send(&self, message: &Message, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let Some(post) = &self.post else { return Ok(()) };
        wire::send(post.socket.as_fd(), message, fds)
    }
}
