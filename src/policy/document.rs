//! A policy document, as IAM takes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pattern::Pattern;

/// The version of IAM's policy language that knows variables.
const LANGUAGE: &str = "2012-10-17";

/// A whole policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

impl Document {
    /// Of these statements.
    pub fn new(statement: Vec<Statement>) -> Self {
        Self { version: LANGUAGE, statement }
    }

    /// Its statements.
    pub fn statements(&self) -> &[Statement] {
        &self.statement
    }

    /// For people and for `aws iam put-role-policy`; ends with a newline.
    pub fn pretty(&self) -> String {
        // Texts in lists and maps with string keys always serialize.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Something that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>,
}

impl Statement {
    /// Allows `actions` on `resources`. `sid` has letters and digits only.
    pub fn allow(sid: &'static str, actions: &[&'static str], resources: Vec<String>) -> Self {
        Self {
            sid,
            effect: "Allow",
            action: actions.to_vec(),
            resource: resources,
            condition: BTreeMap::new(),
        }
    }

    /// Only where the request's `key` is like one of `patterns`, by `operator`.
    #[must_use]
    pub fn when(mut self, operator: &'static str, key: &'static str, patterns: &[Pattern]) -> Self {
        let values = patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        self.condition.entry(operator).or_default().insert(key, values);
        self
    }

    /// Its name.
    pub fn sid(&self) -> &'static str {
        self.sid
    }

    /// What it allows.
    pub fn actions(&self) -> &[&'static str] {
        &self.action
    }

    /// On what.
    pub fn resources(&self) -> &[String] {
        &self.resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_iam_takes() {
        let statement = Statement::allow("Lock", &["dynamodb:GetItem"], vec!["arn:x".into()]).when(
            "ForAllValues:StringLike",
            "dynamodb:LeadingKeys",
            &[Pattern::exactly("tfguard:a")],
        );
        let plain = Statement::allow("Table", &["dynamodb:DescribeTable"], vec!["arn:x".into()]);
        let shown: serde_json::Value =
            serde_json::from_str(&Document::new(vec![statement, plain]).pretty()).unwrap();
        let expected = serde_json::json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "Lock", "Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["arn:x"],
              "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["tfguard:a"] } } },
            { "Sid": "Table", "Effect": "Allow", "Action": ["dynamodb:DescribeTable"], "Resource": ["arn:x"] },
        ] });
        assert_eq!(shown, expected);
    }
}
