//! Where the supervisor's words and its child's output went, for the guardian to go on with.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::child::Sink;
use crate::clock::{Clock, SystemClock};
use crate::report::{Outlet, Reporter, SharedWriter, Stream};

/// How long a reader of ours may stall before it is done without. The supervisor may well have
/// died together with the runner that read its output, and a child that blocks on a full pipe does
/// not stop.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What a pipe takes without blocking when it polls as writable: POSIX's least value of PIPE_BUF.
const ATOMIC: usize = 512;

/// The supervisor's stdout and stderr.
#[derive(Debug)]
pub(super) struct Relay {
    json: bool,
    stdout: SharedWriter,
    stderr: SharedWriter,
}

impl Relay {
    pub(super) fn open(json: bool) -> Self {
        Self { json, stdout: patient(io::stdout()), stderr: patient(io::stderr()) }
    }

    /// For the guardian's own words; `None` where the system gives no thread.
    pub(super) fn reporter(&self, log_file: Option<&Path>) -> Option<Reporter> {
        let out = if self.json { &self.stdout } else { &self.stderr };
        Reporter::for_guardian(self.json, out.clone(), log_file, wall)
    }

    /// For one stream of the child.
    pub(super) fn sink(&self, stream: Stream) -> Box<dyn Sink> {
        match (self.json, stream) {
            (true, _) => Outlet::json(self.stdout.clone(), wall).sink(stream, false),
            (false, Stream::Stdout) => Box::new(Copy(self.stdout.clone())),
            (false, Stream::Stderr) => Box::new(Copy(self.stderr.clone())),
        }
    }
}

fn wall() -> jiff::Timestamp {
    SystemClock.now().wall
}

fn patient(stream: impl AsFd) -> SharedWriter {
    match stream.as_fd().try_clone_to_owned() {
        Ok(fd) => SharedWriter::new(Patient(File::from(fd))),
        Err(_) => SharedWriter::new(io::sink()),
    }
}

/// Byte for byte. A stream that has failed swallows the rest.
struct Copy(SharedWriter);

impl Sink for Copy {
    fn chunk(&mut self, bytes: &[u8]) {
        let _ = self.0.write(bytes);
    }

    fn end(&mut self) {}
}

/// A stream that fails rather than block for longer than [`PATIENCE`].
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
        if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE)))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        self.0.write(&bytes[..bytes.len().min(ATOMIC)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stalls_is_done_without() {
        let (reader, writer) = io::pipe().unwrap();
        let out = patient(&writer);
        let much = vec![b'x'; 1 << 20];
        assert_eq!(out.write(&much).unwrap_err().kind(), ErrorKind::TimedOut);
        // From here on nothing is waited for: this would take minutes.
        (0..100).for_each(|_| out.write(&much).unwrap());
        drop(reader);
    }
}
