//! What `setup` would make, written as code for those who make things with Terraform or
//! CloudFormation.

use serde_json::{Map, Value as Json, json};

use super::blueprint::{Blueprint, KEY, TTL};
use super::hcl::{self, Item, Value};

const PUBLIC_ACCESS: [(&str, &str); 4] = [
    ("block_public_acls", "BlockPublicAcls"),
    ("block_public_policy", "BlockPublicPolicy"),
    ("ignore_public_acls", "IgnorePublicAcls"),
    ("restrict_public_buckets", "RestrictPublicBuckets"),
];

/// Terraform's language, for the provider `hashicorp/aws` from version 4.40 on.
pub fn terraform(blueprint: &Blueprint) -> String {
    let mut items = vec![Item::Comment("The region is that of the aws provider.".into())];
    if let Some(table) = &blueprint.table {
        items.push(table_resource(table, blueprint));
    }
    if let Some(bucket) = &blueprint.bucket {
        if blueprint.table.is_some() {
            items.push(Item::Blank);
        }
        items.extend(bucket_resources(bucket, blueprint));
    }
    hcl::render(&items)
}

fn keep() -> Item {
    Item::block("lifecycle", vec![Item::on("prevent_destroy")])
}

fn tags(blueprint: &Blueprint) -> Item {
    Item::Attribute("tags", Value::Map(blueprint.tags_by("terraform")))
}

fn table_resource(table: &str, blueprint: &Blueprint) -> Item {
    Item::resource(
        "aws_dynamodb_table",
        "lock",
        vec![
            Item::text("name", table),
            Item::text("billing_mode", "PAY_PER_REQUEST"),
            Item::text("hash_key", KEY),
            Item::on("deletion_protection_enabled"),
            Item::Blank,
            tags(blueprint),
            Item::Blank,
            Item::block("attribute", vec![Item::text("name", KEY), Item::text("type", "S")]),
            Item::Blank,
            Item::block("ttl", vec![Item::text("attribute_name", TTL), Item::on("enabled")]),
            Item::Blank,
            Item::block("point_in_time_recovery", vec![Item::on("enabled")]),
            Item::Blank,
            keep(),
        ],
    )
}

fn bucket_resources(bucket: &str, blueprint: &Blueprint) -> Vec<Item> {
    let of_bucket = || Item::Attribute("bucket", Value::Reference("aws_s3_bucket.state.id"));
    let by_default =
        Item::block("apply_server_side_encryption_by_default", vec![Item::text("sse_algorithm", "AES256")]);
    let mut access = vec![of_bucket()];
    access.extend(PUBLIC_ACCESS.map(|(name, _)| Item::on(name)));
    vec![
        Item::resource(
            "aws_s3_bucket",
            "state",
            vec![Item::text("bucket", bucket), Item::Blank, tags(blueprint), Item::Blank, keep()],
        ),
        Item::Blank,
        Item::resource(
            "aws_s3_bucket_versioning",
            "state",
            vec![
                of_bucket(),
                Item::Blank,
                Item::block("versioning_configuration", vec![Item::text("status", "Enabled")]),
            ],
        ),
        Item::Blank,
        Item::resource(
            "aws_s3_bucket_server_side_encryption_configuration",
            "state",
            vec![of_bucket(), Item::Blank, Item::block("rule", vec![by_default])],
        ),
        Item::Blank,
        Item::resource("aws_s3_bucket_public_access_block", "state", access),
    ]
}

/// A CloudFormation template in JSON, with a newline at its end.
pub fn cloudformation(blueprint: &Blueprint) -> String {
    let mut resources = Map::new();
    let mut outputs = Map::new();
    let tags: Vec<Json> = blueprint
        .tags_by("cloudformation")
        .into_iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let mut add = |id: &str, kind: &str, output: &str, properties: Json| {
        let resource = json!({
            "Type": kind,
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties,
        });
        resources.insert(id.to_owned(), resource);
        outputs.insert(output.to_owned(), json!({ "Value": { "Ref": id } }));
    };
    if let Some(table) = &blueprint.table {
        let properties = json!({
            "TableName": table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": KEY, "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": KEY, "KeyType": "HASH" }],
            "TimeToLiveSpecification": { "AttributeName": TTL, "Enabled": true },
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
            "DeletionProtectionEnabled": true,
            "Tags": tags,
        });
        add("LockTable", "AWS::DynamoDB::Table", "LockTableName", properties);
    }
    if let Some(bucket) = &blueprint.bucket {
        let access: Map<String, Json> =
            PUBLIC_ACCESS.iter().map(|(_, name)| ((*name).to_owned(), true.into())).collect();
        let encryption = json!({ "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } });
        let properties = json!({
            "BucketName": bucket,
            "VersioningConfiguration": { "Status": "Enabled" },
            "BucketEncryption": { "ServerSideEncryptionConfiguration": [encryption] },
            "PublicAccessBlockConfiguration": access,
            "Tags": tags,
        });
        add("StateBucket", "AWS::S3::Bucket", "StateBucketName", properties);
    }
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The lock of tfguard and Terraform's state",
        "Resources": resources,
        "Outputs": outputs,
    });
    // Texts in lists and maps with string keys always serialize.
    let mut text = serde_json::to_string_pretty(&template).unwrap_or_default();
    text.push('\n');
    text
}
