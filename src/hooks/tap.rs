//! Which events are worth a hook, and what the hook is told. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lease::LockName;
use crate::report::event::{Event, Hook};
use crate::report::json;

/// A hook to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Which.
    pub hook: Hook,
    /// The lock that it is about.
    pub lock: String,
    /// The fencing token, once there is one.
    pub generation: Option<u64>,
    /// The event as a line of the log, which is what the hook reads.
    pub line: String,
}

/// Turns the events of a run into hooks.
#[derive(Debug, Default)]
pub struct Tap {
    generations: BTreeMap<LockName, u64>,
    /// The lock that is waited for, our place, and who holds it.
    waiting: Option<(LockName, usize, Vec<String>)>,
}

impl Tap {
    /// The hook that an event is worth.
    ///
    /// `waiting` is worth one at the first time and when our place or a holder changes; what a holder is
    /// doing, and that time goes by, is not. A lock of an ancestor's is its ancestor's to tell of.
    pub fn hear(&mut self, event: &Event, at: Timestamp) -> Option<Firing> {
        let (hook, lock) = match event {
            Event::LockWaiting { lock, position, holders, .. } => {
                let holders = holders.iter().map(|party| party.session.clone()).collect();
                let now = Some((lock.clone(), *position, holders));
                if self.waiting == now {
                    return None;
                }
                self.waiting = now;
                (Hook::Waiting, lock)
            }
            Event::LockAcquired { inherited: true, .. } => return None,
            Event::LockAcquired { lock, generation, .. } => {
                self.generations.insert(lock.clone(), *generation);
                (Hook::Acquired, lock)
            }
            Event::LockAtRisk { lock, .. } => (Hook::AtRisk, lock),
            Event::LockLost { lock, .. } => (Hook::Lost, lock),
            Event::LockReleased { lock, .. } => (Hook::Released, lock),
            _ => return None,
        };
        Some(Firing {
            hook,
            lock: lock.to_string(),
            generation: self.generations.get(lock).copied(),
            line: String::from_utf8_lossy(&json::line(event, at)).into_owned(),
        })
    }

    /// A lock that was acquired before anybody listened.
    pub fn knows(&mut self, lock: LockName, generation: u64) {
        self.generations.insert(lock, generation);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::testing::{at, every_event, prod};

    fn waiting(position: usize, holder: &str) -> Event {
        let mut event = every_event().into_iter().find(|event| event.kind() == "lock_waiting").unwrap();
        if let Event::LockWaiting { position: place, holders, .. } = &mut event {
            *place = position;
            holders[0].session = holder.into();
        }
        event
    }

    #[test]
    fn each_event_of_a_lock_is_worth_its_hook_and_no_other_is_worth_one() {
        let mut tap = Tap::default();
        let heard: Vec<(Hook, Option<u64>)> = every_event()
            .iter()
            .filter_map(|event| tap.hear(event, at(90)))
            .map(|firing| (firing.hook, firing.generation))
            .collect();
        let ours = Some(42);
        assert_eq!(
            heard,
            [
                (Hook::Waiting, None),
                (Hook::Acquired, ours),
                (Hook::AtRisk, ours),
                (Hook::Lost, ours),
                (Hook::Released, ours)
            ]
        );
    }

    #[test]
    fn the_hook_reads_the_line_of_the_log() {
        let event = Event::LockReleased { lock: prod(), held: Duration::from_secs(1) };
        let firing = Tap::default().hear(&event, at(90)).unwrap();
        assert_eq!(firing.line.as_bytes(), json::line(&event, at(90)));
    }

    #[test]
    fn a_wait_is_told_again_when_the_place_or_a_holder_changes() {
        let mut tap = Tap::default();
        let mut fires = |event: &Event| tap.hear(event, at(90)).is_some();
        assert_eq!(
            [waiting(2, "a"), waiting(2, "a"), waiting(1, "a"), waiting(1, "b"), waiting(1, "b")]
                .map(|event| fires(&event)),
            [true, false, true, true, false]
        );
    }

    #[test]
    fn an_ancestors_lock_is_its_own_to_tell_of() {
        let mut event = every_event().into_iter().find(|event| event.kind() == "lock_acquired").unwrap();
        if let Event::LockAcquired { inherited, .. } = &mut event {
            *inherited = true;
        }
        assert_eq!(Tap::default().hear(&event, at(90)), None);
    }
}
