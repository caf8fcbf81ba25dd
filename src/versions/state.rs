//! A whole state, as far as it has to be understood to be brought back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::head::Head;

/// A state that can be pushed. Its values stay as they are written: numbers that no type of ours
/// holds must not change.
#[derive(Debug)]
pub struct State {
    fields: BTreeMap<String, Box<RawValue>>,
    /// Its serial.
    pub serial: u64,
    /// Its lineage; empty in a state that nothing was ever written to.
    pub lineage: String,
    /// Managed resources in it, each instance counted.
    pub resources: usize,
}

/// Why something is no state that can be worked with. A clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is no JSON, or breaks off.
    #[error("it is not a state: it cannot be read as JSON to its end")]
    NotJson,
    /// It lacks what every state has.
    #[error("it is not a state: its {0} is missing or wrong")]
    Lacks(&'static str),
    /// Written by OpenTofu with encryption.
    #[error("it is encrypted by OpenTofu, so that its serial cannot be raised from outside")]
    Encrypted,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    instances: Vec<serde::de::IgnoredAny>,
}

impl State {
    /// Reads a state.
    ///
    /// # Errors
    /// [`StateError`]; nothing of the state's content is in it.
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(bytes).map_err(|_| StateError::NotJson)?;
        if fields.contains_key("encrypted_data") {
            return Err(StateError::Encrypted);
        }
        let version: Option<u64> = field(&fields, "version");
        version.filter(|version| *version >= 4).ok_or(StateError::Lacks("version"))?;
        let head = Head::read(bytes);
        let resources: Vec<Resource> = match fields.get("resources") {
            Some(_) => field(&fields, "resources").ok_or(StateError::Lacks("list of resources"))?,
            None => Vec::new(),
        };
        let managed = resources.iter().filter(|resource| resource.mode == "managed");
        Ok(Self {
            serial: head.serial.ok_or(StateError::Lacks("serial"))?,
            lineage: head.lineage.ok_or(StateError::Lacks("lineage"))?,
            resources: managed.map(|resource| resource.instances.len()).sum(),
            fields,
        })
    }

    /// The same state as a newer one: with this serial.
    ///
    /// # Errors
    /// [`StateError::NotJson`], which does not occur.
    pub fn with_serial(&self, serial: u64) -> Result<Vec<u8>, StateError> {
        let number = RawValue::from_string(serial.to_string()).map_err(|_| StateError::NotJson)?;
        let mut fields: BTreeMap<&str, &RawValue> =
            self.fields.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
        fields.insert("serial", &number);
        serde_json::to_vec(&fields).map_err(|_| StateError::NotJson)
    }
}

fn field<'de, T: Deserialize<'de>>(fields: &'de BTreeMap<String, Box<RawValue>>, name: &str) -> Option<T> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{
      "version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "a-b", "outputs": {},
      "resources": [
        {"mode": "managed", "type": "t", "name": "x", "instances": [{"attributes": {"n": 123456789012345678901234567890.12345678901234567890}}, {}]},
        {"mode": "data", "instances": [{}]}
      ], "check_results": null
    }"#;

    #[test]
    fn only_the_serial_changes() {
        let state = State::read(STATE.as_bytes()).unwrap();
        assert_eq!((state.serial, state.lineage.as_str(), state.resources), (7, "a-b", 2));
        let raised = String::from_utf8(state.with_serial(42).unwrap()).unwrap();
        assert!(raised.contains("123456789012345678901234567890.12345678901234567890"), "{raised}");
        assert!(raised.contains(r#""check_results":null"#) && raised.contains(r#""version":4"#), "{raised}");
        assert_eq!(State::read(raised.as_bytes()).unwrap().serial, 42);
    }

    #[test]
    fn what_is_no_state_is_told_apart() {
        for (text, error) in [
            (&STATE[..STATE.len() - 3], StateError::NotJson),
            ("[]", StateError::NotJson),
            (r#"{"version": 3, "serial": 1, "lineage": "l"}"#, StateError::Lacks("version")),
            (r#"{"version": 4, "lineage": "l"}"#, StateError::Lacks("serial")),
            (r#"{"version": 4, "serial": 1}"#, StateError::Lacks("lineage")),
            (
                r#"{"version": 4, "serial": 1, "lineage": "l", "resources": 1}"#,
                StateError::Lacks("list of resources"),
            ),
            (r#"{"serial": 1, "lineage": "l", "encrypted_data": "x"}"#, StateError::Encrypted),
        ] {
            assert_eq!(State::read(text.as_bytes()).err(), Some(error), "{text}");
        }
    }
}
