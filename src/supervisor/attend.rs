//! One child, from its start until it and all it left are dead.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::debug_span;

use super::keyring::Keyring;
use super::launch::start_error;
use super::stop::{Effect, Happening, Stop, Why};
use crate::child::{
    Arrival, Hangup, InterruptSeen, Kept, Pid, Pumps, Running, Tally, Target, Terminal, spawn,
};
use crate::ci::Scope;
use crate::clock::{Clock, SystemClock};
use crate::credentials;
use crate::error::Error;
use crate::guardian::Token;
use crate::lease::{Counts, Instant};
use crate::lock::Update;
use crate::report::event::{Ended, Event, Level};
use crate::report::{Outlet, Reporter, Stream, human};

/// How long the output of a child that has ended is waited for before the release.
const DRAIN: Duration = Duration::from_secs(2);
/// How long one round of killing what a child left may take.
pub(super) const SWEEP: Duration = Duration::from_secs(2);
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
    /// It is a part of something that goes on by itself, also at a terminal: Terraform gives no
    /// advice on what to do next.
    pub automated: bool,
    /// Its exit code 2 is a success: a plan with `-detailed-exitcode` says by it that there are changes.
    pub tells_changes: bool,
    /// What becomes of its stdout.
    pub output: Output,
}

/// What becomes of a child's stdout.
#[derive(Debug, Clone)]
pub enum Output {
    /// It is passed on; at a terminal the child has that itself.
    Passed,
    /// As `Passed`, and where it passes us it is read for what Terraform says that it changes.
    Counted(Tally),
    /// As `Counted`, and it passes us at a terminal too.
    Piped(Tally),
    /// Nobody sees it.
    Dropped,
    /// It is for us, and nobody else sees it: it holds secrets.
    Kept(Kept),
}

impl Step {
    /// Whether it did what it was asked to.
    pub(super) fn succeeded(&self, ended: Ended) -> bool {
        match ended {
            Ended::Code(0) => true,
            Ended::Code(2) => self.tells_changes,
            Ended::Code(_) | Ended::Signal(_) => false,
        }
    }

    /// What it said that it changes.
    pub(super) fn counts(&self) -> Option<Counts> {
        match &self.output {
            Output::Counted(tally) | Output::Piped(tally) => tally.counts(),
            Output::Passed | Output::Dropped | Output::Kept(_) => None,
        }
    }
}

/// Everything that a child is attended with.
pub(super) struct Scene<'a> {
    /// The locks that it runs under, for people.
    pub(super) named: String,
    /// Those of them that are our own, and who keeps them when we are killed.
    pub(super) keys: Keyring<'a>,
    pub(super) stop: Stop,
    pub(super) arrivals: UnboundedReceiver<Arrival>,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
    pub(super) outlet: &'a Outlet,
    /// The process that hooks run under.
    pub(super) keeper: Option<Pid>,
    /// Variables for the children.
    pub(super) env: Vec<(OsString, OsString)>,
    /// The session that the children carry in their environment; `None` where an ancestor's are all.
    pub(super) session: Option<&'a str>,
    /// The right to send the one SIGINT.
    pub(super) token: &'a Token,
    /// What the next child reads, where it is not our own input.
    pub(super) feed: Option<Arc<File>>,
    /// How long the child's credentials last.
    pub(super) credentials: credentials::Watch,
}

