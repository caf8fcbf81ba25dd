//! The keys, over everything else.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use super::Canvas;
use crate::watch::model::{Model, Subject};

const KEYS: &[(&str, &str)] = &[
    ("↑ ↓  j k", "move"),
    ("PgUp PgDn", "a screen up, down"),
    ("Home End  g G", "to the first, to the last"),
    ("Enter  →  l", "open a lock"),
    ("Esc  ←  h", "back"),
    ("f", "show or hide free locks"),
    ("r", "ask the store now"),
    ("Ctrl-Z", "suspend; fg comes back"),
    ("q", "quit"),
];

const SIGNS: [&str; 3] = ["held", "free", "wrong: dead, unreadable, failed"];

pub(super) fn draw(model: &Model, canvas: &mut Canvas<'_>, body: Rect) {
    let theme = canvas.theme;
    let listing = !matches!(model.subject, Subject::One(_));
    let keys = KEYS.iter().filter(|(key, _)| listing || !matches!(*key, "f" | "Enter  →  l"));
    let plain = |text: &str| match theme.glyphs.rule {
        "-" => text.replace("↑ ↓", "Up Down").replace('→', "Right").replace('←', "Left"),
        _ => text.to_owned(),
    };
    let mut lines: Vec<Line<'_>> = keys
        .map(|(key, does)| {
            Line::from(vec![
                Span::styled(format!(" {:<15}", plain(key)), theme.key()),
                Span::raw((*does).to_owned()),
            ])
        })
        .collect();
    lines.push(Line::default());
    let tones = [super::Tone::Busy, super::Tone::Free, super::Tone::Bad];
    for (tone, means) in tones.into_iter().zip(SIGNS) {
        lines.push(Line::from(vec![
            Span::styled(format!(" {:<15}", theme.sign(tone)), theme.tone(tone)),
            Span::raw(means),
        ]));
    }
    let width = 52.min(body.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(body.height);
    let area =
        Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    if area.width < 3 || area.height < 3 {
        return;
    }
    Clear.render(area, canvas.buffer);
    canvas.buffer.set_style(area, Style::new());
    let block = Block::bordered().title(" Keys ").border_style(theme.head()).title_style(theme.head());
    let block = match theme.glyphs.rule {
        "-" => block.border_set(ASCII),
        _ => block.border_type(ratatui::widgets::BorderType::Rounded),
    };
    let inner = block.inner(area);
    block.render(area, canvas.buffer);
    for (y, line) in (inner.y..inner.bottom()).zip(&lines) {
        canvas.buffer.set_line(inner.x, y, line, inner.width);
    }
}

const ASCII: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
