//! Where a run's words for its CI system are gathered and given out.
//!
//! What Terraform prints is text and never a command to GitHub's runner: `::stop-commands::` comes
//! before it, with a token that it cannot know, and the token after it. The runner reads our two
//! streams on two threads, so the token waits until the other stream is taken, and what cannot be
//! had in this order is not had at all: then the commands stay stopped for the rest of the step.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::diagnostic::Diagnostic;
use super::listen::Listener;
use super::note::Note;
use super::pipe::{LINE, PATIENCE, is_pipe, length, may_be_command, taken};
use super::summary::{self, Subject};
use super::{System, command, section};
use crate::child::{Sink, same_open_file};
use crate::error::Error;
use crate::report::event::{Event, RunOutcome};
use crate::report::{Listener as _, Reporter, SharedWriter, Stream};

/// Annotations of each kind: GitHub shows no more of a step.
const ANNOTATIONS: usize = 10;
/// Bytes that GitHub takes of all summaries of one step, with room to spare.
const STEP: u64 = 1000 * 1024;

/// What a desk is made of.
#[derive(Debug)]
pub struct Site {
    /// The system.
    pub system: System,
    /// What the run is.
    pub subject: Subject,
    /// The child's output and our own lines are NDJSON on stdout.
    pub json: bool,
    /// The page of the step (`GITHUB_STEP_SUMMARY`).
    pub summary: Option<PathBuf>,
    /// A file that takes the run's page instead: whoever started us may have to hand it in after the
    /// step, when nobody looks at the step's page any more (`TFGUARD_CI_SUMMARY`).
    pub page: Option<PathBuf>,
    /// A file that takes our commands instead of stderr: whoever reads our output has stopped
    /// commands for all of it (`TFGUARD_CI_COMMANDS`). Annotations are for after the output; before
    /// those of sections stands where in the output they belong: `@BYTES ::group::TITLE`.
    pub commands: Option<PathBuf>,
    /// Nobody can guess it.
    pub token: String,
    /// The time.
    pub now: fn() -> Timestamp,
}

/// The desk of one run. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    site: Site,
    /// Our two streams are one.
    one_stream: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    note: Note,
    sections: usize,
    /// Commands are stopped.
    stopped: bool,
    /// Something of a child may still be on its way to a slow reader.
    behind: bool,
    /// The last line of stdout and of stderr, while it has no end.
    open_line: [Vec<u8>; 2],
}

/// A section that is open.
#[derive(Debug)]
pub struct Scope {
    number: usize,
}

impl Desk {
    /// A desk.
    pub fn new(site: Site) -> Self {
        let one_stream = same_open_file(std::io::stdout(), std::io::stderr());
        Self(Arc::new(Inner { site, one_stream, state: Mutex::default() }))
    }

    /// The reporter, with this desk listening.
    pub fn hears(&self, reporter: &Reporter) -> Reporter {
        reporter.heard_by(self.0.clone())
    }

    /// Takes in what is said without a reporter.
    pub fn hear(&self, event: &Event) {
        self.0.hear(event, (self.0.site.now)());
    }

    /// What passes into `sink` is looked at.
    pub fn listen(&self, sink: Box<dyn Sink>, stream: Stream, terraform: bool) -> Box<dyn Sink> {
        Box::new(Listener::new(sink, self.0.clone(), stream, terraform))
    }

