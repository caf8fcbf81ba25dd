//! What goes over the socket between supervisor and guardian: JSON behind a length, and
//! descriptors beside it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::hooks;
use crate::lease::Tenure;
use crate::report::Stream;
use crate::rescue::{self, Watch};
use crate::state_lock::Care;
use crate::store::StoreSpec;
use crate::supervisor::stop::OnLeaseLost;

/// Most descriptors that go with one message.
const MAX_FDS: usize = 4;

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// First of all; the token goes with it.
    Begin(Begin),
    /// Another lock was acquired.
    Charge(Charge),
    /// The lease of one of the locks was renewed.
    Tenure {
        /// Its place among the charges.
        charge: usize,
        tenure: Tenure,
    },
    /// One of the locks is released.
    Relieved {
        /// Its place among the charges.
        charge: usize,
    },
    /// The requested command is about to be started: what it may leave.
    Rescue(Watch),
    /// A private folder that is to be removed at the end.
    Scratch(#[serde(with = "rescue::bytes")] std::path::PathBuf),
    /// A child is about to be started. A supervisor that dies before the next message may have
    /// started it or not.
    Starting {
        /// The interrupt is for its whole group.
        group: bool,
    },
    /// A child runs; the reading ends of its output, where they are pipes, go with it, in the order
    /// of `streams`.
    Child { pid: i32, group: bool, streams: Vec<Stream> },
    /// The child showed that it was interrupted, by whomever: no signal may follow.
    Interrupted,
    /// The child, and all it left, is dead.
    ChildGone,
    /// All locks are released, or known to be lost with the child dead: nothing is left to guard.
    Over,
}

/// A lock that a guardian keeps and releases when its supervisor cannot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Charge {
    /// Its name.
    pub lock: String,
    /// Where it lives.
    pub store: StoreSpec,
    /// How it is held.
    pub tenure: Tenure,
}

/// What the guardian needs to know from the beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begin {
    /// In the order in which they were acquired; one that was released in the meantime is `None`.
    pub(super) charges: Vec<Option<Charge>>,
    /// The session that the run's children carry in their environment.
    pub(super) session: String,
    pub(super) state: Option<Care>,
    pub(super) stop_timeout: Option<Duration>,
    pub(super) on_lease_lost: OnLeaseLost,
    pub(super) json: bool,
    pub(super) log_file: Option<std::path::PathBuf>,
    pub(super) hooks: Option<hooks::Settings>,
}

/// Sends one message. Never blocks: a guardian that does not read is as good as dead.
pub(super) fn send(socket: BorrowedFd<'_>, message: &Message, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let parts = [IoSlice::new(&length), IoSlice::new(&json)];
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let sent = rustix::io::retry_on_intr(|| sendmsg(socket, &parts, &mut ancillary, flags))?;
    if sent == length.len() + json.len() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::WouldBlock, "the guardian does not read"))
    }
}

/// The guardian's end: puts messages together again.
#[derive(Debug)]
pub(super) struct Receiver {
    socket: OwnedFd,
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

/// What a look at the socket brought.
#[derive(Debug)]
pub(super) enum Received {
    /// More bytes, perhaps whole messages: see [`Receiver::next`].
    Bytes,
    /// The supervisor's end is closed.
    End,
}

impl Receiver {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, bytes: Vec::new(), fds: VecDeque::new() }
    }

    /// Reads what is there; blocks while nothing is.
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        let mut buffer = [0; 8192];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let result = rustix::io::retry_on_intr(|| {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            recvmsg(&self.socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        });
        let message = match result {
            Ok(message) => message,
            // The supervisor died with something unread in its own direction.
            Err(rustix::io::Errno::CONNRESET) => return Ok(Received::End),
            Err(error) => return Err(error.into()),
        };
        if message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("descriptors were lost on the way"));
        }
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        if message.bytes == 0 {
            return Ok(Received::End);
        }
        self.bytes.extend_from_slice(&buffer[..message.bytes]);
        Ok(Received::Bytes)
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> io::Result<Option<Message>> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(json) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(json)?;
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }

    /// The descriptors that came and were not claimed yet, in order.
    pub(super) fn claim_fds(&mut self) -> Vec<OwnedFd> {
        self.fds.drain(..).collect()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
