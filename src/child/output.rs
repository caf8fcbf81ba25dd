//! The child's output on its way to ours: a thread for each stream, since a reader of ours that
//! stalls must stop the child's writing and nothing else.

use std::io::{self, PipeReader, Read};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How much is read at once: what a pipe holds on Linux.
const CHUNK: usize = 64 * 1024;

/// Where a stream goes.
pub trait Sink: Send {
    /// Takes what the child wrote. Blocks as long as our own stream does.
    fn chunk(&mut self, bytes: &[u8]);
    /// The stream has ended.
    fn end(&mut self);
}

/// The threads that carry one child's output.
#[derive(Debug, Default)]
pub struct Pumps {
    running: Vec<oneshot::Receiver<()>>,
}

impl Pumps {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts to carry what comes out of `reader` into `sink`, until the last writer has closed it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn add(&mut self, mut reader: PipeReader, mut sink: Box<dyn Sink>) -> io::Result<()> {
        let (done, running) = oneshot::channel();
        thread::Builder::new().name("output".into()).spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => sink.chunk(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            sink.end();
            let _ = done.send(());
        })?;
        self.running.push(running);
        Ok(())
    }

    /// Takes in the threads of another.
    pub fn join(&mut self, other: Self) {
        self.running.extend(other.running);
    }

    /// Waits until everything is carried, at most for `bound`. Returns whether it is.
    pub async fn finished(&mut self, bound: Duration) -> bool {
        tokio::time::timeout(bound, self.all()).await.is_ok()
    }

    /// Waits until everything is carried, however long a reader takes.
    pub async fn all(&mut self) {
        while let Some(running) = self.running.last_mut() {
            // An error means that the thread has gone: it carries nothing any more.
            let _ = running.await;
            self.running.pop();
        }
    }
}
