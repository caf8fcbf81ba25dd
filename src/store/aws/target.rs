//! What is asked of AWS, and whom, for messages.

use std::fmt;

use super::Asked;
use crate::store::text::plain;

/// The table or bucket we mean.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    kind: Kind,
    /// As given.
    pub(crate) name: String,
    /// Fit for a message.
    pub(crate) region: Option<String>,
    /// Fit for a message.
    pub(crate) endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Table,
    Bucket,
}

impl Kind {
    fn service(self) -> &'static str {
        match self {
            Self::Table => "DynamoDB",
            Self::Bucket => "S3",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Bucket => "bucket",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.service(), self.kind.noun(), plain(&self.name))?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, " at {endpoint}")?;
        }
        Ok(())
    }
}

impl Target {
    /// A DynamoDB table.
    pub(crate) fn table(name: &str, region: Option<&str>, endpoint: Option<&str>) -> Self {
        Self::new(Kind::Table, name, region, endpoint)
    }

    /// An S3 bucket.
    pub(crate) fn bucket(name: &str, region: Option<&str>, endpoint: Option<&str>) -> Self {
        Self::new(Kind::Bucket, name, region, endpoint)
    }

    fn new(kind: Kind, name: &str, region: Option<&str>, endpoint: Option<&str>) -> Self {
        Self { kind, name: name.to_owned(), region: region.map(plain), endpoint: endpoint.map(plain) }
    }

    /// Who is asked about it.
    pub(crate) fn asked(&self) -> Asked {
        let language = self.kind.service();
        let service = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("{language} in {region}"),
            (None, None) => language.to_owned(),
        };
        Asked { service, language, resource: self.to_string() }
    }
}
