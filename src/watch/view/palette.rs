//! Colours and signs. Without colour what matters is bold, reversed or marked by a sign.

use ratatui::style::{Color, Modifier, Style};

use crate::status::words::Tone;

/// Which colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// The terminal's own.
    Colour,
    /// None.
    Plain,
}

/// The signs that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// A lock, by its tone: busy, free, bad.
    pub tones: [&'static str; 3],
    /// The selected row.
    pub pointer: &'static str,
    /// How old this is.
    pub pulse: &'static str,
    /// The keys that move.
    pub arrows: &'static str,
    /// A run that ended well, and one that did not.
    pub ended: [&'static str; 2],
    /// A full part of a bar, and an empty one.
    pub bar: [&'static str; 2],
    /// What is drawn along a heading.
    pub rule: &'static str,
    /// What stands between parts of a line.
    pub dot: &'static str,
}

impl Glyphs {
    /// For terminals that know Unicode.
    pub const UNICODE: Self = Self {
        tones: ["●", "○", "▲"],
        pointer: "▸",
        pulse: "◴",
        arrows: "↑↓",
        ended: ["✓", "✗"],
        bar: ["█", "░"],
        rule: "─",
        dot: "·",
    };

    /// For those that may not.
    pub const ASCII: Self = Self {
        tones: ["*", "o", "!"],
        pointer: ">",
        pulse: "-",
        arrows: "jk",
        ended: ["+", "x"],
        bar: ["#", "."],
        rule: "-",
        dot: "-",
    };

    /// By the variables of the locale.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set =
            ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|it| !it.is_empty()));
        let locale = set.unwrap_or_default().to_ascii_lowercase();
        // Without any, as in many containers, the terminal at the other end is one of today.
        match locale.contains("utf-8") || locale.contains("utf8") || locale.is_empty() {
            true => Self::UNICODE,
            false => Self::ASCII,
        }
    }
}

/// How things look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub palette: Palette,
    /// Signs.
    pub glyphs: Glyphs,
}

impl Theme {
    fn colour(self, colour: Color, plain: Modifier) -> Style {
        match self.palette {
            Palette::Colour => Style::new().fg(colour),
            Palette::Plain => Style::new().add_modifier(plain),
        }
    }

    pub(super) fn title(self) -> Style {
        match self.palette {
            Palette::Colour => {
                Style::new().fg(Color::White).bg(Color::Indexed(24)).add_modifier(Modifier::BOLD)
            }
            Palette::Plain => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    pub(super) fn alarm(self) -> Style {
        match self.palette {
            Palette::Colour => Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
            Palette::Plain => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    pub(super) fn selected(self) -> Style {
        match self.palette {
            Palette::Colour => Style::new().bg(Color::Indexed(236)).add_modifier(Modifier::BOLD),
            Palette::Plain => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    pub(super) fn head(self) -> Style {
        self.colour(Color::Cyan, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    pub(super) fn key(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn link(self) -> Style {
        self.colour(Color::Blue, Modifier::UNDERLINED).add_modifier(Modifier::UNDERLINED)
    }

    pub(super) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Busy => self.colour(Color::Yellow, Modifier::empty()),
            Tone::Free => self.colour(Color::Green, Modifier::empty()),
            Tone::Bad => self.colour(Color::Red, Modifier::BOLD).add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn sign(self, tone: Tone) -> &'static str {
        let [busy, free, bad] = self.glyphs.tones;
        match tone {
            Tone::Busy => busy,
            Tone::Free => free,
            Tone::Bad => bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_follow_the_locale() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            Glyphs::of(&|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), Glyphs::UNICODE);
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Glyphs::UNICODE);
        assert_eq!(of(&[("LANG", "de_DE.ISO-8859-1")]), Glyphs::ASCII);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Glyphs::ASCII);
        assert_eq!(of(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), Glyphs::UNICODE);
    }
}
