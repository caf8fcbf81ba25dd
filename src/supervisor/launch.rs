//! Starting a child: whether it may be, with which streams, and who carries its output.

use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::attend::{Output, Scene, Step};
use super::stop::{Happening, Why};
use super::verdict::cancelled;
use crate::child::{
    InterruptSeen, Marker, Nowhere, Pumps, Running, Sentinel, Sink, Spec, Stderr, Stdin, Stdout, Target,
    Terminal, same_open_file,
};
use crate::clock::Clock;
use crate::error::Error;
use crate::report::Stream;
use crate::report::event::{Event, Level};

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
            self.heed(arrival)?;
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
            Some(Why::Deadline) => Err(Error::Deadline(format!(
                "{}: the run's --deadline has come; nothing more was started",
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
        Error::Lost(format!("{}: the lease was lost or at risk; nothing more was started", self.named))
    }

    pub(super) fn spec(&self, step: &Step, on_terminal: bool) -> Spec {
        let text = self.outlet.is_text();
        let stdout_is_terminal = rustix::termios::isatty(rustix::stdio::stdout());
        let stderr_is_terminal = rustix::termios::isatty(rustix::stdio::stderr());
        let passes = matches!(step.output, Output::Passed | Output::Counted(_));
        let stdout =
            if on_terminal && stdout_is_terminal && passes { Stdout::Inherit } else { Stdout::Piped };
        let one = same_open_file(rustix::stdio::stdout(), rustix::stdio::stderr());
        // Through one pipe the two keep their order; what is not shown has none to keep.
        let both_shown = !matches!(step.output, Output::Dropped | Output::Kept(_));
        let together = text && both_shown && (one || !step.interactive) && stdout == Stdout::Piped;
        let stderr = if on_terminal && stderr_is_terminal && !(together && one) {
            Stderr::Inherit
        } else if together {
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
        env.extend(self.reporter.for_child());
        if !on_terminal || step.automated {
            env.push(("TF_IN_AUTOMATION".into(), "1".into()));
        }
        if matches!(step.output, Output::Kept(_)) {
            // Meant for the user's commands; this one is ours.
            env.extend(["TF_CLI_ARGS", "TF_CLI_ARGS_show"].map(|name| (name.into(), OsString::new())));
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
            leashed: false,
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
        let terraform = step.target == Target::Process;
        let merged = spec.stderr == Stderr::WithStdout;
        for (reader, stream, is_stdout) in [(stdout, out, true), (stderr, Stream::Stderr, false)] {
            if let Some(reader) = reader {
                let sink: Box<dyn Sink> = match &step.output {
                    Output::Counted(tally) | Output::Piped(tally) if is_stdout => {
                        tally.of(self.outlet.sink(stream, terraform))
                    }
                    Output::Kept(kept) if is_stdout => kept.sink(),
                    Output::Dropped if is_stdout => Box::new(Nowhere),
                    _ => self.outlet.sink(stream, terraform),
                };
                // Terraform says it on stdout; a diagnostic on stderr may quote anything.
                let sink: Box<dyn Sink> = match stream {
                    Stream::Stderr if !merged && step.interactive => sink,
                    _ => Box::new(Marker::new(sink, seen.clone())),
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
