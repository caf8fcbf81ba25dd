//! What is known of the locks, and what of it is on the screen.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::feed::Wanted;
use crate::history::Past;
use crate::lease::{Found, Record, RecordError};
use crate::status::{Brief, Tally};

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One lock: its details are all there is.
    One(String),
    /// These locks.
    Several(Vec<String>),
    /// All locks of the store whose names start with this.
    All(String),
}

/// A key, as far as it means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One screen up.
    PageUp,
    /// One screen down.
    PageDown,
    /// To the first line.
    Home,
    /// To the last line.
    End,
    /// Opens the selected lock.
    Enter,
    /// Back to where one came from.
    Back,
    /// Leaves.
    Quit,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Asks the store at once.
    Refresh,
    /// Shows the keys.
    Help,
    /// Shows or hides the locks that are free.
    Free,
}

/// Something that happened.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a few are made a second, and each is dealt with at once")]
pub enum Event {
    /// A key was pressed.
    Key(Key),
    /// The terminal has this size.
    Resized {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Time passes.
    Tick(Timestamp),
    /// All locks that are watched.
    Listed {
        /// In no order.
        locks: Vec<Brief>,
        /// When they were asked for.
        at: Timestamp,
    },
    /// One lock.
    Looked {
        /// Which.
        lock: String,
        /// Its record, `None` where there is none, or why it cannot be read.
        record: Result<Option<Record>, RecordError>,
        /// When it was asked for.
        at: Timestamp,
    },
    /// The newest runs of a lock that are over, in rising order.
    Past {
        /// Which.
        lock: String,
        /// What was found.
        runs: Vec<Found>,
    },
    /// The store did not answer, or not well.
    Failed {
        /// Why.
        text: String,
        /// When it is asked again.
        again: Timestamp,
        /// When it was asked.
        at: Timestamp,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave, as the user wants to.
    Quit,
    /// Leave, interrupted.
    Interrupt,
    /// Stop as Ctrl-Z does.
    Suspend,
    /// Ask the store at once.
    Refresh,
    /// Ask the store for something else.
    Want(Wanted),
}

/// A lock whose details are shown.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Which.
    pub lock: String,
    /// What was found; `None` before the first answer.
    pub record: Option<Result<Option<Record>, RecordError>>,
    /// Its newest runs, the newest first.
    pub runs: Vec<Found>,
    /// How long it was held before.
    pub past: Option<Past>,
    /// Lines that are above the screen.
    pub scroll: usize,
}

/// What went wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// When it is asked again.
    pub again: Timestamp,
    /// Why.
    pub text: String,
}

/// What is known, and what is on the screen.
#[derive(Debug, Clone)]
pub struct Model {
    /// What is watched.
    pub subject: Subject,
    /// The store in words.
    pub store: String,
    /// The time.
    pub now: Timestamp,
    /// When the store last answered.
    pub seen: Option<Timestamp>,
    /// What is wrong with the store.
    pub trouble: Option<Trouble>,
    /// The locks in order.
    pub locks: Vec<Brief>,
    /// How many are what.
    pub tally: Tally,
    /// Free ones are left out of the list.
    pub hide_free: bool,
    /// The place in the list.
    pub selected: usize,
    /// Lines of the list that are above the screen.
    pub top: usize,
    /// The lock that is open.
    pub open: Option<Detail>,
    /// The keys are shown.
    pub help: bool,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Lines that the details have, as they were last drawn: how far they can be scrolled.
    pub detail_lines: usize,
}

/// Rows of the screen that are no rows of the list: title, heads, and the line of keys.
pub const FRAME: u16 = 4;

impl Model {
    /// Before anything is known.
    pub fn new(subject: Subject, store: String, now: Timestamp) -> Self {
        let open = match &subject {
            Subject::One(lock) => Some(Detail::new(lock)),
            Subject::Several(_) | Subject::All(_) => None,
        };
        Self {
            subject,
            store,
            now,
            seen: None,
            trouble: None,
            locks: Vec::new(),
            tally: Tally::default(),
            hide_free: false,
            selected: 0,
            top: 0,
            open,
            help: false,
            width: 80,
            height: 24,
            detail_lines: 0,
        }
    }

    /// What the store is to be asked for at first.
    pub fn wanted(&self) -> Wanted {
        match &self.open {
            Some(detail) => Wanted::Lock(detail.lock.clone()),
            None => Wanted::List,
        }
    }

    /// The locks of the list, without those that are hidden.
    pub fn listed(&self) -> impl Iterator<Item = &Brief> + Clone {
        self.locks.iter().filter(|brief| !self.hide_free || !brief.is_quiet())
    }

    /// Rows that the list has room for.
    pub fn room(&self) -> usize {
        usize::from(self.height.saturating_sub(FRAME)).max(1)
    }

