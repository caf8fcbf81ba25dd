//! All locks that are watched, a row each.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Canvas;
use crate::escape;
use crate::status::Tally;
use crate::status::columns::{self, Row};
use crate::status::words::{self, Tone};
use crate::watch::model::{Model, Subject};

/// Columns before a row: the pointer, the sign, and what is between them.
const MARGIN: usize = 5;

pub(super) fn draw(model: &Model, canvas: &mut Canvas<'_>, body: Rect) {
    let theme = canvas.theme;
    let name = match &model.subject {
        Subject::All(prefix) if !prefix.is_empty() => {
            format!("{} {} {}…", escape::line(&model.store), theme.glyphs.dot, escape::field(prefix))
        }
        _ => escape::line(&model.store).into_owned(),
    };
    canvas.title(&name, words::cut, counts(model.tally, canvas));
    let listed: Vec<_> = model.listed().skip(model.top).take(model.room()).collect();
    if listed.is_empty() {
        let said = match (model.seen, model.tally.free) {
            (None, _) => "Asking for the locks…",
            (Some(_), 0) => "There are no locks here yet: a lock comes with its first run.",
            (Some(_), _) => "Nothing is held. f shows the locks that are free.",
        };
        canvas.line(body.y - canvas.area.y + 1, &Line::from(Span::styled(format!("  {said}"), theme.dim())));
        return;
    }
    let mut rows: Vec<Row> = listed.iter().map(|brief| Row::new(brief, model.now)).collect();
    let room = usize::from(body.width).saturating_sub(MARGIN);
    let widths = columns::fit(&mut rows, Some(room));
    let head = format!("{}{}", " ".repeat(MARGIN), columns::head(&widths));
    canvas.line(1, &Line::from(Span::styled(head, theme.head())));
    for (index, row) in rows.iter().enumerate() {
        let y = u16::try_from(index).unwrap_or(u16::MAX).saturating_add(2);
        if y + 1 >= canvas.area.height {
            break;
        }
        let selected = model.top + index == model.selected;
        let pointer = if selected { theme.glyphs.pointer } else { " " };
        let text = columns::line(row, &widths, Some(room));
        let split = columns::behind(&text, widths[0] + columns::GAP);
        let (lock, rest) = text.split_at(split);
        let (state, rest) = rest.split_at(columns::behind(rest, widths[1]));
        let quiet = if row.tone == Tone::Free { theme.dim() } else { ratatui::style::Style::new() };
        let line = Line::from(vec![
            Span::raw(format!(" {pointer} ")),
            Span::styled(format!("{} ", theme.sign(row.tone)), theme.tone(row.tone)),
            Span::styled(lock.to_owned(), quiet),
            Span::styled(state.to_owned(), theme.tone(row.tone)),
            Span::styled(rest.to_owned(), quiet),
        ]);
        if selected {
            let area = Rect { y: canvas.area.y + y, height: 1, ..canvas.area };
            canvas.buffer.set_style(area, theme.selected());
        }
        canvas.line(y, &line);
    }
}

fn counts(tally: Tally, canvas: &Canvas<'_>) -> Line<'static> {
    let theme = canvas.theme;
    let dot = theme.glyphs.dot;
    let mut text = format!("{} held {dot} {} waiting {dot} {} free", tally.held, tally.waiting, tally.free);
    if tally.needs_recovery > 0 {
        text.push_str(&format!(" {dot} {} needing recovery", tally.needs_recovery));
    }
    if tally.unreadable > 0 {
        text.push_str(&format!(" {dot} {} unreadable", tally.unreadable));
    }
    Line::from(Span::styled(format!("{text} "), theme.title()))
}
