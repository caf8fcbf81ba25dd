//! Starting a child: whether it may be, with which streams, and who carries its output.

use std::io::{self, PipeReader};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::attend::{ORPHANED, Scene, Step};
use super::stop::{Happening, Why};
use super::verdict::cancelled;
use crate::child::{
    Arrival, InterruptSeen, Marker, Pumps, Running, Sentinel, Sink, Spec, Stderr, Stdin, Stdout, Target,
    Terminal, same_open_file,
};
use crate::clock::Clock;
use crate::error::Error;
use crate::report::Stream;
use crate::report::event::{Event, Level, SignalAction};

impl Scene<'_> {
    /// Whether the credentials that the child will use last as long as the user asks for. The wait
    /// for the lock may have used them up.
    pub(super) async fn credentials_suffice(&mut self) -> Result<(), Error> {
        if let Some(why) = self.credentials.shortfall(&self.clock).await {
            return Err(Error::Credentials(format!("{}: {why}; nothing more was started", self.named)));
        }
        let now = self.clock.now();
        self.stop.note(Happening::Credentials(self.credentials.stop_at(now)), now.mono);
        Ok(())
    }

    /// Somebody to tell us of a Ctrl-C that the terminal gives to Terraform, where its own word for
    /// it does not come past us.
    pub(super) fn post_sentinel(
        &self,
        step: &Step,
        spec: &Spec,
        on_terminal: bool,
        running: &Running,
        seen: &UnboundedSender<InterruptSeen>,
    ) -> Option<Sentinel> {
        let blind = on_terminal && step.target == Target::Process && spec.stdout == Stdout::Inherit;
        match blind.then(|| Sentinel::post(running.pgid(), seen.clone()))? {
            Ok(sentinel) => Some(sentinel),
            Err(error) => {
                let text = format!("nobody can tell whether a Ctrl-C reaches the command: {error}");
                self.emit(Event::say(Level::Warn, text));
                None
            }
        }
    }

    /// Whether a child may be started now: nobody wants us to stop, and the lease is good.
    pub(super) fn may_start(&mut self) -> Result<(), Error> {
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
        while let Some((index, update)) = self.keys.pending_update() {
            if let Some(happening) = self.keys.learn(index, update) {
                self.stop.note(happening, self.clock.mono());
            }
        }
        let now = self.clock.mono();
        self.stop.note(Happening::Tick, now);
        let late = self.keys.deadlines().is_some_and(|deadlines| now >= deadlines.stop);
        match self.stop.reason() {
            Some(Why::Signal(name)) => Err(cancelled(name)),
            Some(Why::Deadline) => Err(Error::NotAcquired(format!(
                "{}: the run's --deadline came before the command was started",
                self.named
            ))),
            Some(Why::Expiry) => Err(Error::Credentials(format!(
                "{}: the command's AWS credentials are too near to their end (--stop-before-expiry); nothing more was \
                 started",
                self.named
            ))),
            Some(_) => Err(self.lost_before_start()),
            None if late => Err(self.lost_before_start()),
            None => Ok(()),
        }
    }

    pub(super) fn lost_before_start(&self) -> Error {
        Error::Lost(format!(
            "{}: the lease was lost or at risk before the command could be started; nothing was run",
            self.named
        ))
    }

    pub(super) fn spec(&self, step: &Step, on_terminal: bool) -> Spec {
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
        let stdin = match &self.feed {
            Some(file) => Stdin::File(Arc::clone(file)),
            None if step.interactive && text && !unreadable => Stdin::Inherit,
            None => Stdin::Null,
        };
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

    pub(super) fn pump(
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
    pub(super) fn stdout_of(&self, step: &Step) -> Stream {
        // A step of our own must not mix with what the requested command prints.
        if step.interactive || !self.outlet.is_text() { Stream::Stdout } else { Stream::Stderr }
    }
}

pub(super) fn start_error(step: &Step, error: &io::Error) -> Error {
    let program = step.program.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(format!("{program} cannot be found: {error}")),
        io::ErrorKind::NotADirectory => Error::NoInput(error.to_string()),
        _ => Error::CannotRun(error.to_string()),
    }
}
