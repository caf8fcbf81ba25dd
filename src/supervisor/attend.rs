//! One child, from its start until it and all it left are dead.

use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::child::{
    Arrival, Hangup, InterruptSeen, Leftovers, Marker, Pid, Pumps, Running, Sink, Spec, Stderr, Stdin,
    Stdout, Target, Terminal, same_open_file, spawn,
};
use crate::clock::{Clock, SystemClock};
use crate::credentials;
use crate::error::Error;
use crate::escape;
use crate::guardian::{Guardian, Relief, Token};
use crate::lease::session::{Loss, Notice};
use crate::lease::{Instant, LockName, Tenure};
use crate::lock::{self, Lock, Update};
use crate::report::event::{Ended, Event, Level, SignalAction};
use crate::report::{Outlet, Stream};
use crate::report::{Reporter, human};

use crate::store::Store;

use super::stop::{Effect, Happening, Stop, Why};
use super::verdict::signal_number;

/// How long the output of a child that has ended is waited for before the release.
const DRAIN: Duration = Duration::from_secs(2);
/// How long one round of killing what a child left may take.
const SWEEP: Duration = Duration::from_secs(2);
/// The pause before a child is resumed that stopped because it reached for the terminal.
const RESUME_AFTER: Duration = Duration::from_millis(500);
/// A child that stops this often for want of the terminal is killed.
const MAX_STOPS: u32 = 20;
/// The signals that stop a background process which reads from or writes to its terminal.
const TERMINAL_STOPS: [i32; 2] = [libc::SIGTTIN, libc::SIGTTOU];

/// Said when our parent died, which counts as SIGHUP: nobody is there any more.
pub(super) const ORPHANED: &str = "the process that started tfguard has died without a word, and this is a CI job: stopping as at a hang-up";

/// A command to be run under the lock.
#[derive(Debug, Clone)]
pub struct Step {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its working directory.
    pub dir: PathBuf,
    /// The command line as it may be shown: redacted.
    pub shown: Vec<String>,
    /// Who gets the interrupt.
    pub target: Target,
    /// Whether it may have the terminal. One that may not is a step of our own, whose output is
    /// kept off stdout in `text`.
    pub interactive: bool,
}

/// The lock under which a child runs, and what tells of it.
pub(super) struct Hold {
    pub(super) lock: Lock,
    pub(super) tenure: Tenure,
    /// The newest failure of a heartbeat.
    pub(super) trouble: Option<String>,
    /// How often the lock's task had to be replaced.
    pub(super) revived: u32,
}

/// Everything that a child is attended with.
pub(super) struct Scene<'a> {
    pub(super) name: &'a LockName,
    pub(super) store: Arc<dyn Store>,
    /// `None` under an ancestor's lock.
    pub(super) hold: Option<Hold>,
    pub(super) stop: Stop,
    pub(super) arrivals: UnboundedReceiver<Arrival>,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
    pub(super) outlet: &'a Outlet,
    /// Variables for the children.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Who takes over when we are killed.
    pub(super) guardian: Option<Guardian>,
    /// The right to send the one SIGINT.
    pub(super) token: &'a Token,
    /// How long the child's credentials last.
    pub(super) credentials: credentials::Watch,
}

/// What woke us.
#[allow(clippy::large_enum_variant, reason = "one is made per wake-up, and taken apart at once")]
enum Wake {
    Arrival(Option<Arrival>),
    Update(Option<Update>),
    Marker,
    Hangup,
    Credentials(credentials::Notice),
    Time,
}

