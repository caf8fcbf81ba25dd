//! What a request asks of IAM, and whether a policy allows it: a second reading of IAM's rules,
//! that knows nothing of how the policy was made.

use serde_json::Value;

use super::wire::Call;

pub(crate) const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";

/// One permission that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// Condition keys that the request has.
    pub(crate) context: Vec<(&'static str, Vec<String>)>,
}

impl Ask {
    pub(crate) fn item(action: &str, table: &str, lock_ids: &[&str]) -> Self {
        let ids = lock_ids.iter().map(|id| (*id).to_owned()).collect();
        Self { context: vec![("dynamodb:LeadingKeys", ids)], ..Self::table(action, table) }
    }

    pub(crate) fn table(action: &str, table: &str) -> Self {
        let resource = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}");
        Self { action: format!("dynamodb:{action}"), resource, context: Vec::new() }
    }

    pub(crate) fn bucket(action: &str, path: &str) -> Self {
        let resource = format!("arn:aws:s3:::{path}");
        Self { action: format!("s3:{action}"), resource, context: Vec::new() }
    }
}

/// What a call needs.
pub(crate) fn asks(call: &Call) -> Vec<Ask> {
    // Who one is anybody may ask.
    if call.body.starts_with(b"Action=GetCallerIdentity") {
        return Vec::new();
    }
    let asks = if call.operation.is_empty() { vec![s3(call)] } else { dynamodb(call) };
    asks.into_iter().filter(|ask| !is_for_look_alikes(ask)).collect()
}

/// Whether an endpoint heeds conditions is tried before it is trusted. AWS's own is.
fn is_for_look_alikes(ask: &Ask) -> bool {
    ask.resource.contains("/.tfguard/trials/")
        || ask.resource.ends_with(".tfguard-doctor")
        || ask.context.iter().any(|(_, values)| values.iter().any(|value| value == "tfguard:doctor#probe"))
}

fn dynamodb(call: &Call) -> Vec<Ask> {
    let body = call.json();
    let operation = call.operation.as_str();
    let table = body["TableName"].as_str().unwrap_or_default();
    let lock_id = |item: &Value| item["LockID"]["S"].as_str().unwrap().to_owned();
    match operation {
        "GetItem" | "DeleteItem" => vec![Ask::item(operation, table, &[&lock_id(&body["Key"])])],
        "PutItem" => vec![Ask::item(operation, table, &[&lock_id(&body["Item"])])],
        "BatchGetItem" => {
            let requests = body["RequestItems"].as_object().unwrap().iter();
            requests
                .map(|(table, wanted)| {
                    let ids: Vec<String> = wanted["Keys"].as_array().unwrap().iter().map(lock_id).collect();
                    Ask::item(operation, table, &ids.iter().map(String::as_str).collect::<Vec<_>>())
                })
                .collect()
        }
        "CreateTable" => vec![Ask::table(operation, table), Ask::table("TagResource", table)],
        "Scan" => vec![Ask::table(operation, table)],
        _ if operation.starts_with("Describe") || operation.starts_with("Update") => {
            vec![Ask::table(operation, table)]
        }
        _ => panic!("what does this need? {call:?}"),
    }
}

fn s3(call: &Call) -> Ask {
    let path = call.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let has = |name: &str| call.parameter(name).is_some();
    let method = call.method.as_str();
    if !key.is_empty() {
        let action = match method {
            "GET" | "HEAD" if has("versionId") => "GetObjectVersion",
            "GET" | "HEAD" => "GetObject",
            "PUT" => "PutObject",
            "DELETE" => "DeleteObject",
            _ => panic!("what does this need? {call:?}"),
        };
        return Ask::bucket(action, path);
    }
    let action = match method {
        "HEAD" => "ListBucket",
        "GET" if has("versioning") => "GetBucketVersioning",
        "GET" if has("encryption") => "GetEncryptionConfiguration",
        "GET" if has("publicAccessBlock") => "GetBucketPublicAccessBlock",
        "GET" if has("list-type") => "ListBucket",
        "GET" if has("versions") => "ListBucketVersions",
        "PUT" if has("versioning") => "PutBucketVersioning",
        "PUT" if has("encryption") => "PutEncryptionConfiguration",
        "PUT" if has("publicAccessBlock") => "PutBucketPublicAccessBlock",
        "PUT" if has("tagging") => "PutBucketTagging",
        "PUT" => "CreateBucket",
        _ => panic!("what does this need? {call:?}"),
    };
    let mut ask = Ask::bucket(action, bucket);
    if let Some(prefix) = call.parameter("prefix") {
        ask.context.push(("s3:prefix", vec![prefix.to_owned()]));
    }
    ask
}

/// The `Sid` of the statement of `policy` that allows it.
pub(crate) fn allowed<'a>(policy: &'a Value, ask: &Ask) -> Option<&'a str> {
    let statements = policy["Statement"].as_array().unwrap();
    let statement = statements.iter().find(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let any = |field: &str, value: &str| {
            statement[field].as_array().unwrap().iter().any(|one| like(one.as_str().unwrap(), value))
        };
        any("Action", &ask.action)
            && any("Resource", &ask.resource)
            && conditions(&statement["Condition"], ask)
    });
    statement.map(|statement| statement["Sid"].as_str().unwrap())
}

fn conditions(conditions: &Value, ask: &Ask) -> bool {
    let Some(operators) = conditions.as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, patterns)| {
            let patterns: Vec<&str> =
                patterns.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
            let values = ask.context.iter().find(|(known, _)| known == key).map(|(_, values)| values);
            let matches = |value: &String| patterns.iter().any(|pattern| like(pattern, value));
            match operator.as_str() {
                "ForAllValues:StringLike" => values.is_none_or(|values| values.iter().all(matches)),
                "StringLike" => values.is_some_and(|values| values.iter().any(matches)),
                "StringLikeIfExists" => values.is_none_or(|values| values.iter().any(matches)),
                _ => panic!("an operator that is not known here: {operator}"),
            }
        })
    })
}

/// Matching as IAM does it.
fn like(pattern: &str, value: &str) -> bool {
    for literal in ['*', '?', '$'] {
        if let Some(rest) = pattern.strip_prefix(&format!("${{{literal}}}")) {
            return value.strip_prefix(literal).is_some_and(|value| like(rest, value));
        }
    }
    let mut characters = pattern.chars();
    match characters.next() {
        None => value.is_empty(),
        Some('*') => {
            let rest = characters.as_str();
            value.char_indices().map(|(at, _)| at).chain([value.len()]).any(|at| like(rest, &value[at..]))
        }
        Some('?') => {
            let mut value = value.chars();
            value.next().is_some() && like(characters.as_str(), value.as_str())
        }
        Some(c) => value.strip_prefix(c).is_some_and(|value| like(characters.as_str(), value)),
    }
}
