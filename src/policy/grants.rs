//! Which requests each role needs. What stands here is what the code sends.

use super::document::{Document, Statement};
use super::pattern::Pattern;
use super::scope::{Locks, Names, Scope, State};

/// Somebody who works with a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A pipeline: runs under the lock, Terraform's own requests included.
    Run,
    /// Somebody who looks after locks: `status`, `history`, `unlock`.
    Operator,
    /// Somebody who looks after states: `state versions`, `state restore`.
    State,
    /// `doctor`
    Doctor,
    /// `setup`
    Setup,
}

const LIKE_ALL: &str = "ForAllValues:StringLike";
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// The policy of `roles`; a statement that several need stands in it once.
pub fn document(scope: &Scope, roles: &[Role]) -> Document {
    let mut statements: Vec<Statement> = Vec::new();
    for role in roles {
        let of_role = match role {
            Role::Run => run(scope),
            Role::Operator => operator(scope),
            Role::State => state(scope),
            Role::Doctor => doctor(scope),
            Role::Setup => setup(scope),
        };
        for statement in of_role {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    Document::new(statements)
}

fn run(scope: &Scope) -> Vec<Statement> {
    let mut statements = Vec::new();
    match &scope.locks {
        Locks::Elsewhere => {}
        Locks::Table { name, locks } => {
            let table = vec![scope.table(name)];
            // The batch is the history, from which a wait is estimated; without it none is.
            let actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:BatchGetItem"];
            statements.push(Statement::allow("TfguardLock", &actions, table).when(
                LIKE_ALL,
                LEADING_KEYS,
                &locks.record_ids(),
            ));
        }
        Locks::Bucket { name, locks } => statements.push(Statement::allow(
            "TfguardLock",
            &["s3:GetObject", "s3:PutObject"],
            scope.objects(name, &[locks.record_keys(name), locks.history_keys()].concat(), ""),
        )),
    }
    statements.extend(shape(scope));
    statements.extend(listing(scope));
    if let Some(state) = &scope.state {
        statements.push(Statement::allow(
            "TerraformState",
            &["s3:GetObject", "s3:PutObject"],
            scope.objects(&state.bucket, &state.keys, ""),
        ));
    }
    statements.extend(state_lock(scope));
    statements
}

/// Terraform's own lock on the state, in the form or forms that the backend has.
fn state_lock(scope: &Scope) -> Vec<Statement> {
    let Some(state) = &scope.state else { return Vec::new() };
    let mut statements = Vec::new();
    if state.lockfile {
        statements.push(Statement::allow(
            "TerraformLockFile",
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            scope.objects(&state.bucket, &state.keys, ".tflock"),
        ));
    }
    if let Some(table) = &state.table {
        let actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"];
        statements.push(Statement::allow("TerraformStateLock", &actions, vec![scope.table(table)]).when(
            LIKE_ALL,
            LEADING_KEYS,
            &state.lock_ids(),
        ));
    }
    statements
}

/// A table of the wrong shape is asked what is wrong with it, so that the error can say so.
fn shape(scope: &Scope) -> Option<Statement> {
    let Locks::Table { name, .. } = &scope.locks else { return None };
    Some(Statement::allow("TfguardTable", &["dynamodb:DescribeTable"], vec![scope.table(name)]))
}

/// What S3 lists, and what it admits to be missing: without this permission it answers a request
/// for an object that is not there with 403, and a first run could not tell that from a mistake.
/// Such a request has no `s3:prefix`, hence `IfExists`.
fn listing(scope: &Scope) -> Vec<Statement> {
    let mut buckets: Vec<(&str, Vec<Pattern>)> = Vec::new();
    let mut add = |bucket, patterns: Vec<Pattern>| match buckets.iter_mut().find(|(name, _)| *name == bucket)
    {
        Some((_, known)) => known.extend(patterns),
        None => buckets.push((bucket, patterns)),
    };
    if let Some(State { bucket, keys, workspaces, .. }) = &scope.state {
        let mut patterns: Vec<Pattern> = keys.iter().map(|key| key.then(&Pattern::any())).collect();
        patterns.push(Pattern::exactly(workspaces).and("/").then(&Pattern::any()));
        add(bucket.as_str(), patterns);
    }
    if let Locks::Bucket { name, locks } = &scope.locks {
        add(name.as_str(), locks.record_keys(name));
    }
    let several = buckets.len() > 1;
    buckets
        .into_iter()
        .enumerate()
        .map(|(index, (bucket, mut patterns))| {
            patterns.sort();
            patterns.dedup();
            let all = patterns.clone();
            patterns.retain(|pattern| !all.iter().any(|other| other != pattern && other.covers(pattern)));
            let sid = if several && index > 0 { "ListOfLocks" } else { "List" };
            Statement::allow(sid, &["s3:ListBucket"], vec![scope.bucket(bucket)]).when(
                "StringLikeIfExists",
                "s3:prefix",
                &patterns,
            )
        })
        .collect()
}

/// Reads and changes the records of these locks, lists all of them, and has Terraform free its own
/// state lock, for which Terraform reads the state's place as in a run.
fn operator(scope: &Scope) -> Vec<Statement> {
    let mut statements = Vec::new();
    match &scope.locks {
        Locks::Elsewhere => {}
        Locks::Table { name, locks } => {
            let table = vec![scope.table(name)];
            let actions =
                ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchGetItem"];
            let ids = locks.record_ids();
            statements.push(Statement::allow("TfguardOperator", &actions, table.clone()).when(
                LIKE_ALL,
                LEADING_KEYS,
                &ids,
            ));
            statements.push(Statement::allow("TfguardListLocks", &["dynamodb:Scan"], table));
        }
        Locks::Bucket { name, locks } => {
            statements.push(Statement::allow(
                "TfguardOperator",
                &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                scope.objects(name, &[locks.record_keys(name), locks.history_keys()].concat(), ""),
            ));
            // All locks are found by their objects' names, and read.
            let all = scope.objects(name, &Names::Any.record_keys(name), "");
            statements.push(Statement::allow("TfguardListLocks", &["s3:GetObject"], all));
        }
    }
    statements.extend(shape(scope));
    statements.extend(listing(scope));
    if let Some(state) = &scope.state {
        statements.push(Statement::allow(
            "TerraformReadState",
            &["s3:GetObject"],
            scope.objects(&state.bucket, &state.keys, ""),
        ));
    }
    statements.extend(state_lock(scope));
    statements
}

/// Lists and reads earlier versions, with the runs that wrote them, and restores one in a run.
fn state(scope: &Scope) -> Vec<Statement> {
    let mut statements = run(scope);
    if let Some(state) = &scope.state {
        let bucket = || vec![scope.bucket(&state.bucket)];
        statements.push(Statement::allow("StateVersioning", &["s3:GetBucketVersioning"], bucket()));
        statements.push(Statement::allow("StateVersionList", &["s3:ListBucketVersions"], bucket()).when(
            "StringLike",
            "s3:prefix",
            &state.keys,
        ));
        statements.push(Statement::allow(
            "StateVersions",
            &["s3:GetObjectVersion"],
            scope.objects(&state.bucket, &state.keys, ""),
        ));
    }
    statements
}

const LOOK_AT_TABLE: [&str; 3] =
    ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:DescribeContinuousBackups"];
const LOOK_AT_BUCKET: [&str; 4] = [
    "s3:ListBucket",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPublicAccessBlock",
];
const MAKE_TABLE: [&str; 5] = [
    "dynamodb:CreateTable",
    "dynamodb:TagResource",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
    "dynamodb:UpdateContinuousBackups",
];
const MAKE_BUCKET: [&str; 5] = [
    "s3:CreateBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
];

fn doctor(scope: &Scope) -> Vec<Statement> {
    let mut statements = Vec::new();
    if let Some(tables) = tables(scope) {
        statements.push(Statement::allow("LookAtTable", &LOOK_AT_TABLE, tables));
    }
    if let Some(buckets) = buckets(scope) {
        statements.push(Statement::allow("LookAtBucket", &LOOK_AT_BUCKET, buckets));
    }
    statements
}

fn setup(scope: &Scope) -> Vec<Statement> {
    let mut statements = doctor(scope);
    if let Some(tables) = tables(scope) {
        statements.push(Statement::allow("MakeTable", &MAKE_TABLE, tables));
    }
    if let Some(buckets) = buckets(scope) {
        statements.push(Statement::allow("MakeBucket", &MAKE_BUCKET, buckets));
    }
    statements
}

/// The table of our locks and that of Terraform's.
fn tables(scope: &Scope) -> Option<Vec<String>> {
    let ours = match &scope.locks {
        Locks::Table { name, .. } => Some(name),
        Locks::Elsewhere | Locks::Bucket { .. } => None,
    };
    let theirs = scope.state.as_ref().and_then(|state| state.table.as_ref());
    distinct(ours.into_iter().chain(theirs).map(|name| scope.table(name)))
}

fn buckets(scope: &Scope) -> Option<Vec<String>> {
    let ours = match &scope.locks {
        Locks::Bucket { name, .. } => Some(name),
        Locks::Elsewhere | Locks::Table { .. } => None,
    };
    let state = scope.state.as_ref().map(|state| &state.bucket);
    distinct(ours.into_iter().chain(state).map(|name| scope.bucket(name)))
}

fn distinct(arns: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let mut arns: Vec<String> = arns.collect();
    arns.sort();
    arns.dedup();
    (!arns.is_empty()).then_some(arns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::LockName;
    use crate::terraform::backend::S3;

    fn scope(locks: Locks, table: Option<&str>, lockfile: bool) -> Scope {
        let backend = S3 {
            bucket: "states".into(),
            key: "net/terraform.tfstate".into(),
            dynamodb_table: table.map(str::to_owned),
            use_lockfile: lockfile,
            ..S3::default()
        };
        Scope {
            region: Some("eu-west-1".into()),
            account: None,
            locks,
            state: Some(State::of(&backend, "default")),
        }
    }

    fn in_table() -> Locks {
        Locks::Table { name: "locks".into(), locks: Names::These(vec![LockName::new("prod").unwrap()]) }
    }

    fn in_bucket() -> Locks {
        let lock = LockName::new("states/net/terraform.tfstate").unwrap();
        Locks::Bucket { name: "states".into(), locks: Names::These(vec![lock]) }
    }

    /// `sid: actions @ resources`, a line each.
    fn lines(document: &Document) -> Vec<String> {
        document
            .statements()
            .iter()
            .map(|statement| {
                let actions = statement.actions().join(" ");
                let resources: Vec<&str> =
                    statement.resources().iter().filter_map(|arn| arn.splitn(6, ':').nth(5)).collect();
                format!("{}: {actions} @ {}", statement.sid(), resources.join(" "))
            })
            .collect()
    }

    #[test]
    fn a_run_with_a_table_touches_its_own_items_and_its_own_state() {
        let document = document(&scope(in_table(), Some("locks"), false), &[Role::Run]);
        assert_eq!(
            lines(&document),
            [
                "TfguardLock: dynamodb:GetItem dynamodb:PutItem dynamodb:BatchGetItem @ table/locks",
                "TfguardTable: dynamodb:DescribeTable @ table/locks",
                "List: s3:ListBucket @ states",
                "TerraformState: s3:GetObject s3:PutObject @ states/net/terraform.tfstate",
                "TerraformStateLock: dynamodb:GetItem dynamodb:PutItem dynamodb:DeleteItem @ table/locks",
            ]
        );
        let text = document.pretty();
        for key in ["tfguard:prod\"", "tfguard:prod#*", "states/net/terraform.tfstate-md5", "\"env:/*\""] {
            assert!(text.contains(key), "{key} in {text}");
        }
    }

    #[test]
    fn without_a_table_nothing_of_dynamodb_is_asked_for() {
        let roles = [Role::Run, Role::Operator, Role::Doctor, Role::Setup];
        let document = document(&scope(in_bucket(), None, true), &roles);
        assert!(!document.pretty().contains("dynamodb"), "{}", document.pretty());
        let lines = lines(&document);
        assert!(
            lines.contains(
                &"TfguardLock: s3:GetObject s3:PutObject @ states/net/terraform.tfstate.tfguard \
              states/.tfguard/runs/states%2Fnet%2Fterraform.tfstate/*"
                    .into()
            )
        );
        assert!(
            lines.iter().any(|line| line.starts_with("TerraformLockFile: ") && line.ends_with(".tflock"))
        );
    }

    #[test]
    fn a_lock_elsewhere_leaves_terraforms_part() {
        let document = document(&scope(Locks::Elsewhere, None, true), &[Role::Run]);
        let sids: Vec<&str> = document.statements().iter().map(Statement::sid).collect();
        assert_eq!(sids, ["List", "TerraformState", "TerraformLockFile"]);
    }

    #[test]
    fn what_several_roles_need_stands_there_once_and_sids_are_unique() {
        let roles = [Role::Setup, Role::Run, Role::Doctor, Role::Operator, Role::State, Role::Run];
        for scope in [scope(in_table(), Some("other"), true), scope(in_bucket(), Some("locks"), true)] {
            let document = document(&scope, &roles);
            let mut sids: Vec<&str> = document.statements().iter().map(Statement::sid).collect();
            let all = sids.len();
            sids.sort_unstable();
            sids.dedup();
            assert_eq!(sids.len(), all, "{}", document.pretty());
            assert!(sids.iter().all(|sid| sid.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        }
    }

    #[test]
    fn no_role_but_setup_makes_or_changes_anything_but_items_and_objects() {
        let roles = [Role::Run, Role::Operator, Role::State, Role::Doctor];
        let document = document(&scope(in_table(), Some("locks"), true), &roles);
        for statement in document.statements() {
            for action in statement.actions() {
                let reads = ["Get", "Describe", "List", "Scan", "BatchGet"].iter();
                let item = ["PutItem", "DeleteItem", "PutObject", "DeleteObject"];
                let (_, name) = action.split_once(':').unwrap();
                assert!(item.contains(&name) || reads.clone().any(|verb| name.starts_with(verb)), "{action}");
            }
        }
    }
}
