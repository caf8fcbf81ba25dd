//! Text that somebody else wrote, made safe to show on a terminal and in a CI log.
//!
//! A lock record lives in a table that others can write to. What is read back from it may hold
//! escape sequences, line breaks or right-to-left overrides; shown as they are they could rewrite
//! the screen, forge a line of ours or give the CI a command.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that a field is shown with at most, unless the caller says otherwise.
pub const FIELD: usize = 200;
/// Characters that a whole line is shown with at most.
pub const LINE: usize = 4000;

/// Whether a character may not be shown as it is: control characters (C0, DEL, C1), line and
/// paragraph separators, everything that changes the direction of text, and the invisible ones
/// that make two different texts look the same.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One field: at most [`FIELD`] characters on one line.
pub fn field(text: &str) -> Cow<'_, str> {
    bounded(text, FIELD)
}

/// One line: at most [`LINE`] characters.
pub fn line(text: &str) -> Cow<'_, str> {
    bounded(text, LINE)
}

/// Writes what may not be shown as `\u{1b}`, and cuts after `limit` characters with `…`.
///
/// The second of two `#` is written out as well: GitHub and Azure find `##[…]` and `##vso[…]`
/// anywhere in a line.
pub fn bounded(text: &str, limit: usize) -> Cow<'_, str> {
    let harmless = !text.contains(is_unsafe) && !text.contains("##");
    if harmless && (text.len() <= limit || text.chars().count() <= limit) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(limit) + 16);
    let mut before = '\0';
    for (index, c) in text.chars().enumerate() {
        if index == limit {
            shown.push('…');
            break;
        }
        if is_unsafe(c) || (c == '#' && before == '#') {
            // Writing into a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
        before = c;
    }
    Cow::Owned(shown)
}

/// The same JSON document, with nothing left in its texts that [`is_unsafe`]. Line breaks between
/// its parts stay.
pub fn in_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_harm_is_written_out() {
        for (hostile, shown) in [
            ("plain text, ünïcode ✓", "plain text, ünïcode ✓"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("abc\u{202e}fed\u{2066}", "abc\\u{202e}fed\\u{2066}"),
            ("x\u{2028}y\u{2029}z", "x\\u{2028}y\\u{2029}z"),
            ("ad\u{200b}min", "ad\\u{200b}min"),
            ("see #12", "see #12"),
            ("##[error]no", "#\\u{23}[error]no"),
            ("###vso[x]", "#\\u{23}\\u{23}vso[x]"),
        ] {
            assert_eq!(field(hostile), shown);
        }
    }

    #[test]
    fn length_is_bounded_in_characters() {
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöüß", 3), "äöü…");
        assert_eq!(bounded("\u{1b}\u{1b}\u{1b}", 2), "\\u{1b}\\u{1b}…");
    }

    #[test]
    fn json_stays_the_same_document() {
        let value = serde_json::json!({ "a": "x\u{202e}y\u{e0041}\u{1b}\n", "b": [1] });
        let shown = in_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.contains(|c| c != '\n' && is_unsafe(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    proptest::proptest! {
        #[test]
        fn nothing_unsafe_survives(text in proptest::collection::vec(proptest::char::any(), 0..300)) {
            let text: String = text.into_iter().collect();
            let shown = field(&text);
            proptest::prop_assert!(!shown.contains(is_unsafe));
            proptest::prop_assert!(!shown.contains("##"));
        }
    }
}
