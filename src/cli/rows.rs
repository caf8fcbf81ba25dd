//! Tables for people, as wide as there is room: what does not fit beside each other stands below its row.

use anstyle::Style as Paint;
use tabled::builder::Builder;
use tabled::settings::Style;

use crate::report::{Look, wrap};

/// What stands between two columns.
pub(super) const GAP: usize = 2;

/// Those of the cells of one row that are wanted.
pub(super) fn kept<const N: usize>(cells: [String; N], wanted: [bool; N]) -> Vec<String> {
    cells.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(cell, _)| cell).collect()
}

/// The rows as lines, the cells of a column below each other.
pub(super) fn aligned(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let mut table = Builder::default();
    rows.into_iter().for_each(|row| table.push_record(row));
    table.build().with(Style::empty()).to_string().lines().map(|line| line.trim().to_owned()).collect()
}

/// The first of the shapes that a table can have in which it fits, with its lines.
pub(super) fn fitting<S: Copy>(
    shapes: impl IntoIterator<Item = S>,
    width: Option<usize>,
    lines: impl Fn(S) -> Vec<String>,
) -> Option<(S, Vec<String>)> {
    let fits =
        |lines: &[String]| width.is_none_or(|width| lines.iter().all(|line| wrap::columns(line) <= width));
    shapes.into_iter().map(|shape| (shape, lines(shape))).find(|(_, lines)| fits(lines))
}

/// The table: its head, and the rows, each with the texts below it, further to the right by `margin` columns. What is
/// empty is left out.
pub(super) fn text(
    lines: &[String],
    below: impl IntoIterator<Item = Vec<String>>,
    margin: usize,
    look: Look,
) -> String {
    let (dim, bold) = match look.colour {
        true => (Paint::new().dimmed(), Paint::new().bold()),
        false => Default::default(),
    };
    let Some((head, rows)) = lines.split_first() else { return String::new() };
    let mut shown = format!("{bold}{head}{bold:#}\n");
    for (row, below) in rows.iter().zip(below) {
        shown.push_str(&format!("{row}\n"));
        for text in below.iter().filter(|text| !text.is_empty()) {
            shown.push_str(&format!("{:margin$}{dim}{text}{dim:#}\n", ""));
        }
    }
    shown
}
