//! The key of a table, and what is wrong with it when lock records cannot live there.

use std::fmt;

use aws_sdk_dynamodb::types::{KeyType, TableDescription};

use super::item::KEY;
use crate::store::text::plain;

/// One attribute of a table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPart {
    /// Its name, as the service gave it.
    pub name: String,
    /// It is the sort key, not the partition key.
    pub sort: bool,
    /// `S`, `N` or `B`; `None` where the service did not say.
    pub kind: Option<String>,
}

/// What is wrong with a key. As text it is a clause behind the table's name, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// There is a sort key of this name.
    SortKey(String),
    /// The partition key has this name.
    Name(String),
    /// The partition key is of this type.
    Type(String),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SortKey(name) => write!(f, "has the sort key \"{}\", where none may be", plain(name)),
            Self::Name(name) => write!(f, "has the partition key \"{}\" instead of \"{KEY}\"", plain(name)),
            Self::Type(kind) => {
                write!(f, "has its partition key \"{KEY}\" of type {} instead of S (String)", plain(kind))
            }
        }
    }
}

/// The key of a table.
pub(crate) fn parts(table: &TableDescription) -> Vec<KeyPart> {
    let kind = |name: &str| {
        let defined = table.attribute_definitions().iter();
        let mut named = defined.filter(|attribute| attribute.attribute_name() == name);
        named.next().map(|attribute| attribute.attribute_type().as_str().to_owned())
    };
    let parts = table.key_schema().iter().map(|element| {
        let name = element.attribute_name();
        KeyPart { name: name.to_owned(), sort: *element.key_type() == KeyType::Range, kind: kind(name) }
    });
    parts.collect()
}

/// What is wrong with a key; nothing, if lock records can live under it.
pub(crate) fn faults(parts: &[KeyPart]) -> Vec<KeyFault> {
    let fault = |part: &KeyPart| match part {
        KeyPart { sort: true, name, .. } => Some(KeyFault::SortKey(name.clone())),
        KeyPart { name, .. } if name != KEY => Some(KeyFault::Name(name.clone())),
        KeyPart { kind: Some(kind), .. } if kind != "S" => Some(KeyFault::Type(kind.clone())),
        _ => None,
    };
    parts.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, sort: bool, kind: &str) -> KeyPart {
        KeyPart { name: name.into(), sort, kind: Some(kind.into()) }
    }

    #[test]
    fn every_difference_is_a_fault() {
        assert_eq!(faults(&[part("LockID", false, "S")]), []);
        assert_eq!(faults(&[part("LockID", false, "N")]), [KeyFault::Type("N".into())]);
        assert_eq!(faults(&[part("lock_id", false, "S")]), [KeyFault::Name("lock_id".into())]);
        assert_eq!(
            faults(&[part("Lock\u{1b}", false, "S"), part("at", true, "S")]),
            [KeyFault::Name("Lock\u{1b}".into()), KeyFault::SortKey("at".into())]
        );
        assert!(!KeyFault::Name("Lock\u{1b}".into()).to_string().contains('\u{1b}'));
    }
}
