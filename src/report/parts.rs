//! What several of our JSON documents have in common. Each part is one definition, which gives the
//! output and, in the tests, the published schema. Texts that others wrote are escaped here.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::escape;
use crate::history::Estimate;
use crate::lease::{Identity, Intervention};

/// An instant: RFC 3339 in UTC, with microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Stamp(pub Timestamp);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Stamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Who runs or ran something, as far as it is known.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Who {
    /// The person or bot that started the run.
    actor: Option<String>,
    /// Name of the machine.
    host: Option<String>,
    /// Process id of its tfguard on that machine.
    pid: Option<u32>,
    /// Link to the CI run or job.
    url: Option<String>,
    /// `owner/name` of the repository.
    repository: Option<String>,
    /// The commit.
    commit: Option<String>,
    /// Pull or merge request, as the CI writes it: `#12` or `!12`.
    change: Option<String>,
    /// The command under the lock, redacted.
    command: Option<String>,
    /// Why, in the words of `--reason`.
    reason: Option<String>,
}

impl From<&Identity> for Who {
    fn from(identity: &Identity) -> Self {
        Self {
            actor: field(identity.actor.as_deref()),
            host: field(identity.host.as_deref()),
            pid: identity.pid,
            url: field(identity.url.as_deref()),
            repository: field(identity.repository.as_deref()),
            commit: field(identity.commit.as_deref()),
            change: field(identity.change.as_deref()),
            command: field(identity.command.as_deref()),
            reason: field(identity.reason.as_deref()),
        }
    }
}

/// An operator's hand.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hand {
    /// Who it was.
    by: String,
    /// Why, in that person's words.
    reason: String,
    /// When.
    at: Stamp,
}

impl From<&Intervention> for Hand {
    fn from(hand: &Intervention) -> Self {
        Self {
            by: escape::field(&hand.by).into_owned(),
            reason: escape::field(&hand.reason).into_owned(),
            at: Stamp(hand.at),
        }
    }
}

/// How long a wait may take, by the last runs of the lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wait {
    /// Half of the time it is over within this, in milliseconds; null where a holder has held for longer
    /// than any run before.
    pub median_ms: Option<u64>,
    /// Nine times out of ten it is over within this, in milliseconds; null as `median_ms` is.
    pub p90_ms: Option<u64>,
    /// Number of runs that this rests on.
    pub runs: usize,
}

impl From<Estimate> for Wait {
    fn from(Estimate { until, runs }: Estimate) -> Self {
        Self {
            median_ms: until.map(|until| millis(until.median)),
            p90_ms: until.map(|until| millis(until.p90)),
            runs,
        }
    }
}

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A text that others wrote, made safe and short.
pub fn field(text: Option<&str>) -> Option<String> {
    text.map(|text| escape::field(text).into_owned())
}

/// A longer text that others wrote, made safe.
pub fn line(text: Option<&str>) -> Option<String> {
    text.map(|text| escape::line(text).into_owned())
}
