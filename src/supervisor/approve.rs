//! Asking for approval at the terminal, with the lock held: the lease is kept alive, and whatever
//! speaks against going on ends the question.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::attend::{Scene, Wake};
use super::verdict::cancelled;
use crate::child::{Answer, Arrival, Question, Terminal};
use crate::clock::Clock;
use crate::error::Error;
use crate::lease::{Counts, LockName, Waiter};
use crate::report::event::{Event, SignalAction};
use crate::report::human;

/// How often the queue is looked at: they wait for the answer.
const LOOK: Duration = Duration::from_secs(10);
/// How long a look may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long our own words before the question may take to be written.
const FLUSH: Duration = Duration::from_secs(1);
/// A terminal that goes away ends its input first, and tells of the rest in a moment.
const MOMENT: Duration = Duration::from_millis(200);
/// Waiters that are named; the rest is counted.
const NAMED: usize = 3;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    /// Yes.
    Given,
    /// Anything else.
    Declined,
}

impl Scene<'_> {
    /// Asks whether a plan with `counts` is to be applied.
    ///
    /// # Errors
    /// What speaks against starting anything more: a signal, a terminal that has gone, a deadline, a
    /// lease that is at risk or lost; or nobody can be asked.
    pub(super) async fn ask(&mut self, counts: Option<Counts>) -> Result<Approval, Error> {
        let reporter = self.reporter.clone();
        let _ = tokio::task::spawn_blocking(move || reporter.flush(FLUSH)).await;
        let (Some(terminal), Ok(mut question)) = (Terminal::open_foreground(), Question::open()) else {
            return Err(Error::Usage(format!(
                "{}: the plan needs approval, and there is no terminal any more to ask at; nothing was applied. \
                 With --auto-approve nobody is asked",
                self.named
            )));
        };
        let mut hangup = terminal.watch().ok();
        let (_silent, mut markers) = unbounded_channel();
        let (_look, mut waiting) = self.look_who_waits();
        let prompt = format!("tfguard: Apply this plan{}? Only 'yes' is accepted: ", changes(counts));
        question.show(&format!("\n{prompt}"));
        let result = loop {
            if let Err(error) = self.may_start() {
                break Err(error);
            }
            let wake = tokio::select! {
                biased;
                wake = self.wake(&mut markers, hangup.as_mut(), None) => wake,
                Some((lock, waiters)) = waiting.recv() => {
                    question.show(&format!("\n{}\n{prompt}", self.who(&lock, &waiters)));
                    continue;
                }
                answer = question.answer() => break Ok(answer),
            };
            let happening = match wake {
                Wake::Arrival(Some(arrival)) => match self.heed(arrival) {
                    Ok(()) => continue,
                    Err(error) => break Err(error),
                },
                Wake::Hangup => break Err(self.hung_up()),
                Wake::Update(index, Some(update)) => self.keys.learn(index, update),
                Wake::Update(index, None) => {
                    self.keys.revive(index);
                    None
                }
                Wake::Credentials(notice) => Some(self.hear_of_credentials(notice)),
                Wake::Arrival(None) | Wake::Marker | Wake::Time => None,
            };
            if let Some(happening) = happening {
                self.stop.note(happening, self.clock.mono());
            }
        };
        match result {
            Ok(Answer::Line(line)) if line.trim() == "yes" => Ok(Approval::Given),
            Ok(Answer::Line(_)) => Ok(Approval::Declined),
            Ok(Answer::End) => {
                question.show("\n");
                self.input_ended(hangup.as_mut()).await
            }
            Err(error) => {
                question.show("\n");
                Err(error)
            }
        }
    }

    /// The end of input is a no, unless it came with the terminal's end.
    async fn input_ended(&mut self, hangup: Option<&mut crate::child::Hangup>) -> Result<Approval, Error> {
        let gone = async {
            match hangup {
                Some(hangup) => hangup.gone().await,
                None => std::future::pending().await,
            }
        };
        if tokio::time::timeout(MOMENT, gone).await.is_ok() {
            return Err(self.hung_up());
        }
        self.may_start().map(|()| Approval::Declined)
    }

    fn hung_up(&self) -> Error {
        self.emit(Event::Signal { name: "SIGHUP", action: SignalAction::Cancelled });
        cancelled("SIGHUP")
    }

    /// Takes in what arrived while no child runs.
    pub(super) fn heed(&self, arrival: Arrival) -> Result<(), Error> {
        match arrival {
            Arrival::Stop(arrived) => {
                let action = SignalAction::Cancelled;
                self.emit(Event::Signal { name: arrived.name, action });
                Err(cancelled(arrived.name))
            }
            Arrival::Orphaned => {
                self.emit(Event::say(crate::report::Level::Warn, super::attend::ORPHANED));
                Err(cancelled("SIGHUP"))
            }
            Arrival::Child => Ok(()),
        }
    }

    /// Looks at the queue now and then, and tells when it has changed.
    fn look_who_waits(&self) -> (Watcher, UnboundedReceiver<(LockName, Vec<Waiter>)>) {
        let (tell, told) = unbounded_channel();
        let clock = self.clock;
        let mut locks: Vec<_> =
            self.keys.holds.iter().map(|hold| (hold.store.clone(), hold.name.clone(), Vec::new())).collect();
        let task = tokio::spawn(async move {
            loop {
                for (store, name, known) in &mut locks {
                    let Ok(Some(record)) = store.read(name, TIMEOUT).await else { continue };
                    let now: Vec<String> = record.queue.iter().map(|waiter| waiter.session.clone()).collect();
                    if now != *known && tell.send((name.clone(), record.queue)).is_err() {
                        return;
                    }
                    *known = now;
                }
                let until = clock.mono() + LOOK;
                while clock.mono() < until {
                    clock.sleep_until(until).await;
                }
            }
        });
        (Watcher(task), told)
    }

    fn who(&self, lock: &LockName, waiters: &[Waiter]) -> String {
        let now = self.clock.now().wall;
        let mut shown: Vec<String> = waiters
            .iter()
            .take(NAMED)
            .map(|waiter| {
                format!("{}, for {}", human::identity(&waiter.identity), human::since(waiter.asked_at, now))
            })
            .collect();
        if waiters.len() > NAMED {
            shown.push(format!("{} more", waiters.len() - NAMED));
        }
        match shown.is_empty() {
            true => format!("tfguard: nobody waits for lock {} any more", lock),
            false => format!("tfguard: for lock {} waits {}", lock, shown.join("; and ")),
        }
    }
}

/// Ends with the question.
struct Watcher(JoinHandle<()>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn changes(counts: Option<Counts>) -> String {
    let Some(Counts { add, change, destroy, import }) = counts else { return String::new() };
    let import = if import == 0 { String::new() } else { format!("{import} to import, ") };
    format!(" ({import}{add} to add, {change} to change, {destroy} to destroy)")
}
