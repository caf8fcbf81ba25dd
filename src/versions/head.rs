//! The first fields of a state, read from its beginning.

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// What a state says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Rises with every write.
    pub serial: Option<u64>,
    /// The same for all versions of one state.
    pub lineage: Option<String>,
    /// The Terraform that wrote it.
    pub terraform_version: Option<String>,
}

impl Head {
    /// Reads the fields that are whole in `bytes`, which may be the mere beginning of a state. What
    /// follows after the last of them is not looked at.
    pub fn read(bytes: &[u8]) -> Self {
        let mut head = Self::default();
        // Where the text breaks off, or is none, what was read before it counts.
        let _ = serde_json::Deserializer::from_slice(bytes).deserialize_map(Reader(&mut head));
        head
    }

    /// Whether it has what tells one version from another.
    pub fn is_whole(&self) -> bool {
        self.serial.is_some() && self.lineage.is_some()
    }
}

struct Reader<'a>(&'a mut Head);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "serial" => self.0.serial = Some(map.next_value()?),
                "lineage" => self.0.lineage = Some(map.next_value()?),
                "terraform_version" => self.0.terraform_version = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if self.0.is_whole() && self.0.terraform_version.is_some() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_state_is_enough() {
        let text = br#"{"version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "a-b", "outputs": {"x": "#;
        let head = Head::read(text);
        assert_eq!((head.serial, head.lineage.as_deref()), (Some(7), Some("a-b")));
        assert_eq!(head.terraform_version.as_deref(), Some("1.11.4"));
        let other_order =
            Head::read(br#"{"lineage": "l", "resources": [{"a": [1, {}]}], "serial": 3, "version": 4}"#);
        assert!(other_order.is_whole());
    }

    #[test]
    fn what_is_cut_or_no_state_has_no_head() {
        for text in [
            &b"{\"version\": 4, \"terraf"[..],
            b"",
            b"garbage",
            b"[1]",
            b"{\"serial\": \"7\"}",
            b"{\"serial\": -1}",
        ] {
            assert_eq!(Head::read(text), Head::default(), "{text:?}");
        }
    }
}
