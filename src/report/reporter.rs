//! Gives every event its form and writes it, on threads of its own: one for the stream, one for the
//! log file, so that a stream that nobody reads does not keep the record of the run from its file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Event, Level};
use super::json;
use super::look::Screen;
use super::page::{Page, Place};
use super::shared::SharedWriter;
use crate::error::Error;
use crate::escape;

/// The form of what the user sees.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Lines for people, on stderr.
    Text {
        /// Usually [`SharedWriter::stderr`].
        out: SharedWriter,
        /// What it is like.
        screen: Screen,
    },
    /// NDJSON, on stdout.
    Json {
        /// Usually [`SharedWriter::stdout`]; the child's lines share it.
        out: SharedWriter,
    },
}

/// Takes events from anywhere and never blocks: a reader that has stopped reading stops the
/// writing thread and nothing else. Clones write to the same places in the order of the calls.
#[derive(Clone, Debug)]
pub struct Reporter {
    stream: Way,
    file: Option<Way>,
    /// Something may move on the stream.
    live: bool,
    now: fn() -> Timestamp,
    listeners: Vec<Arc<dyn Listener>>,
}

/// Somebody who wants to know of every event, whatever is shown.
pub trait Listener: Send + Sync + std::fmt::Debug {
    /// Takes it in. Must not block.
    fn hear(&self, event: &Event, at: Timestamp);

    /// Variables for a child that is about to start, of which the events tell.
    fn for_child(&self) -> Vec<(OsString, OsString)> {
        Vec::new()
    }
}

/// The way to one thread.
#[derive(Clone, Debug)]
struct Way {
    messages: Sender<Message>,
    /// The lowest level that goes there.
    level: Level,
}

enum Message {
    Event(Arc<Event>, Timestamp),
    Raw(Vec<u8>, SharedWriter),
    Flush(Sender<()>),
}

impl Reporter {
    /// Starts the writing threads, which end with the last clone.
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
        let live = matches!(destination, Destination::Text { screen, .. } if screen.is_live());
        let stream = Way::start("report", level, Page::new(destination, level <= Level::Debug, now))?;
        let file = match log_file {
            Some(file) => {
                let log = LogFile { file: Some(file), stream: stream.messages.clone(), now };
                Some(Way::start("log file", level.min(Level::Info), log)?)
            }
            None => None,
        };
        Ok(Self { stream, file, live, now, listeners: Vec::new() })
    }

    /// The reporter of a guardian, which writes where its supervisor wrote. What cannot be opened
    /// is done without.
    pub fn for_guardian(
        json: bool,
        out: SharedWriter,
        log_file: Option<&Path>,
        now: fn() -> Timestamp,
    ) -> Option<Self> {
        let destination =
            if json { Destination::Json { out } } else { Destination::Text { out, screen: Screen::PLAIN } };
        let file = log_file.and_then(|path| open_log_file(path).ok());
        Self::start(destination, Level::Info, file, now).ok()
    }

    /// The same, with somebody more who is told of every event.
    #[must_use]
    pub fn heard_by(&self, listener: Arc<dyn Listener>) -> Self {
        let mut same = self.clone();
        same.listeners.push(listener);
        same
    }

    /// Writes `bytes` to `out`, after everything said so far and before what is said later.
    pub fn print(&self, bytes: Vec<u8>, out: SharedWriter) {
        // The thread ends with the last sender only.
        let _ = self.stream.messages.send(Message::Raw(bytes, out));
    }

    /// Says something. Never blocks and never fails.
    pub fn emit(&self, event: Event) {
        let level = event.level();
        let at = (self.now)();
        self.listeners.iter().for_each(|listener| listener.hear(&event, at));
        if self.wants(level) {
            let event = Arc::new(event);
            for way in self.ways().filter(|way| level >= way.level) {
                // The thread ends with the last sender only.
                let _ = way.messages.send(Message::Event(Arc::clone(&event), at));
            }
        }
    }

    /// Variables that listeners have for a child that is about to start.
    pub fn for_child(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.listeners.iter().flat_map(|listener| listener.for_child())
    }

    /// Whether an event of this level would be written anywhere.
    pub fn wants(&self, level: Level) -> bool {
        self.ways().any(|way| level >= way.level)
    }

    /// Whether what we say may move on a terminal, and so be in the way of who writes there too.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Waits until everything said so far is written, at most for `bound` at each of the two places.
    /// Returns whether it is.
    pub fn flush(&self, bound: Duration) -> bool {
        // Both, also when the first has failed.
        let failed = self.ways().filter(|way| !way.flush(bound)).count();
        failed == 0
    }

    /// Waits until everything said so far is in the log file, at most for `bound`. Returns whether it
    /// is; without a file there is nothing to wait for.
    pub fn record(&self, bound: Duration) -> bool {
        self.file.iter().all(|way| way.flush(bound))
    }

    /// The file first: what it has to say of itself goes to the stream.
    fn ways(&self) -> impl Iterator<Item = &Way> {
        self.file.iter().chain([&self.stream])
    }
}

