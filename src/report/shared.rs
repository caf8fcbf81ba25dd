//! One stream, shared by whoever writes whole lines to it.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A stream that takes whole lines from several threads, one batch at a time. After the first
/// error it swallows everything: the reader is gone, and the run goes on.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<Option<Box<dyn Write + Send>>>>);

/// What a pipe of ours may hold, in bytes: the most that Linux gives to everybody. A reader and a writer
/// of one that holds 64 KiB wait for each other more than they work.
#[cfg(target_os = "linux")]
const WIDE: usize = 1 << 20;

/// How long to wait before a descriptor that somebody made non-blocking is tried again.
const FULL: Duration = Duration::from_millis(2);

impl SharedWriter {
    /// Shares `stream`.
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(stream)))))
    }

    /// Our own stdout, without a buffer in between: the same one for all who ask, so that a line
    /// which a slow reader has taken half of is finished before another begins. One that cannot be
    /// had swallows everything.
    pub fn stdout() -> Self {
        static STDOUT: OnceLock<SharedWriter> = OnceLock::new();
        STDOUT.get_or_init(|| Self::descriptor(std::io::stdout())).clone()
    }

    /// The same, for all that a child prints: where it is a pipe it holds more from now on, if it may.
    pub fn wide_stdout() -> Self {
        #[cfg(target_os = "linux")]
        {
            let stdout = rustix::stdio::stdout();
            if rustix::pipe::fcntl_getpipe_size(stdout).is_ok_and(|size| size < WIDE) {
                // The pipes of one user together may be at their limit: then it stays as it is.
                let _ = rustix::pipe::fcntl_setpipe_size(stdout, WIDE);
            }
        }
        Self::stdout()
    }

    /// Our own stderr, likewise.
    pub fn stderr() -> Self {
        static STDERR: OnceLock<SharedWriter> = OnceLock::new();
        STDERR.get_or_init(|| Self::descriptor(std::io::stderr())).clone()
    }

    fn descriptor(stream: impl std::os::fd::AsFd) -> Self {
        match stream.as_fd().try_clone_to_owned() {
            Ok(fd) => Self::new(std::fs::File::from(fd)),
            Err(_) => Self(Arc::new(Mutex::new(None))),
        }
    }

    /// Writes `lines`, which end with a newline, with nothing of others in between. Blocks as
    /// long as the stream does.
    ///
    /// # Errors
    /// The first error of the stream; after it every call succeeds and writes nothing.
    pub fn write(&self, lines: &[u8]) -> std::io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = stream.as_mut() else { return Ok(()) };
        let result = write_all(open, lines).and_then(|()| open.flush());
        if result.is_err() {
            *stream = None;
        }
        result
    }
}

impl std::fmt::Debug for SharedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedWriter")
    }
}

/// As [`Write::write_all`], but a descriptor that would block is waited for: a terminal that is
/// shared with a program which made it non-blocking is not a closed one.
fn write_all(stream: &mut dyn Write, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Reluctant {
        refusals: usize,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.refusals > 0 {
                self.refusals -= 1;
                return Err(ErrorKind::WouldBlock.into());
            }
            let mut taken = self.taken.lock().unwrap();
            if taken.len() >= 4 {
                return Err(ErrorKind::BrokenPipe.into());
            }
            taken.push(bytes[0]);
            Ok(1)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_stream_is_waited_for_and_a_closed_one_forgotten() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let writer = SharedWriter::new(Reluctant { refusals: 3, taken: taken.clone() });
        writer.write(b"abc\n").unwrap();
        assert_eq!(*taken.lock().unwrap(), b"abc\n");
        assert_eq!(writer.write(b"x\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
        writer.write(b"swallowed\n").unwrap();
        assert_eq!(taken.lock().unwrap().len(), 4);
    }
}
