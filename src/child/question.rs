//! A question at the terminal, whose answer may take its time.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// An answer longer than this is none.
const LONGEST: usize = 1024;
/// The pause before a terminal is asked again that belongs to somebody else for now.
const AGAIN: Duration = Duration::from_millis(200);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A line, without its end.
    Line(String),
    /// The end of input: Ctrl-D, or a terminal that has gone.
    End,
}

/// A question that waits for its answer. Dropping it gives up.
#[derive(Debug)]
pub struct Question {
    tty: File,
    answer: Option<oneshot::Receiver<Answer>>,
    _keep: OwnedFd,
}

impl Question {
    /// Opens the terminal, whatever our standard streams are, and begins to listen. What was typed
    /// before is no answer to it.
    ///
    /// # Errors
    /// When there is no terminal, or the system refuses a pipe or the thread.
    pub fn open() -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty = rustix::fs::open("/dev/tty", flags, Mode::empty())?;
        let _ = rustix::termios::tcflush(&tty, rustix::termios::QueueSelector::IFlush);
        let input = tty.try_clone()?;
        let (ended, keep) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (tell, answer) = oneshot::channel();
        thread::Builder::new().name("question".into()).spawn(move || {
            if let Some(answer) = listen(input.as_fd(), ended.as_fd()) {
                let _ = tell.send(answer);
            }
        })?;
        Ok(Self { tty: tty.into(), answer: Some(answer), _keep: keep })
    }

    /// Shows a text.
    pub fn show(&mut self, text: &str) {
        // A terminal that has gone is noticed where the answer is read.
        let _ = self.tty.write_all(text.as_bytes());
    }

    /// The answer, once; after that never. Safe to drop and call again.
    pub async fn answer(&mut self) -> Answer {
        if let Some(answer) = &mut self.answer {
            let result = answer.await;
            self.answer = None;
            return result.unwrap_or(Answer::End);
        }
        std::future::pending().await
    }
}

/// One line; `None` when nobody wants it any more.
fn listen(tty: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> Option<Answer> {
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    loop {
        if is_over(tty, ended) {
            return None;
        }
        match rustix::io::read(tty, &mut buffer) {
            Ok(0) => return Some(Answer::End),
            Ok(count) => {
                line.extend_from_slice(&buffer[..count]);
                if let Some(end) = memchr::memchr(b'\n', &line) {
                    line.truncate(end);
                    return Some(Answer::Line(String::from_utf8_lossy(&line).into_owned()));
                }
                if line.len() > LONGEST {
                    return Some(Answer::Line(String::new()));
                }
            }
            Err(Errno::INTR) => {}
            // We are in the background.
            Err(Errno::IO) if rustix::termios::tcgetpgrp(tty).is_ok() => thread::sleep(AGAIN),
            Err(_) => return Some(Answer::End),
        }
    }
}

/// Waits until there is something to read. True when nobody wants it any more.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_over(tty: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};

    let mut fds =
        [PollFd::from_borrowed_fd(tty, PollFlags::IN), PollFd::from_borrowed_fd(ended, PollFlags::empty())];
    while poll(&mut fds, None) == Err(Errno::INTR) {}
    !fds[1].revents().is_empty()
}

/// `poll` cannot be relied on for terminals here: the thread stays in its `read` until the process
/// ends, which is soon, since whoever gives up a question starts nothing more.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_over(_tty: BorrowedFd<'_>, _ended: BorrowedFd<'_>) -> bool {
    false
}
