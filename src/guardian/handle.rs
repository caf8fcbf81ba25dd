//! The supervisor's end of the guardian.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::process::ARGUMENT;
use super::token::Token;
use super::wire::{self, Begin, Message};
use crate::child::Pid;
use crate::lease::{LockName, Tenure};
use crate::rescue::Watch;
use crate::state_lock::Care;
use crate::store::StoreSpec;

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
    /// The lock.
    pub lock: LockName,
    /// Where it lives.
    pub store: StoreSpec,
    /// How to look after Terraform's own state lock.
    pub state: Option<Care>,
    /// How long a stop may take before what is left is killed.
    pub stop_timeout: Option<Duration>,
    /// Report as NDJSON on stdout instead of text on stderr.
    pub json: bool,
    /// Report into this file too.
    pub log_file: Option<PathBuf>,
}

/// A guardian on its post.
#[derive(Debug)]
pub struct Guardian {
    setting: Setting,
    tenure: Tenure,
    token: OwnedFd,
    ward: Option<Watched>,
    rescue: Option<Watch>,
    post: Option<Post>,
    posted: u32,
}

#[derive(Debug)]
struct Post {
    process: Child,
    socket: UnixStream,
}

/// The child, kept to be told to a successor.
#[derive(Debug)]
struct Watched {
    pid: Pid,
    group: bool,
    outputs: Vec<OwnedFd>,
}

impl Guardian {
    /// Starts a guardian for a lock that has just been acquired.
    ///
    /// # Errors
    /// When the system gives no socket or process.
    pub fn post(setting: Setting, tenure: &Tenure, token: &Token) -> io::Result<Self> {
        let mut guardian = Self {
            setting,
            tenure: tenure.clone(),
            token: token.as_fd().try_clone_to_owned()?,
            ward: None,
            rescue: None,
            post: None,
            posted: 0,
        };
        guardian.start()?;
        Ok(guardian)
    }

    /// The process on its post.
    pub fn pid(&self) -> Option<Pid> {
        self.post.as_ref().and_then(|post| i32::try_from(post.process.id()).ok()).and_then(Pid::from_raw)
    }

    /// A heartbeat took effect.
    pub fn renewed(&mut self, tenure: &Tenure) {
        self.tenure = tenure.clone();
        self.tell(&Message::Tenure(tenure.clone()));
    }

    /// The requested command is about to be started; `watch` knows what it may leave. Kept until the
    /// end: we may die before that is seen to.
    pub fn rescue(&mut self, watch: Watch) {
        self.tell(&Message::Rescue(watch.clone()));
        self.rescue = Some(watch);
    }

    /// A child runs, whose output comes through `outputs`.
    pub fn watch<'a>(&mut self, pid: Pid, group: bool, outputs: impl Iterator<Item = BorrowedFd<'a>>) {
        // Without the reading ends the child would die of a broken pipe after us, its state
        // locked. A descriptor that cannot be copied is one less that is drained.
        let outputs = outputs.filter_map(|fd| fd.try_clone_to_owned().ok()).collect();
        self.ward = Some(Watched { pid, group, outputs });
        self.introduce();
    }

    /// The child, and all it left, is dead.
    pub fn unwatch(&mut self) {
        self.ward = None;
        self.tell(&Message::ChildGone);
    }

    /// A child of ours has ended: if it was the guardian, posts another one. The token is not
    /// renewed, so that the new one cannot signal a second time.
    pub fn look_after(&mut self) {
        let Some(post) = &mut self.post else { return };
        if matches!(post.process.try_wait(), Ok(None)) {
            return;
        }
        self.post = None;
        if self.posted < MAX_POSTED && self.start().is_ok() {
            self.introduce();
        }
    }

    /// Nothing is left to guard: waits until the guardian has gone, so that nobody takes it for
    /// something that the command left behind.
    pub fn dismiss(mut self) {
        self.tell(&Message::Over);
        let Some(Post { mut process, socket }) = self.post.take() else { return };
        drop(socket);
        let step = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        while waited < GOODBYE && matches!(process.try_wait(), Ok(None)) {
            std::thread::sleep(step);
            waited += step;
        }
    }

    fn start(&mut self) -> io::Result<()> {
        self.posted += 1;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(own_program()?);
        command.arg(ARGUMENT).current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        for name in HUNTED_BY {
            command.env_remove(name);
        }
        let process = command.spawn()?;
        self.post = Some(Post { process, socket: ours });
        let begin = Message::Begin(Begin {
            lock: self.setting.lock.to_string(),
            store: self.setting.store.clone(),
            tenure: self.tenure.clone(),
            state: self.setting.state.clone(),
            stop_timeout: self.setting.stop_timeout,
            json: self.setting.json,
            log_file: self.setting.log_file.clone(),
        });
        self.send(&begin, &[])?;
        if let Some(watch) = &self.rescue {
            self.tell(&Message::Rescue(watch.clone()));
        }
        Ok(())
    }

    fn introduce(&self) {
        let Some(ward) = &self.ward else { return };
        let message = Message::Child { pid: ward.pid.as_raw_nonzero().get(), group: ward.group };
        let outputs: Vec<BorrowedFd<'_>> = ward.outputs.iter().map(AsFd::as_fd).collect();
        let _ = self.send(&message, &outputs);
    }

    /// A guardian that cannot be told is dead or as good as dead. Its end is noticed as a child's
    /// end, and there another one is posted.
    fn tell(&self, message: &Message) {
        let _ = self.send(message, &[]);
    }

    fn send(&self, message: &Message, outputs: &[BorrowedFd<'_>]) -> io::Result<()> {
        let Some(post) = &self.post else { return Ok(()) };
        match message {
            Message::Begin(_) => wire::send(post.socket.as_fd(), message, &[self.token.as_fd()]),
            _ => wire::send(post.socket.as_fd(), message, outputs),
        }
    }
}

/// Our own program, also after its file was replaced.
fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}
