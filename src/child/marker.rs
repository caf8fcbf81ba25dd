//! Terraform's own word that it was interrupted.
//!
//! In text it is the line `Interrupt received.`; with `-json` an object whose `@message` begins
//! with these words. What a resource prints is prefixed with its address and never a whole line,
//! so that a provisioner which prints the words is not believed.

use serde::Deserialize;
use tokio::sync::mpsc::UnboundedSender;

use super::lines::Lines;
use super::output::Sink;

/// Terraform has shown that it was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterruptSeen;

/// What Terraform and OpenTofu print at the first signal.
const WORDS: &str = "Interrupt received";
/// A line longer than this is not the one we look for.
const LONGEST: usize = 1024;

/// Looks at what passes on its way into another sink.
pub struct Marker {
    into: Box<dyn Sink>,
    seen: UnboundedSender<InterruptSeen>,
    lines: Lines,
    told: bool,
}

impl Marker {
    /// Tells `seen` once.
    pub fn new(into: Box<dyn Sink>, seen: UnboundedSender<InterruptSeen>) -> Self {
        Self { into, seen, lines: Lines::with(LONGEST, &[WORDS]), told: false }
    }
}

impl Sink for Marker {
    fn chunk(&mut self, bytes: &[u8]) {
        let Self { seen, lines, told, .. } = self;
        if !*told {
            lines.feed(bytes, |line| judge(line, told, seen));
        }
        self.into.chunk(bytes);
    }

    fn end(&mut self) {
        let Self { seen, lines, told, .. } = self;
        lines.finish(|line| judge(line, told, seen));
        self.into.end();
    }
}

fn judge(line: &[u8], told: &mut bool, seen: &UnboundedSender<InterruptSeen>) {
    if !*told && is_marker(line) {
        *told = true;
        // Nobody waits for it any more once the child has ended.
        let _ = seen.send(InterruptSeen);
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "@message", borrow)]
    message: std::borrow::Cow<'a, str>,
}

fn is_marker(line: &[u8]) -> bool {
    // Most lines are told apart here, without another look.
    if memchr::memmem::find(line, WORDS.as_bytes()).is_none() {
        return false;
    }
    let Ok(text) = std::str::from_utf8(line) else { return false };
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .is_ok_and(|message: Message<'_>| message.message.trim_start().starts_with(WORDS));
    }
    let plain = anstream::adapter::strip_str(text).to_string();
    // Not indented: so are the lines of a text that a plan shows.
    plain.trim_end() == format!("{WORDS}.")
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        fn chunk(&mut self, _: &[u8]) {}
        fn end(&mut self) {}
    }

    fn seen(chunks: &[&[u8]]) -> usize {
        let (tell, mut told) = unbounded_channel();
        let mut marker = Marker::new(Box::new(Nowhere), tell);
        for chunk in chunks {
            marker.chunk(chunk);
        }
        marker.end();
        drop(marker);
        std::iter::from_fn(|| told.try_recv().ok()).count()
    }

    const TEXT: &[u8] =
        b"\n\nInterrupt received.\nPlease wait for Terraform to exit or data loss may occur.\n";
    const JSON: &[u8] = br#"{"@level":"info","@message":"\nInterrupt received.\nPlease wait","@module":"terraform.ui","type":"log"}
"#;

    #[test]
    fn it_is_found_wherever_the_chunks_are_cut() {
        for whole in [TEXT, JSON] {
            for at in 0..whole.len() {
                assert_eq!(seen(&[&whole[..at], &whole[at..]]), 1, "cut at {at}");
            }
        }
    }

    #[test]
    fn colours_and_carriage_returns_do_not_hide_it() {
        assert_eq!(seen(&[b"\x1b[0m\x1b[1mInterrupt received.\x1b[0m\r\n"]), 1);
        assert_eq!(seen(&[b"Interrupt received."]), 1);
    }

    #[test]
    fn it_is_told_once() {
        assert_eq!(seen(&[TEXT, TEXT]), 1);
    }

    #[test]
    fn what_a_resource_prints_is_not_believed() {
        for line in [
            &b"terraform_data.x (local-exec): Interrupt received.\n"[..],
            b"Interrupt received. Or so they say.\n",
            // A line of a text that a plan shows.
            b"        Interrupt received.\n",
            br#"{"@message":"terraform_data.x (local-exec): Interrupt received.","type":"provision_progress"}"#,
            br#"{"output":"Interrupt received."}"#,
        ] {
            assert_eq!(seen(&[line]), 0, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn endless_lines_are_passed_over() {
        let long = vec![b'x'; 10 * LONGEST];
        assert_eq!(seen(&[&long, b"Interrupt received.\n", b"Interrupt received.\n"]), 1);
    }
}
