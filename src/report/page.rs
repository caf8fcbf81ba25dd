//! What the writing thread writes to.

use std::time::Duration;

use jiff::Timestamp;

use super::event::Event;
use super::live::{FRAME, Live};
use super::look::Screen;
use super::reporter::Destination;
use super::shared::SharedWriter;
use super::{json, text};

/// Takes what the reporter was told, in order, on a thread that may block.
pub(super) trait Place {
    /// Writes an event.
    fn event(&mut self, event: &Event, at: Timestamp);

    /// Writes bytes to another stream, which may show at the same place.
    fn raw(&mut self, bytes: &[u8], out: &SharedWriter) {
        // A closed stream has nobody to say so to.
        let _ = out.write(bytes);
    }

    /// How long until something moves by itself.
    fn moves(&self) -> Option<Duration> {
        None
    }

    /// It moves.
    fn moved(&mut self) {}
}

/// Our stream.
#[derive(Debug)]
pub(super) struct Page {
    destination: Destination,
    /// Also what is the normal course is shown to people.
    wordy: bool,
    now: fn() -> Timestamp,
    live: Live,
}

impl Page {
    pub(super) fn new(destination: Destination, wordy: bool, now: fn() -> Timestamp) -> Self {
        Self { destination, wordy, now, live: Live::default() }
    }

    /// The lines of an event for people, and what they do to the line that moves.
    fn lines(&mut self, event: &Event, at: Timestamp, screen: Screen) -> String {
        let draws = screen.draws();
        let stays = !draws || self.live.takes(event, at);
        if !stays || (!self.wordy && event.is_plain_course()) {
            // It is drawn in a moment.
            return if self.live.moves() { String::new() } else { self.live.erased().to_owned() };
        }
        self.live.erased().to_owned() + &text::lines(event, at, screen.look())
    }
}

impl Place for Page {
    fn event(&mut self, event: &Event, at: Timestamp) {
        // A closed stream does not end the run, and there is nowhere left to say so.
        let _ = match self.destination.clone() {
            Destination::Text { out, screen } => out.write(self.lines(event, at, screen).as_bytes()),
            Destination::Json { out } => out.write(&json::line(event, at)),
        };
    }

    fn raw(&mut self, bytes: &[u8], out: &SharedWriter) {
        if let Destination::Text { out, .. } = &self.destination {
            let _ = out.write(self.live.erased().as_bytes());
        }
        let _ = out.write(bytes);
    }

    fn moves(&self) -> Option<Duration> {
        self.live.moves().then_some(FRAME)
    }

    fn moved(&mut self) {
        if let Destination::Text { out, screen } = &self.destination {
            // In the background the cursor is somebody else's.
            let drawn = match screen.draws() {
                true => self.live.drawn((self.now)(), screen.look()),
                false => String::new(),
            };
            let _ = out.write(drawn.as_bytes());
        }
    }
}