    /// Takes an event. What is to be done about it is the answer.
    pub fn update(&mut self, event: Event) -> Option<Effect> {
        match event {
            Event::Key(key) => return self.key(key),
            Event::Resized { width, height } => (self.width, self.height) = (width, height),
            Event::Tick(now) => self.now = now,
            Event::Listed { locks, at } => {
                self.answered(at);
                self.list(locks);
            }
            Event::Looked { lock, record, at } => {
                self.answered(at);
                if let Some(detail) = self.open.as_mut().filter(|detail| detail.lock == lock) {
                    detail.record = Some(record);
                }
            }
            Event::Past { lock, runs } => {
                if let Some(detail) = self.open.as_mut().filter(|detail| detail.lock == lock) {
                    detail.past = Some(Past::of(runs.iter().filter_map(|found| found.past.as_ref().ok())));
                    detail.runs = runs;
                    detail.runs.reverse();
                }
            }
            Event::Failed { text, again, at } => {
                let since = self.trouble.as_ref().map_or(at, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, again, text });
            }
        }
        self.keep_in_view();
        None
    }

    fn answered(&mut self, at: Timestamp) {
        self.seen = Some(at);
        self.now = self.now.max(at);
        self.trouble = None;
    }

    /// Takes a new list. The selection stays on its lock, wherever that is now.
    fn list(&mut self, mut locks: Vec<Brief>) {
        let selected = self.selected_lock();
        locks.sort_by_cached_key(Brief::rank);
        self.tally = Tally::of(&locks);
        self.locks = locks;
        self.select(selected);
    }

    fn select(&mut self, lock: Option<String>) {
        let place = lock.and_then(|lock| self.listed().position(|brief| brief.lock == lock));
        let last = self.listed().count().saturating_sub(1);
        self.selected = place.unwrap_or(self.selected.min(last));
    }

    fn selected_lock(&self) -> Option<String> {
        // At the top one wants to see whatever comes to the top.
        if self.selected == 0 {
            return None;
        }
        self.listed().nth(self.selected).map(|brief| brief.lock.clone())
    }

    fn key(&mut self, key: Key) -> Option<Effect> {
        match key {
            Key::Interrupt => return Some(Effect::Interrupt),
            Key::Suspend => return Some(Effect::Suspend),
            Key::Quit => return Some(Effect::Quit),
            Key::Refresh => return Some(Effect::Refresh),
            Key::Help => self.help = !self.help,
            Key::Back if self.help => self.help = false,
            Key::Enter if self.help => self.help = false,
            Key::Back => return self.back(),
            Key::Enter if self.open.is_none() => return self.enter(),
            Key::Enter => {}
            Key::Free => {
                let selected = self.listed().nth(self.selected).map(|brief| brief.lock.clone());
                self.hide_free = !self.hide_free;
                self.select(selected);
            }
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => self.moved(key),
        }
        self.keep_in_view();
        None
    }

    fn enter(&mut self) -> Option<Effect> {
        let lock = self.listed().nth(self.selected)?.lock.clone();
        self.open = Some(Detail::new(&lock));
        Some(Effect::Want(Wanted::Lock(lock)))
    }

    fn back(&mut self) -> Option<Effect> {
        if matches!(self.subject, Subject::One(_)) {
            return Some(Effect::Quit);
        }
        match self.open.take() {
            Some(_) => Some(Effect::Want(Wanted::List)),
            None => Some(Effect::Quit),
        }
    }

    fn moved(&mut self, key: Key) {
        let (at, last, page) = match &self.open {
            Some(detail) => {
                let room = usize::from(self.height.saturating_sub(2)).max(1);
                (detail.scroll, self.detail_lines.saturating_sub(room), room)
            }
            None => (self.selected, self.listed().count().saturating_sub(1), self.room()),
        };
        let to = match key {
            Key::Up => at.saturating_sub(1),
            Key::Down => at + 1,
            Key::PageUp => at.saturating_sub(page),
            Key::PageDown => at + page,
            Key::Home => 0,
            _ => usize::MAX,
        };
        match &mut self.open {
            Some(detail) => detail.scroll = to.min(last),
            None => self.selected = to.min(last),
        }
    }

    fn keep_in_view(&mut self) {
        let room = self.room();
        let most = self.listed().count().saturating_sub(room);
        self.top = self.top.clamp((self.selected + 1).saturating_sub(room), self.selected).min(most);
    }
}

impl Detail {
    fn new(lock: &str) -> Self {
        Self { lock: lock.to_owned(), record: None, runs: Vec::new(), past: None, scroll: 0 }
    }

