//! Events as lines for people, each starting with `tfguard: `.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::event::{Event, Level};
use super::look::Look;
use super::{sentence, wrap};

/// What every line of ours starts with.
pub const PREFIX: &str = "tfguard: ";

/// The event's lines, each with its newline.
pub fn lines(event: &Event, now: Timestamp, look: Look) -> String {
    let width = look.width.map(|width| width.saturating_sub(PREFIX.len()));
    let (mark, style) = mark(event.level());
    let style = if look.colour { style } else { Style::new() };
    let mut shown = String::new();
    for (index, sentence) in sentence::of(event, now).iter().enumerate() {
        let mark = if index == 0 { mark } else { "" };
        for (row, line) in wrap::lines(&format!("{mark}{sentence}"), width).iter().enumerate() {
            let mark = if row == 0 { mark.trim_end() } else { "" };
            let rest = line.strip_prefix(mark).unwrap_or(line);
            shown.push_str(PREFIX);
            if !mark.is_empty() {
                shown.push_str(&format!("{style}{mark}{style:#}"));
            }
            shown.push_str(rest);
            shown.push('\n');
        }
    }
    shown
}

/// The lines of an error that ends the run, for when there is no reporter.
pub fn error_lines(error: &crate::error::Error, look: Look) -> String {
    let event = Event::say(Level::Error, error.to_string());
    lines(&event, Timestamp::UNIX_EPOCH, look)
}

fn mark(level: Level) -> (&'static str, Style) {
    let bold = |colour: AnsiColor| Style::new().bold().fg_color(Some(colour.into()));
    match level {
        Level::Debug | Level::Info => ("", Style::new()),
        Level::Warn => ("warning: ", bold(AnsiColor::Yellow)),
        Level::Error => ("error: ", bold(AnsiColor::Red)),
    }
}

/// What the event says, a sentence a line, without control characters.
pub fn message(event: &Event, now: Timestamp) -> Vec<String> {
    sentence::of(event, now).iter().map(|sentence| wrap::plain(sentence)).collect()
}

#[cfg(test)]
mod tests;
