//! A wait on a terminal: one line at its lower end that is written anew, below the lines that stay.
//! Pure: it answers with what is to be written.
//!
//! The cursor stands at the beginning of the line between two drawings, and what is erased is
//! everything from there on. So nothing remains whatever a terminal does to the line when it is
//! made narrower (some break it, some cut it), and what the keyboard echoes is written over. A
//! library that counts the rows of what it drew cannot know that.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::event::{Event, Level, Party};
use super::look::Look;
use super::{human, text, wrap};
use crate::history::{Estimate, Span};
use crate::lease::LockName;

/// How often it is drawn.
pub(super) const FRAME: Duration = Duration::from_millis(125);
/// Erases the line, and then to the end of the screen: tmux keeps what it is told to erase from the
/// very first cell on, in its history.
const ERASE: &str = "\r\x1b[K\x1b[J";
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The line.
#[derive(Debug, Default)]
pub(super) struct Live {
    wait: Option<Wait>,
    drawn: bool,
    frame: usize,
}

/// A wait as it was told last.
#[derive(Debug)]
struct Wait {
    lock: LockName,
    position: usize,
    holders: Vec<Party>,
    waited: Duration,
    estimate: Option<Estimate>,
    at: Timestamp,
}

impl Live {
    /// Takes an event in. Returns whether it has to be shown as lines of its own.
    pub(super) fn takes(&mut self, event: &Event, at: Timestamp) -> bool {
        match event {
            Event::LockWaiting { lock, position, holders, waited, estimate, .. } => {
                let same = |wait: &Wait| wait.lock == *lock && sessions(&wait.holders) == sessions(holders);
                let known = self.wait.as_ref().is_some_and(same);
                self.wait = Some(Wait {
                    lock: lock.clone(),
                    position: *position,
                    holders: holders.clone(),
                    waited: *waited,
                    estimate: *estimate,
                    at,
                });
                !known
            }
            Event::LockAcquired { .. }
            | Event::Signal { .. }
            | Event::RunSummary { .. }
            | Event::Diagnostic { level: Level::Error, .. } => {
                self.wait = None;
                true
            }
            _ => true,
        }
    }

    /// Whether there is a line to be drawn.
    pub(super) fn moves(&self) -> bool {
        self.wait.is_some()
    }

    /// What takes the line away.
    pub(super) fn erased(&mut self) -> &'static str {
        if std::mem::take(&mut self.drawn) { ERASE } else { "" }
    }

    /// What shows the line as it is at `now`.
    pub(super) fn drawn(&mut self, now: Timestamp, look: Look) -> String {
        let Some(wait) = &self.wait else { return self.erased().to_owned() };
        let spinner = SPINNER[self.frame % SPINNER.len()];
        self.frame = self.frame.wrapping_add(1);
        self.drawn = true;
        // The last column stays free: some terminals go to the next line when it is written to.
        let room = look.width.unwrap_or(usize::MAX).saturating_sub(1);
        let line = format!("{}{spinner} {}", text::PREFIX, wait.sentence(now));
        let mut line = wrap::cut(&line, room).into_owned();
        if look.colour {
            let style = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
            line = line.replacen(spinner, &format!("{style}{spinner}{style:#}"), 1);
        }
        format!("\r{line}\x1b[J\r")
    }
}

impl Wait {
    /// What matters most comes first: a narrow terminal cuts the end off. The lock's name, which may
    /// be long, stands in the line above.
    fn sentence(&self, now: Timestamp) -> String {
        let passed = Duration::try_from(now.duration_since(self.at)).unwrap_or_default();
        let waited = human::duration(Duration::from_secs((self.waited + passed).as_secs()));
        let mut line = match self.position {
            0 => format!("watching {waited}"),
            position => format!("waiting {waited}, position {position}"),
        };
        if let Some(estimate) = self.estimate.and_then(|estimate| later(estimate, passed)) {
            // Writing into a String cannot fail.
            let _ = write!(line, ", {}", human::estimate_in_short(estimate));
        }
        if let Some(first) = self.holders.first() {
            let _ = write!(line, "; {}", human::holder_in_short(first, now));
            if self.holders.len() > 1 {
                let _ = write!(line, " and {} more", self.holders.len() - 1);
            }
        }
        line
    }
}

/// What an estimate comes to a while later; nothing once that time is over, until there is another.
fn later(estimate: Estimate, passed: Duration) -> Option<Estimate> {
    let left = |span: Span| {
        let median = span.median.checked_sub(passed).filter(|median| !median.is_zero())?;
        Some(Span { median, p90: span.p90.saturating_sub(passed) })
    };
    match estimate.until {
        None => Some(estimate),
        Some(until) => Some(Estimate { until: Some(left(until)?), ..estimate }),
    }
}

fn sessions(holders: &[Party]) -> Vec<&str> {
    holders.iter().map(|party| party.session.as_str()).collect()
}

#[cfg(test)]
mod tests;
