//! The versions as a table, as wide as there is room: in one row each where they fit, else with the long things below.

use super::{View, writer};
use crate::cli::rows::{GAP, aligned, fitting, kept, text as shown};
use crate::escape;
use crate::lease::PastRun;
use crate::report::Look;
use crate::versions::{Content, Version};

/// How much of a version stands beside each other; the rest is below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// All of it.
    Whole,
    /// All but the command.
    NoCommand,
    /// Neither what the state says of itself nor why it could not be read.
    NoLineage,
    /// Nor who wrote it; times are short.
    Narrow,
    /// Nor its ID, of which some stores make a long one.
    Tall,
}

/// One version in words, escaped. What is not known is empty.
struct Line {
    version: String,
    written: jiff::Timestamp,
    /// Its serial number, or what else it holds.
    serial: String,
    /// Why it could not be read.
    why: String,
    size: String,
    lineage: String,
    terraform: String,
    run: String,
    who: String,
    command: String,
}

/// For people: a table. Nothing where there are no versions.
pub fn text(view: View<'_>, look: Look) -> String {
    if view.versions.is_empty() {
        return String::new();
    }
    let line = |version: &Version| Line::of(version, writer(view.runs, version.at));
    let lines: Vec<Line> = view.versions.iter().map(line).collect();
    let shapes = [Shape::Whole, Shape::NoCommand, Shape::NoLineage, Shape::Narrow];
    let found = fitting(shapes, look.width, |shape| rows(&lines, shape));
    let (shape, rows) = found.unwrap_or_else(|| (Shape::Tall, rows(&lines, Shape::Tall)));
    shown(&rows, lines.iter().map(|line| line.below(shape)), GAP, look)
}

/// The head and a row for each of `lines`.
fn rows(lines: &[Line], shape: Shape) -> Vec<String> {
    let (id, whole) = (shape < Shape::Tall, shape == Shape::Whole);
    let lineage = shape < Shape::NoLineage;
    let short = shape >= Shape::Narrow;
    let pick = |cells| kept(cells, [id, true, true, true, lineage, lineage, true, !short, whole]);
    let head = ["VERSION", "WRITTEN", "SERIAL", "SIZE", "LINEAGE", "TERRAFORM", "RUN", "WHO", "COMMAND"];
    let format = if short { "%m-%d %H:%MZ" } else { "%Y-%m-%d %H:%M:%SZ" };
    let row = |line: &Line| {
        pick([
            line.version.clone(),
            line.written.strftime(format).to_string(),
            if lineage { line.content() } else { line.serial.clone() },
            line.size.clone(),
            line.lineage.clone(),
            line.terraform.clone(),
            line.run.clone(),
            line.who.clone(),
            line.command.clone(),
        ])
    };
    aligned(std::iter::once(pick(head.map(str::to_owned))).chain(lines.iter().map(row)))
}

impl Line {
    fn of(version: &Version, run: Option<&PastRun>) -> Self {
        let text = |text: Option<&str>| text.map(|text| escape::field(text).into_owned()).unwrap_or_default();
        let head = version.head();
        let word = |word: &str| (word.to_owned(), None);
        let (serial, why) = match &version.content {
            Content::State(head) => (head.serial.map(|serial| serial.to_string()).unwrap_or_default(), None),
            Content::Deleted => word("deleted"),
            Content::Empty => word("empty"),
            Content::Spoilt => word("not a state"),
            Content::Unread(why) => ("not read".to_owned(), Some(why.as_str())),
        };
        Self {
            version: text(Some(&version.id)),
            written: version.at,
            serial: serial + if version.current { " (current)" } else { "" },
            why: text(why),
            size: version.size.map(|size| size.to_string()).unwrap_or_default(),
            lineage: text(version.lineage()),
            terraform: text(head.and_then(|head| head.terraform_version.as_deref())),
            run: run.map(|run| run.run.to_string()).unwrap_or_default(),
            who: text(run.and_then(|run| run.identity.actor.as_deref())),
            command: text(run.and_then(|run| run.identity.command.as_deref())),
        }
    }

    /// What it holds, with the reason where that is not known.
    fn content(&self) -> String {
        if self.why.is_empty() { self.serial.clone() } else { format!("{}: {}", self.serial, self.why) }
    }

    /// What stands below its row.
    fn below(&self, shape: Shape) -> Vec<String> {
        let named = |name: &str, text: &str| (!text.is_empty()).then(|| format!("{name} {text}"));
        let alone = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let together = |parts: [Option<String>; 2]| {
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        };
        let id = named("version", &self.version).filter(|_| shape == Shape::Tall);
        let why = alone(&self.why).filter(|_| shape >= Shape::NoLineage);
        let state = together([named("lineage", &self.lineage), named("Terraform", &self.terraform)]);
        let state = state.filter(|_| shape >= Shape::NoLineage);
        let who = named("by", &self.who).filter(|_| shape >= Shape::Narrow);
        let run = together([who, alone(&self.command)]).filter(|_| shape > Shape::Whole);
        [id, why, state, run].into_iter().flatten().collect()
    }
}
