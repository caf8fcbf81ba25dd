//! Lines out of chunks that are cut anywhere.

use memchr::memmem::Finder;

/// Puts lines together again, as far as they are worth a look: one that is longer than the limit is
/// passed over, so that nothing that a child prints takes our memory.
#[derive(Debug)]
pub(crate) struct Lines {
    longest: usize,
    /// Who asks for lines looks for one of these; none: for every line.
    words: Vec<Finder<'static>>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The line is too long to be looked at.
    skip: bool,
}

impl Lines {
    /// `longest`: in bytes, without the line's end.
    pub(crate) fn new(longest: usize) -> Self {
        Self { longest, words: Vec::new(), line: Vec::new(), skip: false }
    }

    /// As [`Lines::new`], for who has no use for a line with none of `words` in it: such lines may be
    /// shown or not. A chunk without the words is then not taken apart at all.
    pub(crate) fn with(longest: usize, words: &[&'static str]) -> Self {
        Self { words: words.iter().map(|word| Finder::new(*word)).collect(), ..Self::new(longest) }
    }

    /// Takes a chunk in, and shows every line that ends in it.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut look: impl FnMut(&[u8])) {
        let mut rest = bytes;
        if !self.line.is_empty() || self.skip {
            let Some(end) = memchr::memchr(b'\n', rest) else { return self.gather(rest) };
            self.gather(&rest[..end]);
            if !self.skip {
                look(&self.line);
            }
            self.line.clear();
            self.skip = false;
            rest = &rest[end + 1..];
        }
        if !self.words.is_empty() && !self.words.iter().any(|word| word.find(rest).is_some()) {
            rest = &rest[memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1)..];
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            // As it lies there, without a copy.
            if end <= self.longest {
                look(&rest[..end]);
            }
            rest = &rest[end + 1..];
        }
        self.gather(rest);
    }

    /// Shows a last line that has no end.
    pub(crate) fn finish(&mut self, mut look: impl FnMut(&[u8])) {
        if !self.skip && !self.line.is_empty() {
            look(&self.line);
        }
        self.line.clear();
    }

    fn gather(&mut self, part: &[u8]) {
        if self.skip || self.line.len() + part.len() > self.longest {
            self.skip = true;
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "plain\nwith a word in it\n\ntoo long to be looked at, word or no word\na word at last";

    fn shown(mut lines: Lines, cut: usize) -> Vec<String> {
        let mut shown = Vec::new();
        let mut look = |line: &[u8]| shown.push(String::from_utf8(line.to_vec()).unwrap());
        for chunk in TEXT.as_bytes().chunks(cut) {
            lines.feed(chunk, &mut look);
        }
        lines.finish(&mut look);
        shown
    }

    #[test]
    fn lines_are_whole_however_they_are_cut() {
        for cut in 1..=TEXT.len() {
            assert_eq!(
                shown(Lines::new(20), cut),
                ["plain", "with a word in it", "", "a word at last"],
                "{cut}"
            );
        }
    }

    #[test]
    fn those_with_a_word_are_shown_however_they_are_cut() {
        for cut in 1..=TEXT.len() {
            let mut shown = shown(Lines::with(20, &["no such", "word"]), cut);
            shown.retain(|line| line.contains("word"));
            assert_eq!(shown, ["with a word in it", "a word at last"], "{cut}");
        }
        assert!(shown(Lines::with(20, &["no such"]), TEXT.len()).iter().all(|line| line == "a word at last"));
    }
}
