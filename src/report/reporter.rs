//! Gives every event its form and writes it, on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Event, Level};
use super::shared::SharedWriter;
use super::{json, text};
use crate::error::Error;
use crate::escape;

/// The form of what the user sees.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Lines for people, on stderr.
    Text {
        /// Usually [`SharedWriter::stderr`].
        out: SharedWriter,
        /// With colour.
        colour: bool,
    },
    /// NDJSON, on stdout.
    Json {
        /// Usually [`SharedWriter::stdout`]; the child's lines share it.
        out: SharedWriter,
    },
}

/// Takes events from anywhere and never blocks: a reader that has stopped reading stops the
/// writing thread and nothing else. Clones write to the same place in the order of the calls.
#[derive(Clone, Debug)]
pub struct Reporter {
    messages: Sender<Message>,
    level: Level,
    to_file: Option<Level>,
    now: fn() -> Timestamp,
}

enum Message {
    Event(Box<Event>, Timestamp),
    Flush(Sender<()>),
}

impl Reporter {
    /// Starts the writing thread, which ends with the last clone.
    ///
    /// `level` is the lowest that is shown. `log_file` takes every event that is shown, and those
    /// of [`Level::Info`] and above also where less is: silence on a terminal should not cost
    /// the record of the run. The child's own output is not in it.
    ///
    /// # Errors
    /// [`Error::Bug`] where the system gives no thread.
    pub fn start(
        destination: Destination,
        level: Level,
        log_file: Option<File>,
        now: fn() -> Timestamp,
    ) -> Result<Self, Error> {
        let to_file = log_file.is_some().then(|| level.min(Level::Info));
        let (messages, received) = channel();
        let writer = Writer { destination, level, log_file, to_file, now };
        std::thread::Builder::new()
            .name("report".into())
            .spawn(move || writer.run(&received))
            .map_err(|error| Error::Bug(format!("the thread that writes messages cannot start: {error}")))?;
        Ok(Self { messages, level, to_file, now })
    }

    /// The reporter of a guardian, which writes where its supervisor wrote. What cannot be opened
    /// is done without.
    pub fn for_guardian(json: bool, log_file: Option<&Path>, now: fn() -> Timestamp) -> Option<Self> {
        let destination = if json {
            Destination::Json { out: SharedWriter::stdout() }
        } else {
            Destination::Text { out: SharedWriter::stderr(), colour: false }
        };
        let file = log_file.and_then(|path| open_log_file(path).ok());
        Self::start(destination, Level::Info, file, now).ok()
    }

    /// Says something. Never blocks and never fails.
    pub fn emit(&self, event: Event) {
        let level = event.level();
        if level >= self.level || self.to_file.is_some_and(|lowest| level >= lowest) {
            // The thread ends with the last sender only.
            let _ = self.messages.send(Message::Event(Box::new(event), (self.now)()));
        }
    }

    /// Whether an event of this level would be written anywhere.
    pub fn wants(&self, level: Level) -> bool {
        level >= self.level.min(self.to_file.unwrap_or(self.level))
    }

    /// Waits until everything said so far is written, at most for `bound`. Returns whether it is.
    pub fn flush(&self, bound: Duration) -> bool {
        let (done, written) = channel();
        self.messages.send(Message::Flush(done)).is_ok() && written.recv_timeout(bound).is_ok()
    }
}

/// Opens the file of `--log-file`: created with mode 0600, since it names people and machines,
/// and appended to.
///
/// # Errors
/// [`Error::Config`], naming the file.
pub fn open_log_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| {
        let path = path.to_string_lossy();
        Error::Config(format!("the log file {} cannot be opened: {error}", escape::field(&path)))
    })
}

struct Writer {
    destination: Destination,
    level: Level,
    log_file: Option<File>,
    to_file: Option<Level>,
    now: fn() -> Timestamp,
}

impl Writer {
    fn run(mut self, received: &Receiver<Message>) {
        while let Ok(message) = received.recv() {
            match message {
                Message::Event(event, at) => self.event(&event, at),
                // Nobody may be waiting any more.
                Message::Flush(done) => drop(done.send(())),
            }
        }
    }

    fn event(&mut self, event: &Event, at: Timestamp) {
        // The file first: a stalled stream must not keep the record of the run from it.
        if self.to_file.is_some_and(|lowest| event.level() >= lowest) {
            self.log(event, at);
        }
        if event.level() >= self.level {
            self.show(event, at);
        }
    }

    fn show(&self, event: &Event, at: Timestamp) {
        // A closed stream does not end the run, and there is nowhere left to say so.
        let _ = match &self.destination {
            Destination::Text { out, colour } => out.write(text::lines(event, at, *colour).as_bytes()),
            Destination::Json { out } => out.write(&json::line(event, at)),
        };
    }

    fn log(&mut self, event: &Event, at: Timestamp) {
        let Some(file) = &mut self.log_file else { return };
        // One write a line, so that several runs can share a file.
        if let Err(error) = file.write_all(&json::line(event, at)) {
            self.log_file = None;
            let told =
                Event::say(Level::Warn, format!("the log file cannot be written: {error}; it ends here"));
            self.show(&told, (self.now)());
        }
    }
}
