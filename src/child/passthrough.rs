//! Byte for byte onto our own stream.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use super::output::Sink;

/// The pause before a stream that somebody made non-blocking, and that is full, is tried again.
const FULL: Duration = Duration::from_millis(2);

/// Writes what it gets at once and unchanged. After the first error the stream is taken for
/// closed: the rest is swallowed, so that the child goes on.
#[derive(Debug)]
pub struct Passthrough(Option<File>);

impl Passthrough {
    /// Onto our stdout.
    pub fn stdout() -> Self {
        Self::onto(io::stdout())
    }

    /// Onto our stderr.
    pub fn stderr() -> Self {
        Self::onto(io::stderr())
    }

    fn onto(stream: impl AsFd) -> Self {
        Self(stream.as_fd().try_clone_to_owned().ok().map(File::from))
    }
}

impl Sink for Passthrough {
    fn chunk(&mut self, mut bytes: &[u8]) {
        while let (Some(stream), false) = (&mut self.0, bytes.is_empty()) {
            match stream.write(bytes) {
                Ok(0) => self.0 = None,
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(FULL),
                Err(_) => self.0 = None,
            }
        }
    }

    fn end(&mut self) {
        self.0 = None;
    }
}