    /// Looks at what was noted.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn noted<T>(&self, look: impl FnOnce(&Note) -> T) -> T {
        look(&self.0.state().note)
    }

    /// Begins a section for what a child is going to print; `aside`: it is not what was asked for.
    pub async fn open(&self, title: &str, aside: bool, reporter: &Reporter) -> Option<Scope> {
        if !self.0.marks() {
            return None;
        }
        if self.0.site.commands.is_some() {
            self.0.mark(command::group(title), reporter).await;
            return Some(Scope { number: 0 });
        }
        let (number, text) = {
            let mut state = self.0.state();
            state.sections += 1;
            let number = state.sections;
            let text = match self.0.site.system {
                // Nobody would hear it.
                System::GitHub if state.stopped => String::new(),
                System::GitHub => {
                    state.stopped = true;
                    command::group(title) + &command::stop(&self.0.site.token)
                }
                System::GitLab => section::start(number, title, aside, (self.0.site.now)()),
            };
            (number, text)
        };
        reporter.print(text.into_bytes(), SharedWriter::stderr());
        let reporter = reporter.clone();
        let github = self.0.site.system == System::GitHub;
        wait(move || {
            reporter.flush(PATIENCE);
            if github {
                taken(std::io::stderr());
            }
        })
        .await;
        Some(Scope { number })
    }

    /// Ends it. `written`: nothing of the child's is on its way any more.
    pub async fn close(&self, scope: Scope, written: bool, reporter: &Reporter) {
        match self.0.site.system {
            _ if self.0.site.commands.is_some() => {
                self.0.mark(command::END_GROUP.to_owned(), reporter).await;
            }
            System::GitLab => {
                let text = section::end(scope.number, (self.0.site.now)());
                let text = self.0.at_line_start() + &text;
                reporter.print(text.into_bytes(), SharedWriter::stderr());
            }
            System::GitHub => {
                self.0.state().behind |= !written;
                if self.resume(reporter).await {
                    reporter.print(command::END_GROUP.into(), SharedWriter::stderr());
                }
            }
        }
    }

    /// Says that a reader has taken all that the children printed.
    pub fn all_is_written(&self) {
        self.0.state().behind = false;
    }

    /// Adds the page of the run to the step's summary, where there is one.
    ///
    /// # Errors
    /// A sentence, when it cannot be written.
    pub fn write_summary(&self) -> Result<(), String> {
        let site = &self.0.site;
        let Some(path) = site.summary.as_deref().filter(|_| site.system == System::GitHub) else {
            return Ok(());
        };
        self.append_page(path).map_err(|error| {
            let path = path.to_string_lossy();
            format!("the step summary {} cannot be written: {error}", crate::escape::field(&path))
        })
    }

    fn append_page(&self, step: &Path) -> std::io::Result<()> {
        let site = &self.0.site;
        let apart = site.page.as_deref();
        let mut file = OpenOptions::new().create(true).append(true).open(apart.unwrap_or(step))?;
        let steps = apart.and_then(|_| step.metadata().ok()).map_or(0, |metadata| metadata.len());
        let room = STEP.saturating_sub(file.metadata()?.len()).saturating_sub(steps);
        let room = usize::try_from(room).unwrap_or(summary::MOST);
        let page = summary::page(&site.subject, &self.0.state().note, room);
        // Without any room the pages before it are full, and GitHub would drop them all.
        page.map_or(Ok(()), |page| file.write_all(page.as_bytes()))
    }

    /// Gives the annotations out. The last thing of a run.
    pub async fn finish(&self, reporter: &Reporter) {
        if self.0.site.system == System::GitHub && self.resume(reporter).await {
            self.annotate(|text| reporter.print(text, SharedWriter::stderr()));
        }
    }

    /// The end of a run that was refused before it began: its page and its annotation, at once.
    ///
    /// # Errors
    /// A sentence, when the page cannot be written.
    pub fn refuse(&self, error: &Error) -> Result<(), String> {
        let refused = Event::RunSummary {
            session: None,
            locks: Vec::new(),
            outcome: RunOutcome::Failed,
            exit_code: error.exit_code(),
            waited: Duration::ZERO,
            held: None,
            changes: None,
        };
        [Event::failure(error), refused].iter().for_each(|event| self.hear(event));
        let written = self.write_summary();
        self.complain();
        written
    }

    /// An annotation for what was heard, at once. Nothing of a child's may have been printed.
    pub fn complain(&self) {
        if self.0.site.system == System::GitHub {
            // A closed stream has nobody to say it to.
            self.annotate(|text| drop(SharedWriter::stderr().write(&text)));
        }
    }

    fn annotate(&self, print: impl FnOnce(Vec<u8>)) {
        let site = &self.0.site;
        let annotations = self.0.state().note.annotations(ANNOTATIONS);
        let one = |diagnostic: &Diagnostic| {
            let file = diagnostic.file.as_deref();
            let file = file.and_then(|file| command::place(&site.subject.directory, file));
            command::annotation(diagnostic, file.as_deref())
        };
        let text: String = annotations.iter().map(one).collect();
        if text.is_empty() {
            return;
        }
        match &site.commands {
            // They are in the summary too.
            Some(path) => drop(append(path, &text)),
            // Among NDJSON they would not be.
            None if site.json && self.0.one_stream => {}
            None => print(text.into_bytes()),
        }
    }

    /// Lets lines be commands again. False where that cannot be done in order.
    async fn resume(&self, reporter: &Reporter) -> bool {
        let inner = &self.0;
        if !inner.state().stopped {
            return true;
        }
        let apart = !inner.one_stream && is_pipe(std::io::stdout());
        if inner.state().behind || (apart && may_be_command(&inner.state().open_line[0])) {
            return false;
        }
        if apart && !wait(|| taken(std::io::stdout())).await.unwrap_or(false) {
            return false;
        }
        let text = inner.at_line_start() + &command::resume(&inner.site.token);
        inner.state().stopped = false;
        reporter.print(text.into_bytes(), SharedWriter::stderr());
        true
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether sections are marked.
    fn marks(&self) -> bool {
        !self.site.json
    }

    /// Writes down a command, and after how much of our output it is due.
    async fn mark(self: &Arc<Self>, command: String, reporter: &Reporter) {
        let (inner, reporter) = (Arc::clone(self), reporter.clone());
        wait(move || {
            reporter.flush(PATIENCE);
            let Some(path) = inner.site.commands.as_deref().filter(|_| inner.one_stream) else { return };
            let Some(printed) = length(std::io::stderr()) else { return };
            // Without it the output is whole and not folded.
            let _ = append(path, &format!("@{printed} {command}"));
        })
        .await;
    }

    pub(super) fn note(&self, take: impl FnOnce(&mut Note)) {
        take(&mut self.state().note);
    }

    /// A child's bytes have been written to one of our streams.
    pub(super) fn passed(&self, stream: Stream, bytes: &[u8]) {
        let place = usize::from(stream == Stream::Stderr && !self.one_stream);
        let mut state = self.state();
        let line = &mut state.open_line[place];
        let begun = match memchr::memrchr(b'\n', bytes) {
            Some(end) => {
                line.clear();
                &bytes[end + 1..]
            }
            None => bytes,
        };
        let room = LINE.saturating_sub(line.len());
        line.extend_from_slice(&begun[..begun.len().min(room)]);
    }

    /// What ends a line of a child's on our stderr.
    fn at_line_start(&self) -> String {
        let place = usize::from(!self.one_stream);
        match std::mem::take(&mut self.state().open_line[place]).is_empty() {
            true => String::new(),
            false => "\n".to_owned(),
        }
    }
}

impl crate::report::Listener for Inner {
    fn hear(&self, event: &Event, at: Timestamp) {
        self.state().note.event(event, at);
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// Does something that may take a moment, while heartbeats go on. `None`: there is no thread for it.
async fn wait<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(look).await.ok()
}