impl Scene<'_> {
    /// Runs `step` to its end. When this returns, nothing of it is alive; its last output may
    /// still be on its way to a slow reader, which the pumps that come back see to.
    pub(super) async fn attend(&mut self, step: &Step) -> Result<(Ended, Pumps), Error> {
        // Before the rest, since it may take its time.
        self.credentials_suffice().await?;
        self.may_start()?;
        let mut terminal =
            if step.interactive && self.outlet.is_text() { Terminal::open_foreground() } else { None };
        let on_terminal = terminal.is_some();
        let spec = self.spec(step, on_terminal);
        self.look_after_guardian();
        let group = step.target == Target::Group;
        if let Some(guardian) = &mut self.guardian {
            guardian.starting(group);
        }
        let mut running = spawn(&spec, terminal.as_mut()).map_err(|error| {
            if let Some(guardian) = &mut self.guardian {
                guardian.unwatch();
            }
            start_error(step, &error)
        })?;
        self.stop.next_child();
        let (stdout, stderr) = running.take_output();
        let outputs = [(self.stdout_of(step), &stdout), (Stream::Stderr, &stderr)];
        if let Some(guardian) = &mut self.guardian {
            let outputs = outputs.iter().filter_map(|(stream, fd)| Some((*stream, fd.as_ref()?.as_fd())));
            guardian.watch(running.pid(), group, outputs);
        }
        self.emit(Event::ChildStarted { argv: step.shown.clone(), pid: running.id() });
        let (seen, mut markers) = unbounded_channel();
        let mut pumps = match self.pump(step, &spec, stdout, stderr, &seen) {
            Ok(pumps) => pumps,
            Err(error) => {
                self.abandon(&mut running, step).await;
                return Err(error);
            }
        };
        let mut hangup = terminal.as_ref().and_then(|terminal| terminal.watch().ok());
        let mut stops = 0;
        let mut resume_at: Option<Instant> = None;
        let ended = loop {
            if let Some(ended) = running.poll() {
                break ended;
            }
            match self.wake(&mut markers, hangup.as_mut(), resume_at).await {
                Wake::Arrival(Some(Arrival::Stop(arrived))) => {
                    self.handle(Happening::Signal(arrived.name), on_terminal, &running).await;
                }
                Wake::Arrival(Some(Arrival::Orphaned)) => {
                    self.emit(Event::say(Level::Warn, ORPHANED));
                    self.handle(Happening::Signal("SIGHUP"), on_terminal, &running).await;
                }
                Wake::Arrival(_) => {
                    self.look_after_guardian();
                    if let Some(signal) = running.stopped() {
                        stops += 1;
                        resume_at = Some(self.frozen(signal, stops, &running).await);
                    }
                }
                Wake::Update(Some(update)) => {
                    if let Some(happening) = self.learn(update) {
                        self.handle(happening, on_terminal, &running).await;
                    }
                }
                Wake::Update(None) => {
                    self.revive();
                }
                Wake::Marker => {
                    if let Some(guardian) = &mut self.guardian {
                        guardian.interrupted();
                    }
                    self.handle(Happening::Marker, on_terminal, &running).await;
                }
                Wake::Hangup => self.handle(Happening::Signal("SIGHUP"), on_terminal, &running).await,
                Wake::Credentials(notice) => {
                    let happening = self.hear_of_credentials(notice);
                    self.handle(happening, on_terminal, &running).await;
                }
                Wake::Time => {
                    self.handle(Happening::Tick, on_terminal, &running).await;
                    if resume_at.is_some_and(|at| at <= self.clock.mono()) {
                        resume_at = None;
                        self.attempt("resume the child", running.resume());
                    }
                }
            }
        };
        drop(hangup);
        if let Some(Effect::Signal(name, action)) = self.stop.child_ended(self.clock.mono()) {
            self.emit(Event::Signal { name, action });
        }
        if let Some(terminal) = &mut terminal {
            terminal.take_back();
        }
        self.bury(&running, step).await;
        if let Some(guardian) = &mut self.guardian {
            guardian.unwatch();
        }
        pumps.finished(DRAIN).await;
        self.emit(Event::ChildExited { ended, argv: step.shown.clone() });
        Ok((ended, pumps))
    }

    /// Whether the credentials that the child will use last as long as the user asks for. The wait
    /// for the lock may have used them up.
    async fn credentials_suffice(&mut self) -> Result<(), Error> {
        if let Some(why) = self.credentials.shortfall(&self.clock).await {
            return Err(Error::Credentials(format!("lock {}: {why}; nothing more was started", self.name)));
        }
        let now = self.clock.now();
        self.stop.note(Happening::Credentials(self.credentials.stop_at(now)), now.mono);
        Ok(())
    }

    /// Says how the child's credentials stand, and gives back what follows for the child.
    fn hear_of_credentials(&self, notice: credentials::Notice) -> Happening {
        self.emit(match notice {
            credentials::Notice::Expiring { credentials, expires, stop } => {
                Event::CredentialsExpiring { credentials, expires, stop }
            }
            credentials::Notice::Renewed { credentials, until } => {
                let until = until.map_or("without a known end".to_owned(), |at| format!("until {at:.0}"));
                let text = format!("the command's AWS credentials can be renewed, {until}: {credentials}");
                Event::say(Level::Debug, text)
            }
        });
        Happening::Credentials(self.credentials.stop_at(self.clock.now()))
    }

    /// Whether a child may be started now: nobody wants us to stop, and the lease is good.
    fn may_start(&mut self) -> Result<(), Error> {
        while let Ok(arrival) = self.arrivals.try_recv() {
            match arrival {
                Arrival::Stop(arrived) => {
                    let action = SignalAction::Cancelled;
                    self.emit(Event::Signal { name: arrived.name, action });
                    return Err(cancelled(arrived.name));
                }
                Arrival::Orphaned => {
                    self.emit(Event::say(Level::Warn, ORPHANED));
                    return Err(cancelled("SIGHUP"));
                }
                Arrival::Child => {}
            }
        }
        while let Some(update) = self.hold.as_mut().and_then(|hold| hold.lock.pending_update()) {
            if let Some(happening) = self.learn(update) {
                self.stop.note(happening, self.clock.mono());
            }
        }
        let now = self.clock.mono();
        self.stop.note(Happening::Tick, now);
        let late = self.hold.as_ref().is_some_and(|hold| now >= hold.tenure.deadlines().stop);
        match self.stop.reason() {
            Some(Why::Signal(name)) => Err(cancelled(name)),
            Some(Why::Deadline) => Err(Error::NotAcquired(format!(
                "lock {}: the run's --deadline came before the command was started",
                self.name
            ))),
            Some(Why::Expiry) => Err(Error::Credentials(format!(
                "lock {}: the command's AWS credentials are too near to their end (--stop-before-expiry); nothing more \
                 was started",
                self.name
            ))),
            Some(_) => Err(self.lost_before_start()),
            None if late => Err(self.lost_before_start()),
            None => Ok(()),
        }
    }

    fn lost_before_start(&self) -> Error {
        Error::Lost(format!(
            "lock {}: the lease was lost or at risk before the command could be started; nothing was run",
            self.name
        ))
    }

    fn spec(&self, step: &Step, on_terminal: bool) -> Spec {
        let text = self.outlet.is_text();
        let stdout_is_terminal = rustix::termios::isatty(rustix::stdio::stdout());
        let stderr_is_terminal = rustix::termios::isatty(rustix::stdio::stderr());
        let stdout = if on_terminal && stdout_is_terminal { Stdout::Inherit } else { Stdout::Piped };
        let one = same_open_file(rustix::stdio::stdout(), rustix::stdio::stderr());
        let stderr = if on_terminal && stderr_is_terminal {
            Stderr::Inherit
        } else if text && (one || !step.interactive) && stdout == Stdout::Piped {
            Stderr::WithStdout
        } else {
            Stderr::Piped
        };
        // In the background it would stop as soon as it reads.
        let unreadable = !on_terminal && Terminal::is_controlling(rustix::stdio::stdin());
        let stdin = if step.interactive && text && !unreadable { Stdin::Inherit } else { Stdin::Null };
        let mut env = self.env.clone();
        if !on_terminal {
            env.push(("TF_IN_AUTOMATION".into(), "1".into()));
        }
        Spec {
            program: step.program.clone(),
            args: step.args.clone(),
            dir: step.dir.clone(),
            env,
            stdin,
            stdout,
            stderr,
            target: step.target,
        }
    }

    fn pump(
        &self,
        step: &Step,
        spec: &Spec,
        stdout: Option<PipeReader>,
        stderr: Option<PipeReader>,
        seen: &UnboundedSender<InterruptSeen>,
    ) -> Result<Pumps, Error> {
        let mut pumps = Pumps::new();
        let out = self.stdout_of(step);
        let merged = spec.stderr == Stderr::WithStdout;
        for (reader, stream) in [(stdout, out), (stderr, Stream::Stderr)] {
            if let Some(reader) = reader {
                // Terraform says it on stdout; a diagnostic on stderr may quote anything.
                let sink: Box<dyn Sink> = match stream {
                    Stream::Stderr if !merged && step.interactive => self.outlet.sink(stream),
                    _ => Box::new(Marker::new(self.outlet.sink(stream), seen.clone())),
                };
                let what = if merged { "output" } else { stream.name() };
                pumps.add(reader, sink).map_err(|error| {
                    Error::Bug(format!("cannot start the thread that copies the child's {what}: {error}"))
                })?;
            }
        }
        Ok(pumps)
    }

    /// Where the child's stdout goes.
    fn stdout_of(&self, step: &Step) -> Stream {
        // A step of our own must not mix with what the requested command prints.
        if step.interactive || !self.outlet.is_text() { Stream::Stdout } else { Stream::Stderr }
    }

    async fn wake(
        &mut self,
        markers: &mut UnboundedReceiver<InterruptSeen>,
        hangup: Option<&mut Hangup>,
        resume_at: Option<Instant>,
    ) -> Wake {
        let wake_at = [self.stop.wake_at(), resume_at].into_iter().flatten().min();
        let clock = self.clock;
        let update = async {
            match &mut self.hold {
                Some(hold) => hold.lock.update().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = async { match wake_at {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }} => Wake::Time,
            // Before signals: what Terraform has shown already decides what a signal means.
            Some(InterruptSeen) = markers.recv() => Wake::Marker,
            arrival = self.arrivals.recv() => Wake::Arrival(arrival),
            update = update => Wake::Update(update),
            notice = self.credentials.next(&clock) => Wake::Credentials(notice),
            () = async { match hangup {
                Some(hangup) => hangup.gone().await,
                None => std::future::pending().await,
            }} => Wake::Hangup,
        }
    }

    /// What an update of the lock means for the child, after it was told to people.
    fn learn(&mut self, update: Update) -> Option<Happening> {
        let hold = self.hold.as_mut()?;
        let lock = self.name.clone();
        match update {
            Update::Trouble(error) => {
                hold.trouble = Some(error.to_string());
                let text = format!("lock {lock}: a heartbeat failed: {error}");
                self.emit(Event::say(Level::Debug, text));
                None
            }
            Update::Notice(notice, tenure) => {
                let deadlines = tenure.as_ref().map(|tenure| tenure.deadlines());
                if let Some(tenure) = tenure {
                    if let Some(guardian) = &mut self.guardian {
                        guardian.renewed(&tenure);
                    }
                    hold.tenure = *tenure;
                }
                match notice {
                    Notice::Renewed { beat } => {
                        hold.trouble = None;
                        self.emit(Event::LockRenewed { lock, beat });
                    }
                    Notice::Recreated => self.emit(Event::say(
                        Level::Warn,
                        format!("lock {lock}: its record had vanished from the store; putting it back"),
                    )),
                    Notice::Lost(loss) => {
                        self.emit(Event::LockLost { lock, cause: cause_of(&loss) });
                        return Some(Happening::Lost);
                    }
                    Notice::Waiting { .. } | Notice::GrantMissed | Notice::Acquired { .. } => {}
                }
                deadlines.map(Happening::Lease)
            }
            // Only a release or a leave ends a session that holds, and neither was asked for.
            Update::Finished(..) => None,
        }
    }

    /// The task that sends the heartbeats has died, which is a bug: another one goes on from what
    /// is known. When that happens again and again the deadlines see to the child.
    fn revive(&mut self) {
        const MOST: u32 = 3;
        let Some(hold) = &mut self.hold else { return };
        hold.revived += 1;
        let text = "the task that keeps it alive has died; this is a bug in tfguard, please report it";
        if hold.revived <= MOST {
            let (name, store) = (self.name.clone(), self.store.clone());
            hold.lock = lock::resume(hold.tenure.clone(), name, store, self.clock, crate::session::seed());
        } else {
            self.hold = None;
        }
        self.emit(Event::say(Level::Error, format!("lock {}: {text}", self.name)));
    }

    async fn handle(&mut self, happening: Happening, on_terminal: bool, running: &Running) {
        let now = self.clock.mono();
        for effect in self.stop.handle(happening, on_terminal, now) {
            match effect {
                Effect::Interrupt(why) => {
                    self.explain("stopping the command", why);
                    if self.token.take() {
                        self.attempt("interrupt the child", running.interrupt());
                    }
                }
                Effect::Kill(why) => {
                    self.explain("killing the command", why);
                    self.attempt("kill the child", running.kill());
                    self.leftovers(running).sweep(SWEEP).await;
                }
                Effect::Signal(name, action) => self.emit(Event::Signal { name, action }),
                Effect::AtRisk => self.at_risk(now),
                Effect::Continue(why) => {
                    let because = why.because().unwrap_or_default();
                    let text = format!(
                        "lock {}: {because}; the command goes on all the same (--on-lease-lost continue), and \
                         another run may start beside it",
                        self.name
                    );
                    self.emit(Event::say(Level::Error, text));
                }
            }
        }
    }

    fn at_risk(&self, now: Instant) {
        let Some(hold) = &self.hold else { return };
        let Tenure { own: _, base } = hold.tenure;
        self.emit(Event::LockAtRisk {
            lock: self.name.clone(),
            silent: now.since(base),
            stop_in: hold.tenure.deadlines().stop.since(now),
            cause: hold.trouble.clone(),
        });
    }

    fn explain(&self, doing: &str, why: Why) {
        if let Some(because) = why.because() {
            self.emit(Event::say(Level::Warn, format!("{doing}: {because}")));
        }
    }

    /// The child was stopped. Nobody may keep the lock with a frozen child: it goes on, and when
    /// it reaches for a terminal that it cannot have, it is stopped for good.
    async fn frozen(&mut self, signal: i32, stops: u32, running: &Running) -> Instant {
        let name = human::signal(signal);
        if !TERMINAL_STOPS.contains(&signal) {
            self.emit(Event::say(
                Level::Warn,
                format!("the command was stopped by {name}; it goes on, since it holds lock {}", self.name),
            ));
            return self.clock.mono();
        }
        self.handle(Happening::Frozen, false, running).await;
        if stops > MAX_STOPS {
            self.attempt("kill the child", running.kill());
        }
        self.clock.mono() + RESUME_AFTER
    }

    /// Ends a child that cannot be attended to.
    async fn abandon(&self, running: &mut Running, step: &Step) {
        self.attempt("kill the child", running.kill());
        while running.poll().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.bury(running, step).await;
    }

    /// Kills what the child left and says so. Comes back when nothing of it is alive.
    async fn bury(&self, running: &Running, step: &Step) {
        let leftovers = self.leftovers(running);
        let mut named = false;
        loop {
            let swept = leftovers.sweep(SWEEP).await;
            if !swept.names.is_empty() && !named {
                named = true;
                let text = format!(
                    "{} left processes behind, which were killed: {}",
                    step.shown.first().map_or("the command", String::as_str),
                    swept.names.join(", ")
                );
                self.emit(Event::say(Level::Warn, text));
            }
            if swept.survivors == 0 {
                return;
            }
            let text = format!(
                "{} of the command's processes cannot be killed; lock {} is kept until they are gone",
                swept.survivors, self.name
            );
            self.emit(Event::say(Level::Error, text));
        }
    }

    /// Puts another guardian in the place of one that died.
    fn look_after_guardian(&mut self) {
        let relief = self.guardian.as_mut().and_then(Guardian::look_after);
        let text = match relief {
            None => return,
            Some(Relief::Posted) => "the guardian has died; another one took its post".to_owned(),
            Some(Relief::Unguarded(error)) => format!(
                "the guardian has died, and no other could be posted ({error}): if tfguard itself is killed, lock {} \
                 stays until its lease ends",
                self.name
            ),
        };
        self.emit(Event::say(Level::Warn, text));
    }

    /// What the child leaves behind, and not what is our own.
    fn leftovers(&self, running: &Running) -> Leftovers {
        let guardian: Vec<Pid> = self.guardian.as_ref().and_then(Guardian::pid).into_iter().collect();
        // Under an ancestor's lock we carry its session ourselves, which tells nobody apart; what
        // moves into our group there is in the ancestor's child, and swept with it.
        let session = self.env.iter().find(|(name, _)| name == "TFGUARD_SESSION");
        Leftovers::of(running.pgid(), &guardian, session.and_then(|(_, value)| value.to_str()))
    }

    fn attempt(&self, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.emit(Event::say(Level::Error, format!("cannot {what}: {error}")));
        }
    }

    fn emit(&self, event: Event) {
        self.reporter.emit(event);
    }
}

fn cancelled(name: &'static str) -> Error {
    Error::Cancelled { name, number: signal_number(name) }
}

fn start_error(step: &Step, error: &io::Error) -> Error {
    let program = step.program.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(format!("{program} cannot be found: {error}")),
        io::ErrorKind::NotADirectory => Error::NoInput(error.to_string()),
        _ => Error::CannotRun(error.to_string()),
    }
}

fn cause_of(loss: &Loss) -> String {
    match loss {
        Loss::Gone => {
            "our entry has gone from its record: someone took it over, or the record was deleted".to_owned()
        }
        Loss::Revoked(by) => {
            format!("{} asked us to stop: {}", escape::line(&by.by), escape::line(&by.reason))
        }
        Loss::Removed(by) => {
            format!("{} removed us: {}", escape::line(&by.by), escape::line(&by.reason))
        }
    }
}
