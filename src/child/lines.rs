//! Lines out of chunks that are cut anywhere.

/// Puts lines together again, as far as they are worth a look: one that is longer than the limit is
/// passed over, so that nothing that a child prints takes our memory.
#[derive(Debug)]
pub(crate) struct Lines {
    longest: usize,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The line is too long to be looked at.
    skip: bool,
}

impl Lines {
    /// `longest`: in bytes, without the line's end.
    pub(crate) fn new(longest: usize) -> Self {
        Self { longest, line: Vec::new(), skip: false }
    }

    /// Takes a chunk in, and shows every line that ends in it.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut look: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.line.is_empty() && !self.skip {
                // As it lies there, without a copy.
                if line.len() <= self.longest {
                    look(line);
                }
            } else {
                self.gather(line);
                if !self.skip {
                    look(&self.line);
                }
            }
            self.line.clear();
            self.skip = false;
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