/// What woke us.
#[allow(clippy::large_enum_variant, reason = "one is made per wake-up, and taken apart at once")]
pub(super) enum Wake {
    Arrival(Option<Arrival>),
    Update(usize, Option<Update>),
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
        let scope = self.open_scope(step).await;
        // The reader of the log may have taken its time.
        if let Err(error) = self.may_start() {
            self.close_scope(scope, true).await;
            return Err(error);
        }
        let spec = self.spec(step, on_terminal);
        self.keys.look_after_guardian();
        let group = step.target == Target::Group;
        if let Some(guardian) = &mut self.keys.guardian {
            guardian.starting(group);
        }
        let spawned = debug_span!("spawn").in_scope(|| spawn(&spec, terminal.as_mut()));
        let mut running = match spawned {
            Ok(running) => running,
            Err(error) => {
                if let Some(guardian) = &mut self.keys.guardian {
                    guardian.unwatch();
                }
                self.close_scope(scope, true).await;
                return Err(start_error(step, &error));
            }
        };
        self.stop.next_child();
        let (stdout, stderr) = running.take_output();
        let outputs = [(self.stdout_of(step), &stdout), (Stream::Stderr, &stderr)];
        if let Some(guardian) = &mut self.keys.guardian {
            // What is for us alone is nobody's to carry on: without a reader its child ends.
            let shown = usize::from(matches!(step.output, Output::Kept(_)));
            let outputs =
                outputs.iter().skip(shown).filter_map(|(stream, fd)| Some((*stream, fd.as_ref()?.as_fd())));
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
        let sentinel = self.post_sentinel(step, &spec, on_terminal, &running, &seen);
        let mut hangup = terminal.as_ref().and_then(|terminal| terminal.watch().ok());
        let (mut stops, mut end_is_told) = (0, false);
        let mut resume_at: Option<Instant> = None;
        let ended = loop {
            if let Some(ended) = running.poll() {
                break ended;
            }
            let wake = tokio::select! {
                biased;
                wake = self.wake(&mut markers, hangup.as_mut(), resume_at) => wake,
                () = running.end(), if !end_is_told => {
                    // Once: while a debugger looks at a dead child it cannot be reaped.
                    end_is_told = true;
                    continue;
                }
            };
            match wake {
                Wake::Arrival(Some(Arrival::Stop(arrived))) => {
                    self.handle(Happening::Signal(arrived.name), on_terminal, &running).await;
                }
                Wake::Arrival(Some(Arrival::Orphaned)) => {
                    // Who has asked us to stop need not stay to see it.
                    let asked = self.stop.reason().is_some();
                    self.emit(Event::say(if asked { Level::Debug } else { Level::Warn }, ORPHANED));
                    self.handle(Happening::Signal("SIGHUP"), on_terminal, &running).await;
                }
                Wake::Arrival(_) => {
                    self.keys.look_after_guardian();
                    if let Some(signal) = running.stopped() {
                        stops += 1;
                        resume_at = Some(self.frozen(signal, stops, &running).await);
                    }
                }
                Wake::Update(index, Some(update)) => {
                    if let Some(happening) = self.keys.learn(index, update) {
                        self.handle(happening, on_terminal, &running).await;
                    }
                }
                Wake::Update(index, None) => self.keys.revive(index),
                Wake::Marker => {
                    if let Some(guardian) = &mut self.keys.guardian {
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
        drop(sentinel);
        if let Some(Effect::Signal(name, action)) = self.stop.child_ended(self.clock.mono()) {
            self.emit(Event::Signal { name, action });
        }
        if let Some(terminal) = &mut terminal {
            terminal.take_back();
        }
        self.bury(&running, step).await;
        if let Some(guardian) = &mut self.keys.guardian {
            guardian.unwatch();
        }
        let written = pumps.finished(DRAIN).await;
        self.close_scope(scope, written).await;
        self.emit(Event::ChildExited { ended, argv: step.shown.clone() });
        Ok((ended, pumps))
    }

    /// Tells the CI system that Terraform's own words begin. A command of the user's speaks for itself.
    async fn open_scope(&self, step: &Step) -> Option<Scope> {
        let shown = !matches!(step.output, Output::Dropped | Output::Kept(_));
        let desk = self.outlet.desk().filter(|_| shown && step.target == Target::Process)?;
        desk.open(&step.shown.join(" "), !step.interactive, self.reporter).await
    }

    async fn close_scope(&self, scope: Option<Scope>, written: bool) {
        if let (Some(scope), Some(desk)) = (scope, self.outlet.desk()) {
            desk.close(scope, written, self.reporter).await;
        }
    }

    /// Says how the child's credentials stand, and gives back what follows for the child.
    pub(super) fn hear_of_credentials(&self, notice: credentials::Notice) -> Happening {
        self.emit(match notice {
            credentials::Notice::Expiring { credentials, expires, stop } => {
                Event::CredentialsExpiring { credentials, expires, stop }
            }
            credentials::Notice::Renewed { credentials, until: ends } => {
                let until = |at| format!("until {}", human::time(at, self.clock.now().wall));
                let until = ends.map_or_else(|| "without a known end".to_owned(), until);
                let text = format!("the command's AWS credentials can be renewed, {until}: {credentials}");
                Event::say(Level::Debug, text)
            }
        });
        Happening::Credentials(self.credentials.stop_at(self.clock.now()))
    }

    pub(super) async fn wake(
        &mut self,
        markers: &mut UnboundedReceiver<InterruptSeen>,
        hangup: Option<&mut Hangup>,
        resume_at: Option<Instant>,
    ) -> Wake {
        let wake_at = [self.stop.wake_at(), self.keys.risk_at(), resume_at].into_iter().flatten().min();
        let clock = self.clock;
        tokio::select! {
            biased;
            () = async { match wake_at {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }} => Wake::Time,
            // Before signals: what Terraform has shown already decides what a signal means.
            Some(InterruptSeen) = markers.recv() => Wake::Marker,
            arrival = self.arrivals.recv() => Wake::Arrival(arrival),
            (index, update) = self.keys.update() => Wake::Update(index, update),
            notice = self.credentials.next(&clock) => Wake::Credentials(notice),
            () = async { match hangup {
                Some(hangup) => hangup.gone().await,
                None => std::future::pending().await,
            }} => Wake::Hangup,
        }
    }

    async fn handle(&mut self, happening: Happening, on_terminal: bool, running: &Running) {
        let now = self.clock.mono();
        self.keys.tell_risks(now);
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
                // Told of each lock, below.
                Effect::AtRisk => {}
                Effect::Continue(why) => {
                    let because = why.because().unwrap_or_default();
                    let text = format!(
                        "{}: {because}; the command goes on all the same (--on-lease-lost continue), and another \
                         run may start beside it",
                        self.named
                    );
                    self.emit(Event::say(Level::Error, text));
                }
            }
        }
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
                format!("the command was stopped by {name}; it goes on, since it holds {}", self.named),
            ));
            return self.clock.mono();
        }
        self.handle(Happening::Frozen, false, running).await;
        if stops > MAX_STOPS {
            self.attempt("kill the child", running.kill());
        }
        self.clock.mono() + RESUME_AFTER
    }

    pub(super) fn attempt(&self, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.emit(Event::say(Level::Error, format!("cannot {what}: {error}")));
        }
    }

    pub(super) fn emit(&self, event: Event) {
        self.reporter.emit(event);
    }
}
