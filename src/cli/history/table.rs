//! Runs as a table, as wide as there is room: in one row each where they fit, else with the long things below.

use super::line::Line;
use crate::cli::rows::{GAP, aligned, fitting, kept, text as shown};
use crate::report::{Look, wrap};

/// How much of a table stands beside each other.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// All of it.
    Whole,
    /// The link is below.
    NoLink,
    /// The link and the command are below, and times are short.
    Narrow,
}

/// A name is not cut to less.
const LEAST: usize = 6;

/// The table; every line ends with a newline. Nothing of nothing.
pub(super) fn text(lines: &[Line], look: Look) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let shapes = [Shape::Whole, Shape::NoLink];
    let found = fitting(shapes, look.width, |shape| rows(lines, shape, None));
    let (shape, rows) = found.unwrap_or_else(|| (Shape::Narrow, narrow(lines, look.width)));
    let below = |line: &Line| match shape {
        Shape::Whole => vec![],
        Shape::NoLink => vec![line.link.clone()],
        Shape::Narrow => vec![line.command.clone(), line.link.clone()],
    };
    shown(&rows, lines.iter().map(below), run_width(lines) + GAP, look)
}

fn run_width(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.run.len()).max().unwrap_or(0).max("RUN".len())
}

/// In the narrow shape what is too wide still is cut: who ran it, then how it ended.
fn narrow(lines: &[Line], width: Option<usize>) -> Vec<String> {
    let shown = rows(lines, Shape::Narrow, None);
    let widest = |shown: &[String]| shown.iter().map(|line| wrap::columns(line)).max().unwrap_or(0);
    let Some(over) = width.and_then(|width| widest(&shown).checked_sub(width)).filter(|over| *over > 0)
    else {
        return shown;
    };
    let most =
        |pick: fn(&Line) -> &String| lines.iter().map(|line| wrap::columns(pick(line))).max().unwrap_or(0);
    let (who, outcome) = (most(|line| &line.who), most(|line| &line.outcome));
    let room_of_who = who.saturating_sub(over).max(LEAST.min(who));
    let room_of_outcome = outcome.saturating_sub(over - (who - room_of_who)).max("OUTCOME".len());
    rows(lines, Shape::Narrow, Some((room_of_who, room_of_outcome)))
}

/// The head and a row for each of `lines`.
fn rows(lines: &[Line], shape: Shape, rooms: Option<(usize, usize)>) -> Vec<String> {
    let (whole, no_link) = (shape == Shape::Whole, shape != Shape::Narrow);
    let pick = |cells| kept(cells, [true, true, true, no_link, true, true, true, true, whole]);
    let head = ["RUN", "STARTED", "WHO", "COMMAND", "WAITED", "HELD", "OUTCOME", "CHANGES", "LINK"];
    let format = if shape == Shape::Narrow { "%m-%d %H:%MZ" } else { "%Y-%m-%d %H:%M:%SZ" };
    let row = |line: &Line| {
        let (who, outcome) = match rooms {
            Some((who, outcome)) => (wrap::cut(&line.who, who), wrap::cut(&line.outcome, outcome)),
            None => (line.who.as_str().into(), line.outcome.as_str().into()),
        };
        pick([
            line.run.clone(),
            line.started.map_or(String::new(), |at| at.strftime(format).to_string()),
            who.into_owned(),
            line.command.clone(),
            line.waited.clone(),
            line.held.clone(),
            outcome.into_owned(),
            line.changes.clone(),
            line.link.clone(),
        ])
    };
    aligned(std::iter::once(pick(head.map(str::to_owned))).chain(lines.iter().map(row)))
}
