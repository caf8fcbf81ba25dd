//! What `history` has in common with `status`.

use serde_json::{Value, json};

use crate::lease::{Identity, Intervention};
use crate::report::parts::{Hand, Who};

pub(super) use crate::status::words::outcome;

pub(super) fn intervention_json(by: &Intervention) -> Value {
    json!(Hand::from(by))
}

pub(super) fn identity_json(identity: &Identity) -> Value {
    json!(Who::from(identity))
}
