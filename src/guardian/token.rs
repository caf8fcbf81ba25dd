//! The right to send the one SIGINT.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

/// The reading end of a pipe that holds one byte for ever or until somebody reads it. Supervisor
/// and guardian have it both; the kernel gives the byte to one of them.
#[derive(Debug)]
pub struct Token(OwnedFd);

impl Token {
    /// A token that nobody has taken yet.
    ///
    /// # Errors
    /// When the system gives no pipe.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::write(&writer, &[1])?;
        Self::from_fd(reader)
    }

    /// The token behind a descriptor that came from another process.
    ///
    /// # Errors
    /// When the descriptor is none that can be made non-blocking.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&fd, OFlags::NONBLOCK)?;
        Ok(Self(fd))
    }

    /// Takes the right, if it is still there to be taken.
    pub fn take(&self) -> bool {
        let mut byte = [0];
        loop {
            match rustix::io::read(&self.0, &mut byte) {
                Ok(count) => return count == 1,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

impl AsFd for Token {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_of_many_takes_it() {
        let token = Token::new().unwrap();
        let others: Vec<Token> =
            (0..8).map(|_| Token::from_fd(token.as_fd().try_clone_to_owned().unwrap()).unwrap()).collect();
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = others.iter().map(|token| scope.spawn(|| token.take())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(taken, 1);
        assert!(!token.take());
    }
}
