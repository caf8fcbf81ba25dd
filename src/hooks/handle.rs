//! The supervisor's end.

use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::keeper::ARGUMENT;
use super::settings::Settings;
use super::tap::Tap;
use super::wire::{Order, Word, say};
use crate::child::{Pid, start_session};
use crate::lease::LockName;
use crate::report::Reporter;
use crate::report::event::{Event, HookReport, Level};
use crate::report::reporter::Listener;

/// How long the keeper may take to end what runs, beyond what hooks may take.
const GRACE: Duration = Duration::from_secs(1);

/// The hooks of a run.
#[derive(Debug)]
pub struct Hooks {
    ear: Arc<Ear>,
    timeout: Duration,
    keeper: Pid,
    closing: Arc<AtomicBool>,
    done: oneshot::Receiver<()>,
}

/// What listens to the events of the run.
#[derive(Debug)]
struct Ear {
    tap: Mutex<Tap>,
    settings: Settings,
    orders: Sender<Order>,
}

impl Listener for Ear {
    fn hear(&self, event: &Event, at: Timestamp) {
        let firing = self.tap.lock().unwrap_or_else(PoisonError::into_inner).hear(event, at);
        if let Some(firing) = firing.filter(|firing| self.settings.commands.contains_key(&firing.hook)) {
            // Nobody is there any more to run it, which has been said.
            let _ = self.orders.send(Order::Fire(firing));
        }
    }
}

impl Hooks {
    /// Starts the keeper. What becomes of the hooks is said through `reporter`.
    ///
    /// # Errors
    /// When the system gives no socket, process or thread.
    pub fn start(settings: Settings, session: &str, reporter: &Reporter) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(crate::child::own_program()?);
        command.arg0("tfguard").arg(ARGUMENT).current_dir("/");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        // Away from our terminal and from signals to our group.
        start_session(&mut command);
        let process = command.spawn()?;
        drop(command);
        let keeper = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let keeper = keeper.ok_or_else(|| io::Error::other("the system gave an impossible process id"))?;
        let closing = Arc::new(AtomicBool::new(false));
        let (orders, given) = channel();
        let (finished, done) = oneshot::channel();
        let begin = Order::Begin { settings: settings.clone(), session: session.to_owned() };
        let mouth = ours.try_clone()?;
        thread::Builder::new().name("hooks out".into()).spawn(move || {
            let given = std::iter::once(begin).chain(given);
            // A keeper that does not listen has died, which is noticed by whoever listens to it.
            let _ = given.into_iter().try_for_each(|order| say(&mouth, &order));
        })?;
        let listening = Listening {
            socket: ours,
            process,
            settings: settings.clone(),
            closing: closing.clone(),
            reporter: reporter.clone(),
        };
        thread::Builder::new().name("hooks in".into()).spawn(move || {
            listening.until_the_end();
            let _ = finished.send(());
        })?;
        let timeout = settings.timeout;
        let ear = Arc::new(Ear { tap: Mutex::default(), settings, orders });
        Ok(Self { ear, timeout, keeper, closing, done })
    }

    /// A reporter whose events hooks are run for.
    #[must_use]
    pub fn hears(&self, reporter: &Reporter) -> Reporter {
        reporter.heard_by(self.ear.clone())
    }

    /// A lock that was acquired before these hooks were there.
    pub fn knows(&self, lock: LockName, generation: u64) {
        self.ear.tap.lock().unwrap_or_else(PoisonError::into_inner).knows(lock, generation);
    }

    /// The process that everything runs under which a hook has started: no left-over of a child's.
    pub fn keeper(&self) -> Pid {
        self.keeper
    }

    /// Waits for the last hooks: for the time that one may take, all of them together, and no longer
    /// than until `stopped`. Nothing of them runs afterwards.
    pub async fn finish(mut self, stopped: impl Future<Output = ()>) {
        self.closing.store(true, Ordering::Relaxed);
        let close = Order::Close { within: self.timeout };
        let _ = self.ear.orders.send(close);
        tokio::select! {
            _ = &mut self.done => return,
            () = stopped => {}
            () = tokio::time::sleep(self.timeout + GRACE) => {}
        }
        let _ = self.ear.orders.send(Order::Stop);
        if tokio::time::timeout(GRACE, &mut self.done).await.is_err() {
            // It is not reaped before the thread that listens to it has seen its end.
            let _ = rustix::process::kill_process(self.keeper, rustix::process::Signal::KILL);
        }
    }
}

/// Hears what became of the hooks.
struct Listening {
    socket: UnixStream,
    process: Child,
    settings: Settings,
    closing: Arc<AtomicBool>,
    reporter: Reporter,
}

impl Listening {
    fn until_the_end(mut self) {
        let lines = BufReader::new(&self.socket).split(b'\n').map_while(Result::ok);
        for word in lines.filter_map(|line| serde_json::from_slice::<Word>(&line).ok()) {
            if let Some(report) = self.report(word) {
                self.reporter.emit(Event::HookFinished(report));
            }
        }
        let _ = self.process.wait();
        if !self.closing.load(Ordering::Relaxed) {
            let text = "the process that runs the hooks has died: none is run any more";
            self.reporter.emit(Event::say(Level::Warn, text));
        }
    }

    fn report(&self, word: Word) -> Option<HookReport> {
        let program = self.settings.commands.get(&word.hook).and_then(|command| command.first());
        Some(HookReport {
            hook: word.hook,
            lock: LockName::new(word.lock).ok()?,
            program: program.cloned().unwrap_or_default(),
            end: word.end,
            took: word.took,
            output: word.output,
            omitted: word.omitted,
        })
    }
}