    /// The runs by their numbers.
    pub fn by_number(&self) -> BTreeMap<u64, &Found> {
        self.runs.iter().map(|found| (found.run, found)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::at;
    use crate::status::testing::{self, NOW};

    fn list(count: usize) -> Vec<Brief> {
        (0..count)
            .map(|number| Brief::new(&format!("lock-{number:03}"), Ok(Some(&testing::held()))))
            .collect()
    }

    fn model(count: usize) -> Model {
        let mut model = Model::new(Subject::All(String::new()), "a table".into(), at(NOW));
        model.update(Event::Resized { width: 80, height: 14 });
        model.update(Event::Listed { locks: list(count), at: at(NOW) });
        model
    }

    fn press(model: &mut Model, keys: &[Key]) -> Option<Effect> {
        keys.iter().map(|key| model.update(Event::Key(*key))).last().flatten()
    }

    fn selected(model: &Model) -> String {
        model.listed().nth(model.selected).unwrap().lock.clone()
    }

    #[test]
    fn the_selection_stays_in_the_list_and_in_view() {
        let mut model = model(30);
        press(&mut model, &[Key::Up, Key::Down, Key::Down]);
        assert_eq!((model.selected, model.top), (2, 0));
        press(&mut model, &[Key::PageDown]);
        assert_eq!((model.selected, model.top), (12, 3));
        press(&mut model, &[Key::End]);
        assert_eq!((model.selected, model.top), (29, 20));
        model.update(Event::Resized { width: 80, height: 6 });
        assert_eq!((model.selected, model.top), (29, 28));
        model.update(Event::Resized { width: 80, height: 100 });
        assert_eq!((model.selected, model.top), (29, 0));
        press(&mut model, &[Key::Home]);
        assert_eq!((model.selected, model.top), (0, 0));
        model.update(Event::Listed { locks: Vec::new(), at: at(NOW) });
        assert_eq!((press(&mut model, &[Key::Down, Key::Enter]), model.selected), (None, 0));
    }

    #[test]
    fn the_selection_goes_with_its_lock_but_stays_at_the_top() {
        let mut model = model(5);
        press(&mut model, &[Key::Down, Key::Down]);
        assert_eq!(selected(&model), "lock-002");
        let mut locks = list(5);
        locks[4].queue = 9;
        model.update(Event::Listed { locks: locks.clone(), at: at(NOW) });
        assert_eq!((selected(&model), model.selected), ("lock-002".into(), 3));
        // Its lock has gone.
        locks.remove(2);
        model.update(Event::Listed { locks, at: at(NOW) });
        assert_eq!(selected(&model), "lock-003");
        press(&mut model, &[Key::Home]);
        model.update(Event::Listed { locks: list(5), at: at(NOW) });
        assert_eq!(selected(&model), "lock-000");
    }

    #[test]
    fn a_lock_is_opened_and_closed_and_asked_for() {
        let mut model = model(3);
        let opened = press(&mut model, &[Key::Down, Key::Enter]);
        assert_eq!(opened, Some(Effect::Want(Wanted::Lock("lock-001".into()))));
        // Late answers about others change nothing.
        let looked =
            |lock: &str| Event::Looked { lock: lock.into(), record: Ok(Some(testing::free())), at: at(NOW) };
        model.update(looked("lock-002"));
        assert!(model.open.as_ref().unwrap().record.is_none());
        model.update(looked("lock-001"));
        assert!(model.open.as_ref().unwrap().record.is_some());
        assert_eq!(press(&mut model, &[Key::Help, Key::Back]), None);
        assert!(model.open.is_some() && !model.help);
        assert_eq!(press(&mut model, &[Key::Back]), Some(Effect::Want(Wanted::List)));
        assert_eq!(press(&mut model, &[Key::Back]), Some(Effect::Quit));
        let mut one = Model::new(Subject::One("x".into()), "a table".into(), at(NOW));
        assert_eq!(
            (one.wanted(), press(&mut one, &[Key::Back])),
            (Wanted::Lock("x".into()), Some(Effect::Quit))
        );
    }

    #[test]
    fn free_locks_are_hidden_and_shown() {
        let mut model = model(2);
        let mut locks = list(2);
        locks.push(Brief::new("free", Ok(Some(&testing::free()))));
        model.update(Event::Listed { locks, at: at(NOW) });
        press(&mut model, &[Key::End, Key::Free]);
        assert_eq!((model.listed().count(), model.selected, model.tally.free), (2, 1, 1));
        press(&mut model, &[Key::Free]);
        assert_eq!(model.listed().count(), 3);
    }

    #[test]
    fn trouble_is_kept_until_an_answer_comes_and_what_is_known_stays() {
        let mut model = model(3);
        let failed = |second| Event::Failed { text: "no".into(), again: at(second + 4), at: at(second) };
        model.update(failed(NOW + 2));
        model.update(failed(NOW + 6));
        let trouble = model.trouble.clone().unwrap();
        assert_eq!((trouble.since, trouble.again), (at(NOW + 2), at(NOW + 10)));
        assert_eq!((model.locks.len(), model.seen), (3, Some(at(NOW))));
        model.update(Event::Listed { locks: list(1), at: at(NOW + 12) });
        assert_eq!((model.trouble.clone(), model.seen), (None, Some(at(NOW + 12))));
    }

    #[test]
    fn details_are_scrolled_within_what_they_have() {
        let mut model = model(3);
        press(&mut model, &[Key::Enter]);
        model.detail_lines = 20;
        press(&mut model, &[Key::End]);
        assert_eq!(model.open.as_ref().unwrap().scroll, 8);
        press(&mut model, &[Key::PageUp]);
        assert_eq!(model.open.as_ref().unwrap().scroll, 0);
    }
}
