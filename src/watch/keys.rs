//! Keys and sizes of the terminal as events, on a thread that may block.

use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event as Raw, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::UnboundedSender;

use super::model::{Event, Key};

/// How often the thread looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Reads the terminal until it has gone or nobody listens; then `events` is dropped.
///
/// Nobody waits for the thread: on a terminal that was hung up reading comes back never, and the
/// process ends without it.
///
/// # Errors
/// When the system refuses the thread.
pub fn listen(events: UnboundedSender<Event>) -> std::io::Result<()> {
    let read = move || {
        while !events.is_closed() {
            match event::poll(LOOK) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) => return,
            }
            let Ok(raw) = event::read() else { return };
            if let Some(event) = meaning(&raw)
                && events.send(event).is_err()
            {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read).map(drop)
}

/// What a key or a change of the terminal means to us.
pub fn meaning(raw: &Raw) -> Option<Event> {
    match raw {
        Raw::Key(key) if key.kind != KeyEventKind::Release => self::key(*key).map(Event::Key),
        Raw::Resize(width, height) => Some(Event::Resized { width: *width, height: *height }),
        _ => None,
    }
}

fn key(key: KeyEvent) -> Option<Key> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Key::Interrupt),
            KeyCode::Char('z') => Some(Key::Suspend),
            KeyCode::Char('l' | 'r') => Some(Key::Refresh),
            KeyCode::Char('n') => Some(Key::Down),
            KeyCode::Char('p') => Some(Key::Up),
            KeyCode::Char('d' | 'f') => Some(Key::PageDown),
            KeyCode::Char('u' | 'b') => Some(Key::PageUp),
            _ => None,
        };
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => Some(Key::PageDown),
        KeyCode::Home | KeyCode::Char('g') => Some(Key::Home),
        KeyCode::End | KeyCode::Char('G') => Some(Key::End),
        KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => Some(Key::Enter),
        KeyCode::Esc | KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h') => Some(Key::Back),
        KeyCode::Char('q' | 'Q') => Some(Key::Quit),
        KeyCode::Char('r') => Some(Key::Refresh),
        KeyCode::Char('f') => Some(Key::Free),
        KeyCode::Char('?') | KeyCode::F(1) => Some(Key::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_they_do_elsewhere() {
        let of = |code, modifiers| key(KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        assert_eq!(of(KeyCode::Char('j'), none), Some(Key::Down));
        assert_eq!(of(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Key::End));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(of(KeyCode::Char('c'), none), None);
        assert_eq!(of(KeyCode::Char('x'), KeyModifiers::CONTROL), None);
    }
}
