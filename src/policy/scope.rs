//! What a policy is about: tables, buckets and keys, and their ARNs.

use super::pattern::Pattern;
use crate::lease::{KEY_PREFIX, LockName};
use crate::store::s3::key;
use crate::terraform::backend::S3;

/// Where everything is. What is `None` is either not there or, in an ARN, left open with `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// AWS Region.
    pub region: Option<String>,
    /// The account's number.
    pub account: Option<String>,
    /// The locks of tfguard.
    pub locks: Locks,
    /// Terraform's state.
    pub state: Option<State>,
}

/// Where tfguard's locks are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Locks {
    /// Not on AWS.
    #[default]
    Elsewhere,
    /// Items of a table.
    Table {
        /// Its name.
        name: String,
        /// Which of them.
        locks: Names,
    },
    /// Objects in a bucket.
    Bucket {
        /// Its name.
        name: String,
        /// Which of them.
        locks: Names,
    },
}

/// Locks by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Names {
    /// Whatever they are called.
    #[default]
    Any,
    /// These.
    These(Vec<LockName>),
    /// Those of the states in `bucket` whose keys start with `prefix`, in every workspace.
    Below {
        /// The bucket.
        bucket: String,
        /// The start of the keys.
        prefix: String,
        /// What the keys of other workspaces stand below.
        workspaces: String,
    },
}

/// State objects, and how Terraform locks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Their bucket.
    pub bucket: String,
    /// Their keys.
    pub keys: Vec<Pattern>,
    /// Where Terraform looks for workspaces.
    pub workspaces: String,
    /// `dynamodb_table`
    pub table: Option<String>,
    /// `use_lockfile`
    pub lockfile: bool,
}

impl State {
    /// The state of `workspace` in `backend`, and nothing else.
    pub fn of(backend: &S3, workspace: &str) -> Self {
        Self {
            keys: vec![Pattern::exactly(&backend.state_key(workspace))],
            ..Self::with(backend, Vec::new())
        }
    }

    /// Every state in `backend`'s bucket whose key starts with `prefix`, in every workspace.
    pub fn below(backend: &S3, prefix: &str) -> Self {
        let state = Self::with(backend, Vec::new());
        Self { keys: below(prefix, &state.workspaces), ..state }
    }

    fn with(backend: &S3, keys: Vec<Pattern>) -> Self {
        Self {
            bucket: backend.bucket.clone(),
            keys,
            workspaces: backend.workspace_key_prefix.clone().unwrap_or_else(|| "env:".into()),
            table: backend.dynamodb_table.clone(),
            lockfile: backend.use_lockfile,
        }
    }

    /// `LockID` of Terraform's own lock on these states, and of their digests.
    pub(super) fn lock_ids(&self) -> Vec<Pattern> {
        let bucket = Pattern::exactly(&self.bucket).and("/");
        self.keys.iter().flat_map(|key| ["", "-md5"].map(|ending| bucket.then(key).and(ending))).collect()
    }
}

impl Names {
    /// `LockID` of the records and of their history.
    pub(super) fn record_ids(&self) -> Vec<Pattern> {
        let ids = |id: Pattern| [id.clone(), id.and("#").then(&Pattern::any())];
        match self {
            Self::Any => vec![Pattern::starting(KEY_PREFIX)],
            Self::These(locks) => locks.iter().flat_map(|lock| ids(Pattern::exactly(&lock.key()))).collect(),
            Self::Below { bucket, prefix, workspaces } => {
                let bucket = Pattern::exactly(KEY_PREFIX).and(bucket).and("/");
                below(prefix, workspaces).iter().map(|key| bucket.then(key)).collect()
            }
        }
    }

    /// Keys of the objects of the records in `bucket`.
    pub(super) fn record_keys(&self, bucket: &str) -> Vec<Pattern> {
        match self {
            Self::Any => vec![Pattern::any().and(key::ENDING)],
            Self::These(locks) => {
                locks.iter().map(|lock| Pattern::exactly(&key::object(bucket, lock))).collect()
            }
            Self::Below { prefix, workspaces, .. } => {
                below(prefix, workspaces).iter().map(|state| state.and(key::ENDING)).collect()
            }
        }
    }

    /// Keys of the objects of the history.
    pub(super) fn history_keys(&self) -> Vec<Pattern> {
        match self {
            Self::These(locks) => locks.iter().map(|lock| Pattern::starting(&key::runs(lock))).collect(),
            Self::Any | Self::Below { .. } => vec![Pattern::starting(key::RUNS)],
        }
    }
}

