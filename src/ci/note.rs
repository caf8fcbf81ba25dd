//! What is noted of a run, to be told at its end.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::change::Changes;
use super::diagnostic::{Diagnostic, Severity};
use crate::lease::{Counts, LockName};
use crate::report::event::{Event, Level, Party, PhaseResult, RunOutcome, RunPhase, Served};
use crate::report::text;

/// Diagnostics and messages that are kept of each kind.
const MOST: usize = 200;
/// Holders that are remembered of one wait.
const HOLDERS: usize = 50;

/// The queue of a lock, as it was when we came.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The lock.
    pub lock: LockName,
    /// Our place; 0 while we only observed.
    pub position: usize,
    /// Who held it.
    pub holders: Vec<Party>,
    /// When.
    pub at: Timestamp,
    /// All who held it while we waited, each once.
    pub met: Vec<Party>,
}

/// A lock that we got.
#[derive(Debug, Clone)]
pub struct Got {
    /// Where it lives, in words.
    pub store: String,
    /// How long it took.
    pub waited: Duration,
    /// It is an ancestor's.
    pub inherited: bool,
}

/// The end of the run.
#[derive(Debug, Clone)]
pub struct Sum {
    /// The locks.
    pub locks: Vec<Served>,
    /// The word in `run_summary`.
    pub outcome: RunOutcome,
    /// Our exit code.
    pub exit_code: u8,
    /// How long we waited.
    pub waited: Duration,
    /// How long we held all of them.
    pub held: Option<Duration>,
    /// What Terraform said that it changes.
    pub changes: Option<Counts>,
}

/// All that is noted.
#[derive(Debug, Default)]
pub struct Note {
    /// The queues that we stood in.
    pub queues: BTreeMap<String, Queue>,
    /// The locks that we got, by name.
    pub got: BTreeMap<String, Got>,
    /// Terraform's errors and warnings, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// Our own, of [`Level::Warn`] and above, each sentence on a line of its own.
    pub said: Vec<(Level, String)>,
    /// Errors and warnings for which there was no room.
    pub more: u64,
    /// What happens to which resource.
    pub changes: Changes,
    /// The phases that are over.
    pub phases: Vec<(RunPhase, PhaseResult, Duration)>,
    /// A child was started.
    pub ran: bool,
    /// The end.
    pub sum: Option<Sum>,
}

impl Note {
    /// Takes in what tfguard says.
    pub fn event(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::LockWaiting { lock, position, holders, .. } => self.waiting(lock, *position, holders, now),
            Event::LockAcquired { lock, store, waited, inherited, .. } => {
                let got = Got { store: store.clone(), waited: *waited, inherited: *inherited };
                self.got.insert(lock.as_str().to_owned(), got);
            }
            Event::ChildStarted { .. } => self.ran = true,
            Event::PhaseEnded { phase, result, took, .. } => self.phases.push((*phase, *result, *took)),
            Event::RunSummary { locks, outcome, exit_code, waited, held, changes, .. } => {
                self.sum = Some(Sum {
                    locks: locks.clone(),
                    outcome: *outcome,
                    exit_code: *exit_code,
                    waited: *waited,
                    held: *held,
                    changes: *changes,
                });
            }
            _ => {}
        }
        let level = event.level();
        if level >= Level::Warn {
            let said = (level, text::message(event, now).join("\n"));
            if self.said.len() >= MOST {
                self.more += 1;
            } else if !self.said.contains(&said) {
                self.said.push(said);
            }
        }
    }

    /// Takes in what Terraform says. A plan and its apply may say the same.
    pub fn diagnostic(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() >= MOST {
            self.more += 1;
        } else if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Terraform's and our own, errors first, as far as they are for an annotation.
    pub fn annotations(&self, most: usize) -> Vec<Diagnostic> {
        let own = |(level, text): &(Level, String)| Diagnostic {
            severity: if *level == Level::Error { Severity::Error } else { Severity::Warning },
            summary: "tfguard".into(),
            detail: text.clone(),
            file: None,
            line: None,
        };
        let all: Vec<Diagnostic> =
            self.diagnostics.iter().cloned().chain(self.said.iter().map(own)).collect();
        let of = |severity| all.iter().filter(move |one| one.severity == severity).take(most).cloned();
        of(Severity::Error).chain(of(Severity::Warning)).collect()
    }

    fn waiting(&mut self, lock: &LockName, position: usize, holders: &[Party], now: Timestamp) {
        let queue = self.queues.entry(lock.as_str().to_owned()).or_insert_with(|| Queue {
            lock: lock.clone(),
            position,
            holders: holders.to_vec(),
            at: now,
            met: Vec::new(),
        });
        for holder in holders {
            let known = queue.met.iter().any(|met| met.session == holder.session);
            if !known && queue.met.len() < HOLDERS {
                queue.met.push(holder.clone());
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::lease::{Identity, Mode, Phase};

    /// A queue for `prod` with these holders, for two minutes.
    pub(crate) fn queue(position: usize, holders: &[&str]) -> Queue {
        let holder = |(number, name): (usize, &&str)| Party {
            session: number.to_string(),
            mode: Mode::Exclusive,
            phase: Some(Phase::Active),
            since: Timestamp::UNIX_EPOCH,
            activity: None,
            identity: Identity {
                actor: Some((*name).to_owned()),
                url: Some("https://ci.example/1".into()),
                ..Identity::default()
            },
        };
        let holders: Vec<Party> = holders.iter().enumerate().map(holder).collect();
        Queue {
            lock: LockName::new("prod").unwrap(),
            position,
            met: holders.clone(),
            holders,
            at: Timestamp::from_second(120).unwrap(),
        }
    }
}