impl Way {
    fn start(name: &str, level: Level, mut place: impl Place + Send + 'static) -> Result<Self, Error> {
        let (messages, received): (_, Receiver<Message>) = channel();
        let run = move || {
            loop {
                let message = match place.moves() {
                    None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    Some(pause) => received.recv_timeout(pause),
                };
                match message {
                    Ok(Message::Event(event, at)) => place.event(&event, at),
                    Ok(Message::Raw(bytes, out)) => place.raw(&bytes, &out),
                    // Nobody may be waiting any more.
                    Ok(Message::Flush(done)) => drop(done.send(())),
                    Err(RecvTimeoutError::Timeout) => place.moved(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        };
        std::thread::Builder::new()
            .name(name.into())
            .spawn(run)
            .map_err(|error| Error::Bug(format!("the thread that writes messages cannot start: {error}")))?;
        Ok(Self { messages, level })
    }

    fn flush(&self, bound: Duration) -> bool {
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

/// The log file, until it fails.
struct LogFile {
    file: Option<File>,
    stream: Sender<Message>,
    now: fn() -> Timestamp,
}

impl Place for LogFile {
    fn event(&mut self, event: &Event, at: Timestamp) {
        let Some(file) = &mut self.file else { return };
        // One write a line, so that several runs can share a file.
        if let Err(error) = file.write_all(&json::line(event, at)) {
            self.file = None;
            let told =
                Event::say(Level::Warn, format!("the log file cannot be written: {error}; it ends here"));
            let _ = self.stream.send(Message::Event(Arc::new(told), (self.now)()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::sync::Mutex;
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    /// Says that it is being written to, and returns when the test lets it.
    struct Stalled {
        reached: SyncSender<()>,
        release: Arc<Mutex<()>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.reached.try_send(());
            drop(self.release.lock());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn text_to(sink: impl Write + Send + 'static) -> Destination {
        Destination::Text { out: SharedWriter::new(sink), screen: Screen::PLAIN }
    }

    fn say_all(reporter: &Reporter) {
        for (level, text) in
            [(Level::Debug, "d"), (Level::Info, "i"), (Level::Warn, "w"), (Level::Error, "e")]
        {
            reporter.emit(Event::say(level, text));
        }
    }

    #[test]
    fn levels_are_filtered_and_the_order_is_kept() {
        for (level, expected) in [
            (Level::Debug, "tfguard: d\ntfguard: i\ntfguard: warning: w\ntfguard: error: e\n"),
            (Level::Info, "tfguard: i\ntfguard: warning: w\ntfguard: error: e\n"),
            (Level::Warn, "tfguard: warning: w\ntfguard: error: e\n"),
        ] {
            let sink = Sink::default();
            let reporter = Reporter::start(text_to(sink.clone()), level, None, now).unwrap();
            say_all(&reporter);
            assert!(reporter.flush(BOUND));
            assert_eq!(sink.text(), expected);
            assert_eq!(reporter.wants(Level::Debug), level == Level::Debug);
        }
    }

    #[test]
    fn json_goes_to_the_stream_it_shares() {
        let sink = Sink::default();
        let out = SharedWriter::new(sink.clone());
        let reporter = Reporter::start(Destination::Json { out }, Level::Info, None, now).unwrap();
        say_all(&reporter.clone());
        assert!(reporter.flush(BOUND));
        let levels: Vec<String> = sink
            .text()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["@level"].to_string())
            .collect();
        assert_eq!(levels, ["\"info\"", "\"warn\"", "\"error\""]);
    }

    #[test]
    fn a_reader_that_has_stopped_blocks_nobody() {
        let (reached, started) = sync_channel(1);
        let release = Arc::new(Mutex::new(()));
        let held = release.lock().unwrap();
        let stalled = Stalled { reached, release: release.clone() };
        let reporter = Reporter::start(text_to(stalled), Level::Info, None, now).unwrap();
        reporter.emit(Event::say(Level::Info, "first"));
        started.recv_timeout(BOUND).unwrap();
        // These would never return if they waited for the writer.
        (0..10_000).for_each(|_| reporter.emit(Event::say(Level::Info, "more")));
        assert!(!reporter.flush(Duration::from_millis(20)));
        drop(held);
        assert!(reporter.flush(BOUND));
    }

    #[test]
    fn a_stream_that_nobody_reads_does_not_keep_anything_from_the_log_file() {
        let (reached, started) = sync_channel(1);
        let release = Arc::new(Mutex::new(()));
        let held = release.lock().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let file = File::from(OwnedFd::from(writer));
        let stalled = text_to(Stalled { reached, release: release.clone() });
        let reporter = Reporter::start(stalled, Level::Info, Some(file), now).unwrap();
        say_all(&reporter);
        started.recv_timeout(BOUND).unwrap();
        let logged = BufReader::new(reader).lines().take(3).map(Result::unwrap).collect::<String>();
        assert!(logged.contains("\"@message\":\"e\""), "{logged}");
        drop(held);
    }

    #[test]
    fn a_full_disk_is_told_once_and_ends_nothing() {
        let Ok(full) = OpenOptions::new().append(true).open("/dev/full") else { return };
        let sink = Sink::default();
        let reporter = Reporter::start(text_to(sink.clone()), Level::Info, Some(full), now).unwrap();
        say_all(&reporter);
        assert!(reporter.flush(BOUND));
        assert_eq!(sink.text().matches("the log file cannot be written").count(), 1, "{}", sink.text());
        assert!(sink.text().contains("tfguard: warning: w\ntfguard: error: e\n"), "{}", sink.text());
    }
}
