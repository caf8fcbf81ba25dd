//! What came of a run, in few words for people. Everything from the store is escaped: others can
//! write to it.

use crate::escape;
use crate::lease::{Counts, Outcome, PastRun};

/// What came of the command, or how the hold ended where that says more.
pub fn ending(past: &PastRun) -> String {
    let word = match (past.outcome, &past.result) {
        (Outcome::Released, Some(result)) => escape::field(result).into_owned(),
        (Outcome::Crashed, Some(result)) => format!("{}, crashed", escape::field(result)),
        (other, _) => outcome(other).to_owned(),
    };
    let code = match past.exit_code {
        Some(code) if code != 0 => format!(" ({code})"),
        _ => String::new(),
    };
    let by = past.by.as_ref().map(|by| format!(", by {}", escape::field(&by.by))).unwrap_or_default();
    let kept = if past.rescued.is_some() { ", state kept" } else { "" };
    format!("{word}{code}{by}{kept}")
}

/// How a hold ended.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Released => "released",
        Outcome::Crashed => "crashed",
        Outcome::Expired => "expired",
        Outcome::Forced => "forced",
    }
}

/// `+1 ~2 -3` as Terraform said; `?` where the run may have changed something and nobody knows what.
pub fn changes(past: &PastRun) -> String {
    match past.counts {
        Some(Counts { add, change, destroy, import: 0 }) => format!("+{add} ~{change} -{destroy}"),
        Some(Counts { add, change, destroy, import }) => {
            format!("+{add} ~{change} -{destroy}, {import} imported")
        }
        None if past.changed => "?".to_owned(),
        None => "none".to_owned(),
    }
}
