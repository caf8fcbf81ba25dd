//! Foreign text on its way into a message.

use std::error::Error;

/// More characters than this of somebody else's text help nobody.
const LONGEST: usize = 600;

/// `text` on one line: control characters escaped, cut where it gets too long, no final full stop.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::new();
    for (index, c) in text.trim().trim_end_matches('.').chars().enumerate() {
        if index == LONGEST {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// An error and what caused it, joined by colons. A cause that the text before it already quotes
/// is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        next = cause.source();
    }
    plain(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_reach_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc."), "a\\u{1b}[2Jb\\nc");
    }

    #[test]
    fn a_flood_is_cut() {
        assert_eq!(plain(&"x".repeat(5000)).chars().count(), LONGEST + 1);
    }
}
