//! The versions as a table, as wide as there is room: in one row each where they fit, else with the long things below.

use anstyle::Style as Paint;
use tabled::builder::Builder;
use tabled::settings::Style;

use super::{View, writer};
use crate::escape;
use crate::lease::PastRun;
use crate::report::{Look, wrap};
use crate::versions::{Content, Version};

/// What tabled puts between two columns.
const GAP: usize = 2;

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
    let fits =
        |rows: &[String]| look.width.is_none_or(|width| rows.iter().all(|row| wrap::columns(row) <= width));
    let shapes = [Shape::Whole, Shape::NoCommand, Shape::NoLineage, Shape::Narrow];
    let found = shapes.into_iter().map(|shape| (shape, rows(&lines, shape))).find(|(_, rows)| fits(rows));
    let (shape, rows) = found.unwrap_or_else(|| (Shape::Tall, rows(&lines, Shape::Tall)));
    let (dim, bold) = match look.colour {
        true => (Paint::new().dimmed(), Paint::new().bold()),
        false => Default::default(),
    };
    let mut rows = rows.into_iter();
    let mut shown = rows.next().map_or(String::new(), |head| format!("{bold}{head}{bold:#}\n"));
    for (row, line) in rows.zip(&lines) {
        shown.push_str(&format!("{row}\n"));
        for text in line.below(shape) {
            shown.push_str(&format!("{:GAP$}{dim}{text}{dim:#}\n", ""));
        }
    }
    shown
}

/// The head and a row for each of `lines`.
fn rows(lines: &[Line], shape: Shape) -> Vec<String> {
    let mut table = Builder::default();
    let lineage = shape < Shape::NoLineage;
    let short = shape >= Shape::Narrow;
    let pick = |cells: [String; 9]| {
        let (id, whole) = (shape < Shape::Tall, shape == Shape::Whole);
        let wanted = [id, true, true, true, lineage, lineage, true, !short, whole];
        cells.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(cell, _)| cell).collect::<Vec<_>>()
    };
    let head = ["VERSION", "WRITTEN", "SERIAL", "SIZE", "LINEAGE", "TERRAFORM", "RUN", "WHO", "COMMAND"];
    table.push_record(pick(head.map(str::to_owned)));
    let format = if short { "%m-%d %H:%MZ" } else { "%Y-%m-%d %H:%M:%SZ" };
    for line in lines {
        table.push_record(pick([
            line.version.clone(),
            line.written.strftime(format).to_string(),
            if lineage { line.content() } else { line.serial.clone() },
            line.size.clone(),
            line.lineage.clone(),
            line.terraform.clone(),
            line.run.clone(),
            line.who.clone(),
            line.command.clone(),
        ]));
    }
    table.build().with(Style::empty()).to_string().lines().map(|row| row.trim().to_owned()).collect()
}

impl Line {
    fn of(version: &Version, run: Option<&PastRun>) -> Self {
        let text = |text: Option<&str>| text.map(|text| escape::field(text).into_owned()).unwrap_or_default();
        let head = version.head();
        let serial = match &version.content {
            Content::State(head) => head.serial.map(|serial| serial.to_string()).unwrap_or_default(),
            Content::Deleted => "deleted".to_owned(),
            Content::Empty => "empty".to_owned(),
            Content::Spoilt => "not a state".to_owned(),
            Content::Unread(_) => "not read".to_owned(),
        };
        let why = match &version.content {
            Content::Unread(why) => Some(why.as_str()),
            _ => None,
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
