//! Sentences broken to the width of a terminal, never inside what somebody may copy.

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// A space that is no place to break at.
const GLUE: char = '\u{a0}';
/// What stands before a line that goes on.
const INDENT: &str = "  ";
/// A terminal that is narrower gets lines as long as this, and breaks them itself.
const NARROWEST: usize = 20;

/// A text that is broken nowhere.
pub(super) fn whole(text: &str) -> String {
    text.replace(' ', &GLUE.to_string())
}

/// The text as it is shown.
pub(super) fn plain(text: &str) -> String {
    text.replace(GLUE, " ")
}

/// The lines of `sentence`, each of at most `width` columns where its words let it; with no width
/// one line. A name, a link or a command is longer than the line sooner than it is cut.
pub(crate) fn lines(sentence: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![plain(sentence)] };
    let glued = glue_numbers(&glue_quoted(sentence));
    let options = Options::new(width.max(NARROWEST))
        .subsequent_indent(INDENT)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(&glued, options).into_iter().map(|line| plain(&line)).collect()
}

/// `text` behind `label`, and what does not fit into the line below, further to the right than the label. Escapes
/// for colour take no columns.
pub(crate) fn behind(label: &str, text: &str, width: Option<usize>) -> String {
    let margin = columns(label);
    let mut shown = String::from(label);
    for (number, line) in lines(text, width.map(|width| width.saturating_sub(margin))).iter().enumerate() {
        if number > 0 {
            shown.push_str(&" ".repeat(margin));
        }
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

/// The columns that a text takes.
pub(crate) fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// The beginning of a text that fits into so many columns, with `…` where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if columns(&text[..next]) + 1 > width {
            break;
        }
        end = next;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// What stands between backticks is a command to copy.
fn glue_quoted(text: &str) -> String {
    let mut glued = String::with_capacity(text.len());
    for (part, piece) in text.split('`').enumerate() {
        if part > 0 {
            glued.push('`');
        }
        match part % 2 {
            1 => glued.push_str(&whole(piece)),
            _ => glued.push_str(piece),
        }
    }
    glued
}

/// Numbers and their units, as [`super::human::duration`] writes them, and options and their values.
fn glue_numbers(text: &str) -> String {
    let mut glued = String::with_capacity(text.len());
    let mut before = "";
    for word in text.split(' ') {
        let unit = word.trim_end_matches([',', ';', '.', ')', ':']);
        let counted = is_number(before) && ["s", "min", "h", "d", "runs", "UTC"].contains(&unit);
        let goes_on = is_number(word) && ["min", "h", "d"].contains(&before);
        let valued = before.starts_with("--") && before.len() > 2 && is_placeholder(unit);
        if !glued.is_empty() {
            glued.push(if counted || goes_on || valued { GLUE } else { ' ' });
        }
        glued.push_str(word);
        before = word.trim_start_matches('(');
    }
    glued
}

/// The value of an option, as in `--table NAME`.
fn is_placeholder(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase()) || word == "D"
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_links_and_lengths_stay_whole() {
        let text = "lock prod is held by alice (https://ci.example.com/1), for 12 min 5 s; \
                    `tfguard --lock prod status` shows the queue";
        assert_eq!(
            lines(text, Some(40)),
            [
                "lock prod is held by alice",
                "  (https://ci.example.com/1), for",
                "  12 min 5 s;",
                "  `tfguard --lock prod status` shows the",
                "  queue"
            ]
        );
        assert_eq!(lines(text, None), [text]);
    }

    #[test]
    fn what_is_longer_than_the_line_is_not_cut() {
        let text = "see https://ci.example.com/a/very/long/link now";
        assert_eq!(lines(text, Some(20)), ["see", "  https://ci.example.com/a/very/long/link", "  now"]);
        assert_eq!(lines(&format!("lock {}", whole("two words and more")), Some(20)).len(), 2);
        assert_eq!(lines("", Some(20)), [""]);
    }

    #[test]
    fn a_cut_is_told_and_counts_columns() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost(text in "[a-z` 0-9]{0,200}", width in 1_usize..100) {
            let joined = lines(&text, Some(width)).iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&joined), words(&text));
        }
    }
}
