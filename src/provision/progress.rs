//! What `setup` says while it works.

use std::cell::Cell;

use super::flaw::{Flaw, Setting};
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::aws::Target;

/// Says it, and counts what is left to do.
pub(super) struct Progress<'a> {
    reporter: &'a Reporter,
    mendable: Cell<bool>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(reporter: &'a Reporter) -> Self {
        Self { reporter, mendable: Cell::new(false) }
    }

    pub(super) fn say(&self, text: &str) {
        self.reporter.emit(Event::say(Level::Info, text));
    }

    pub(super) fn created(&self, thing: &Target) {
        self.say(&format!("{thing}: created"));
    }

    pub(super) fn switched_on(&self, thing: &Target, setting: Setting) {
        self.say(&format!("{thing}: switched on {}", setting.name()));
    }

    /// What is not as it should be about something that is new.
    pub(super) fn left(&self, thing: &Target, flaws: &[Flaw]) {
        for flaw in flaws {
            let level = if matches!(flaw, Flaw::Changing(_)) { Level::Info } else { Level::Warn };
            self.mendable.set(self.mendable.get() || flaw.setting().is_some());
            self.reporter.emit(Event::say(level, format!("{thing}: {}", flaw.text())));
        }
    }

    /// What something is like that was there before. `changed`: not any more.
    pub(super) fn existing(&self, thing: &Target, flaws: &[Flaw], changed: bool) {
        match (flaws.is_empty(), changed) {
            (true, false) => self.say(&format!("{thing} exists and is as it should be")),
            (true, true) => self.say(&format!("{thing} is as it should be now")),
            (false, true) => {}
            (false, false) => self.say(&format!("{thing} exists and was not changed")),
        }
        self.left(thing, flaws);
    }

    /// Says how to put right what was found.
    pub(super) fn conclude(&self) {
        if self.mendable.get() {
            self.say("to switch on what is off: `tfguard setup --repair`, with the same options");
        }
    }
}
