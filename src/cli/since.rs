//! What `history` is asked for: since when, and in which form.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::config::Format;
use super::duration;
use super::queries::History;
use crate::error::Error;
use crate::escape;

/// A point in time, as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// Reads `7d`, `2026-11-01`, `2026-11-01T08:00` or `2026-11-01T08:00:00+01:00`; without an
    /// offset it is UTC, whatever the machine's own time zone.
    ///
    /// # Errors
    /// A clause that says what would have been right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(length) = duration::parse(text) {
            return Ok(Self::Ago(length));
        }
        let utc = |at: DateTime| Offset::UTC.to_timestamp(at);
        text.parse::<Timestamp>().or_else(|_| text.parse::<DateTime>().and_then(utc)).map(Self::At).map_err(|_| {
            "it is not a duration such as 7d or \"1h 30m\", nor a date such as 2026-11-01 or 2026-11-01T08:00Z"
                .to_owned()
        })
    }

    /// The time that is meant at `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

/// How the runs are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As a table.
    Text,
    /// As one JSON document.
    Json,
    /// As a page on stdout.
    Page,
    /// As a page in this file.
    PageIn(PathBuf),
}

/// The form that was asked for.
///
/// # Errors
/// [`Error::Usage`].
pub(super) fn form(raw: &History, format: Format, cwd: &Path) -> Result<Form, Error> {
    let Some(path) = &raw.html else {
        return Ok(if raw.json || format == Format::Json { Form::Json } else { Form::Text });
    };
    match path.to_str() {
        Some("-") if format == Format::Json => {
            Err(Error::Usage("--html -: stdout is NDJSON with --log-format json; give a file".into()))
        }
        Some("-") => Ok(Form::Page),
        _ => {
            let path = cwd.join(path);
            let refuse = |why| {
                let shown = path.to_string_lossy();
                Err(Error::Usage(format!("--html {:?}: {why}", escape::field(&shown))))
            };
            match path.metadata() {
                Ok(there) if there.is_dir() => refuse("it is a directory; give a file"),
                Ok(there) if !there.is_file() => refuse("it is no regular file; give one, or - for stdout"),
                _ => Ok(Form::PageIn(path)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_as_a_length_or_as_a_date() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("7d", "2026-11-14T12:00:00Z"),
            ("2w", "2026-11-07T12:00:00Z"),
            ("90", "2026-11-21T11:58:30Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            (" 2026-11-01 ", "2026-11-01T00:00:00Z"),
            ("2026-11-01 08:30", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:30", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:30:15Z", "2026-11-01T08:30:15Z"),
            ("2026-11-01T08:30+01:00", "2026-11-01T07:30:00Z"),
        ] {
            let since = Since::parse(text);
            assert_eq!(since.map(|since| since.at(now).to_string()).as_deref(), Ok(at), "{text}");
        }
        for wrong in ["", "soon", "-7d", "2026-13-01", "2026-11", "21.11.2026", "yesterday", "10:00"] {
            assert!(Since::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Since::Ago(Duration::MAX).at(now), Timestamp::MIN);
    }
}
