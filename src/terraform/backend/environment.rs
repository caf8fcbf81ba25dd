//! Settings that Terraform takes from the environment where the backend has none, as far as they
//! matter here.

use super::Settings;
use crate::terraform::directory::Lookup;

/// Type, setting, variables in the order in which they count.
const VARIABLES: [(&str, &str, &[&str]); 14] = [
    ("s3", "region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    ("s3", "endpoints.s3", &["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"]),
    ("s3", "endpoints.dynamodb", &["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT"]),
    ("s3", "endpoints.sts", &["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT"]),
    ("http", "address", &["TF_HTTP_ADDRESS"]),
    ("pg", "conn_str", &["PG_CONN_STR"]),
    ("pg", "schema_name", &["PG_SCHEMA_NAME"]),
    ("consul", "address", &["CONSUL_HTTP_ADDR"]),
    ("kubernetes", "namespace", &["KUBE_NAMESPACE"]),
    ("cloud", "organization", &["TF_CLOUD_ORGANIZATION"]),
    ("cloud", "hostname", &["TF_CLOUD_HOSTNAME"]),
    // What libpq knows when the connection string does not say it.
    ("pg", "host", &["PGHOST"]),
    ("pg", "port", &["PGPORT"]),
    ("pg", "database", &["PGDATABASE", "PGUSER"]),
];

/// Adds them, with the variable's name as origin.
pub(super) fn fall_back(kind: &str, settings: &mut Settings, env: Lookup<'_>) {
    // Older names of a setting count before the environment.
    let older = |settings: &Settings, name: &str| match name {
        "endpoints.s3" => settings.text("endpoint").is_some(),
        "endpoints.dynamodb" => settings.text("dynamodb_endpoint").is_some(),
        "endpoints.sts" => settings.text("sts_endpoint").is_some(),
        _ => false,
    };
    for (_, name, variables) in VARIABLES.iter().filter(|(of, ..)| *of == kind) {
        let found = variables.iter().find_map(|variable| {
            let value = env(variable)?.into_string().ok().filter(|value| !value.is_empty())?;
            Some((*variable, value))
        });
        if let Some((variable, value)) = found
            && !older(settings, name)
        {
            settings.fall_back(name, value, variable);
        }
    }
}