/// Keys that start with `prefix`, those of other workspaces too.
fn below(prefix: &str, workspaces: &str) -> Vec<Pattern> {
    let elsewhere = Pattern::exactly(workspaces).and("/").then(&Pattern::any()).and("/");
    vec![Pattern::starting(prefix), elsewhere.then(&Pattern::starting(prefix))]
}

impl Scope {
    /// `aws`, or that of a region that stands apart.
    fn partition(&self) -> &'static str {
        match self.region.as_deref().unwrap_or_default() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            region if region.starts_with("us-iso-") => "aws-iso",
            region if region.starts_with("us-isob-") => "aws-iso-b",
            region if region.starts_with("eusc-") => "aws-eusc",
            _ => "aws",
        }
    }

    /// ARN of a table.
    pub(super) fn table(&self, name: &str) -> String {
        let part = |text: &Option<String>| text.as_deref().map_or_else(Pattern::any, Pattern::exactly);
        format!(
            "arn:{}:dynamodb:{}:{}:table/{}",
            self.partition(),
            part(&self.region).as_str(),
            part(&self.account).as_str(),
            Pattern::exactly(name).as_str()
        )
    }

    /// ARN of a bucket.
    pub(super) fn bucket(&self, name: &str) -> String {
        format!("arn:{}:s3:::{}", self.partition(), Pattern::exactly(name).as_str())
    }

    /// ARNs of objects whose keys have `ending` behind them.
    pub(super) fn objects(&self, bucket: &str, keys: &[Pattern], ending: &str) -> Vec<String> {
        let bucket = self.bucket(bucket);
        keys.iter().map(|key| format!("{bucket}/{}", key.and(ending).as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend() -> S3 {
        S3 { bucket: "states".into(), key: "net/terraform.tfstate".into(), ..S3::default() }
    }

    #[test]
    fn arns_name_partition_region_and_account_or_leave_them_open() {
        let scope = |region: Option<&str>, account: Option<&str>| Scope {
            region: region.map(str::to_owned),
            account: account.map(str::to_owned),
            ..Scope::default()
        };
        for (scope, table, bucket) in [
            (scope(None, None), "arn:aws:dynamodb:*:*:table/t", "arn:aws:s3:::b"),
            (
                scope(Some("eu-west-1"), Some("123456789012")),
                "arn:aws:dynamodb:eu-west-1:123456789012:table/t",
                "arn:aws:s3:::b",
            ),
            (
                scope(Some("cn-north-1"), None),
                "arn:aws-cn:dynamodb:cn-north-1:*:table/t",
                "arn:aws-cn:s3:::b",
            ),
            (
                scope(Some("us-gov-west-1"), None),
                "arn:aws-us-gov:dynamodb:us-gov-west-1:*:table/t",
                "arn:aws-us-gov:s3:::b",
            ),
        ] {
            assert_eq!(scope.table("t"), table);
            assert_eq!(scope.bucket("b"), bucket);
        }
    }

    #[test]
    fn a_state_is_that_of_its_workspace_or_all_below_a_prefix() {
        let of = |state: State| state.keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(of(State::of(&backend(), "default")), ["net/terraform.tfstate"]);
        assert_eq!(of(State::of(&backend(), "dev")), ["env:/dev/net/terraform.tfstate"]);
        assert_eq!(of(State::below(&backend(), "net/")), ["net/*", "env:/*/net/*"]);
    }

    #[test]
    fn records_are_those_of_the_locks_with_their_history() {
        let texts =
            |patterns: Vec<Pattern>| patterns.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        let of = |names: &Names| {
            [texts(names.record_ids()), texts(names.record_keys("states")), texts(names.history_keys())]
                .concat()
        };
        assert_eq!(of(&Names::Any), ["tfguard:*", "*.tfguard", ".tfguard/runs/*"]);
        let lock = Names::These(vec![LockName::new("states/*").unwrap()]);
        assert_eq!(
            of(&lock),
            ["tfguard:states/${*}", "tfguard:states/${*}#*", "${*}.tfguard", ".tfguard/runs/states%2F%2A/*"]
        );
        let below =
            Names::Below { bucket: "states".into(), prefix: "net/".into(), workspaces: "env:".into() };
        assert_eq!(
            of(&below),
            [
                "tfguard:states/net/*",
                "tfguard:states/env:/*/net/*",
                "net/*.tfguard",
                "env:/*/net/*.tfguard",
                ".tfguard/runs/*"
            ]
        );
    }
}
