//! Which version was asked for.

use super::list::Version;
use crate::error::Error;
use crate::escape;

/// A version, as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By its ID.
    Id(String),
    /// The newest one with this serial.
    Serial(u64),
    /// The newest one before the present one that is a state.
    Previous,
}

impl Wanted {
    /// Reads `previous`, `serial:7`, or else an ID.
    ///
    /// # Errors
    /// [`Error::Usage`] for a serial that is no number, and for nothing at all.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Usage("state restore needs a version: its ID, serial:N, or previous".into()));
        }
        if text == "previous" {
            return Ok(Self::Previous);
        }
        match text.strip_prefix("serial:") {
            Some(number) => number.parse().map(Self::Serial).map_err(|_| {
                Error::Usage(format!("the serial {:?} is not a number: serial:7", escape::field(number)))
            }),
            None => Ok(Self::Id(text.to_owned())),
        }
    }

    /// The version that is meant among `versions`, the newest first.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is none, or it is no state.
    pub fn pick<'a>(&self, versions: &'a [Version]) -> Result<&'a Version, Error> {
        let none = |what: String| Error::Usage(format!("{what}; `tfguard state versions` lists them"));
        let found = match self {
            Self::Id(id) => versions
                .iter()
                .find(|version| version.id == *id)
                .ok_or_else(|| none(format!("the state has no version {:?}", escape::field(id))))?,
            Self::Serial(serial) => versions
                .iter()
                .find(|version| version.serial() == Some(*serial))
                .ok_or_else(|| none(format!("no version of the state has the serial {serial}")))?,
            Self::Previous => versions
                .iter()
                .skip_while(|version| !version.current)
                .skip(1)
                .find(|version| version.head().is_some())
                .ok_or_else(|| none("there is no earlier version of the state".to_owned()))?,
        };
        let id = escape::field(&found.id);
        match (&found.content, found.current) {
            (super::Content::State(_), true) => Err(none(format!("version {id} is the present state"))),
            (super::Content::State(_), false) => Ok(found),
            (super::Content::Unread(why), _) => Err(none(format!("version {id} cannot be read: {why}"))),
            _ => Err(none(format!("version {id} is not a state"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Head};
    use super::*;

    fn version(id: &str, current: bool, content: Content) -> Version {
        Version { id: id.into(), current, at: jiff::Timestamp::UNIX_EPOCH, size: Some(1), content }
    }

    fn state(serial: u64) -> Content {
        Content::State(Head { serial: Some(serial), lineage: Some("l".into()), ..Head::default() })
    }

    fn versions() -> Vec<Version> {
        vec![
            version("e", true, Content::Spoilt),
            version("d", false, Content::Deleted),
            version("c", false, state(7)),
            version("b", false, state(7)),
            version("a", false, state(6)),
        ]
    }

    fn id(text: &str) -> Result<String, Error> {
        Wanted::parse(text)?.pick(&versions()).map(|version| version.id.clone())
    }

    #[test]
    fn a_version_has_three_names() {
        for (text, meant) in
            [("previous", "c"), ("serial:7", "c"), ("serial:6", "a"), ("b", "b"), (" a ", "a")]
        {
            assert_eq!(id(text).as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_or_no_state_is_refused() {
        for text in ["", "serial:x", "serial:9", "f", "d", "e"] {
            assert_eq!(id(text).unwrap_err().exit_code(), 64, "{text}");
        }
        let mut present = versions();
        present[0] = version("e", true, state(8));
        assert!(Wanted::Serial(8).pick(&present).is_err());
        assert!(Wanted::Previous.pick(&present[..1]).is_err());
    }
}
