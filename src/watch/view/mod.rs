//! A model drawn into a buffer, at any size.
//!
//! A title, what is watched, and a line with keys and how old all this is. Nothing is drawn outside
//! the area, and nothing that somebody else wrote comes in unescaped.

mod detail;
mod help;
mod list;
mod palette;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub use palette::{Glyphs, Palette, Theme};

use super::model::{Model, Subject};
use crate::escape;
use crate::report::human;
use crate::status::words::{self, Tone};

/// Draws the model. Gives back how many lines the details have, which bounds their scrolling.
pub fn draw(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) -> usize {
    let mut canvas = Canvas { theme, area, buffer };
    if area.height == 0 || area.width == 0 {
        return 0;
    }
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let lines = match &model.open {
        Some(detail) => detail::draw(model, detail, &mut canvas, body),
        None => {
            list::draw(model, &mut canvas, body);
            0
        }
    };
    canvas.footer(model, lines > usize::from(body.height));
    if model.help {
        help::draw(model, &mut canvas, body);
    }
    canvas.simplify();
    lines
}

/// Where is drawn, and how.
struct Canvas<'a> {
    theme: Theme,
    area: Rect,
    buffer: &'a mut Buffer,
}

impl Canvas<'_> {
    /// Writes a line at row `y` of the area, cut to it.
    fn line(&mut self, y: u16, line: &Line<'_>) {
        if y < self.area.height {
            self.buffer.set_line(self.area.x, self.area.y + y, line, self.area.width);
        }
    }

    /// Writes `left` and, where there is room, `right` at the other end of the row.
    fn ends(&mut self, y: u16, left: Line<'_>, right: Line<'_>) {
        let (left_width, right_width) = (left.width(), right.width());
        let width = usize::from(self.area.width);
        self.line(y, &left);
        if y < self.area.height && left_width + right_width < width {
            let x = u16::try_from(width - right_width).unwrap_or_default();
            let room = self.area.width - x;
            self.buffer.set_line(self.area.x + x, self.area.y + y, &right, room);
        }
    }

    /// Our own signs, where the terminal may not know them. Each takes a column as before.
    fn simplify(&mut self) {
        if self.theme.glyphs != Glyphs::ASCII {
            return;
        }
        for cell in &mut self.buffer.content {
            let plain = match cell.symbol() {
                "…" => ".",
                "≤" => "<",
                _ => continue,
            };
            cell.set_symbol(plain);
        }
    }

    /// The first row: what is watched, and how it is.
    fn title(&mut self, name: &str, cut: fn(&str, usize) -> String, right: Line<'_>) {
        let theme = self.theme;
        let row = Rect { height: 1.min(self.area.height), ..self.area };
        self.buffer.set_style(row, theme.title());
        let room = usize::from(self.area.width).saturating_sub(right.width() + 3);
        // The name is worth more than the counts.
        let (name, right) = match room {
            0..12 => (cut(name, usize::from(self.area.width).saturating_sub(2)), Line::default()),
            _ => (cut(name, room), right),
        };
        let left = Line::from(Span::styled(format!(" {name}"), theme.title()));
        self.ends(0, left, right);
    }

    /// The last row: keys at one end, how old all this is at the other; or what is wrong.
    fn footer(&mut self, model: &Model, more: bool) {
        let theme = self.theme;
        let y = self.area.height.saturating_sub(1);
        if y == 0 {
            return;
        }
        let row = Rect { y: self.area.y + y, height: 1, ..self.area };
        if let Some(trouble) = &model.trouble {
            let since = human::since(trouble.since, model.now);
            let left = human::until(trouble.again, model.now).as_secs();
            let again = if left == 0 { "asking again".to_owned() } else { format!("again in {left} s") };
            let right = format!(" {again} ");
            let room = usize::from(self.area.width).saturating_sub(right.len() + 1);
            // The store is named in the title.
            let cause = trouble.text.strip_prefix(&model.store).unwrap_or(&trouble.text).trim_start();
            let said = format!(" no answer for {since}: {}", escape::line(cause));
            self.buffer.set_style(row, theme.alarm());
            let left = Line::from(Span::styled(words::cut(&said, room), theme.alarm()));
            self.ends(y, left, Line::from(Span::styled(right, theme.alarm())));
            return;
        }
        let arrows = theme.glyphs.arrows;
        let free = if model.hide_free { "show free" } else { "hide free" };
        let mut keys = vec![("q", "quit")];
        match (&model.open, &model.subject) {
            (Some(_), subject) => {
                let only = matches!(subject, Subject::One(_));
                keys.extend((!only).then_some(("Esc", "back")));
                keys.extend(more.then_some((arrows, "scroll")));
            }
            (None, _) => keys.extend([(arrows, "move"), ("Enter", "open"), ("f", free)]),
        }
        keys.extend([("r", "refresh"), ("?", "help")]);
        let mut line = Line::default();
        for (key, does) in keys {
            line.push_span(Span::styled(format!(" {key} "), theme.key()));
            line.push_span(Span::styled(format!("{does} "), theme.dim()));
        }
        let age = match model.seen {
            None => "asking… ".to_owned(),
            Some(seen) => {
                let passed =
                    std::time::Duration::try_from(model.now.duration_since(seen)).unwrap_or_default();
                format!("{} {} ", theme.glyphs.pulse, crate::status::columns::ago(passed))
            }
        };
        self.ends(y, line, Line::from(Span::styled(age, theme.dim())));
    }
}

#[cfg(test)]
mod tests;
