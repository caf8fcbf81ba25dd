//! The `backend.tf` that uses what `setup` made.

use super::blueprint::Blueprint;
use super::hcl::{self, Item};

use crate::terraform::backend::S3;
use crate::terraform::version::{Feature, Product, Version};

/// What the file is made from.
#[derive(Debug, Clone, Copy)]
pub struct BackendFile<'a> {
    /// What was made.
    pub blueprint: &'a Blueprint,
    /// The backend as it is, if it is one on S3: its key is kept.
    pub existing: Option<&'a S3>,
    /// The key where there is none yet.
    pub key: &'a str,
    /// The region of table and bucket.
    pub region: Option<&'a str>,
    /// An endpoint that is not AWS's.
    pub endpoint: Option<&'a str>,
    /// Who will read it; `None`: not known.
    pub reader: Option<Version>,
}

impl BackendFile<'_> {
    /// Its text.
    pub fn text(self) -> String {
        text(self)
    }
}

fn text(file: BackendFile<'_>) -> String {
    let BackendFile { blueprint, existing, key, region, endpoint, reader } = file;
    let mut body = Vec::new();
    match blueprint.bucket.as_deref().or(existing.map(|s3| s3.bucket.as_str())) {
        Some(bucket) => body.push(Item::text("bucket", bucket)),
        None => body.push(Item::Comment(
            "bucket: name the one of your states here, or in: terraform init -backend-config=bucket=NAME"
                .into(),
        )),
    }
    match existing {
        Some(s3) => body.push(Item::text("key", s3.key.as_str())),
        None => {
            body.push(Item::Comment("Each configuration has a key of its own.".into()));
            body.push(Item::text("key", key));
        }
    }
    if let Some(prefix) = existing.and_then(|s3| s3.workspace_key_prefix.as_deref()) {
        body.push(Item::text("workspace_key_prefix", prefix));
    }
    body.extend(region.map(|region| Item::text("region", region)));
    body.push(Item::on("encrypt"));
    body.push(Item::Blank);
    body.extend(locking(blueprint.table.as_deref(), reader));
    if let Some(url) = endpoint {
        body.push(Item::Blank);
        body.extend(elsewhere(url));
    }
    let backend = Item::Block(format!("backend {}", hcl::quoted("s3")), body);
    hcl::render(&[Item::block("terraform", vec![backend])])
}

/// Terraform's own lock, under the lock of tfguard.
fn locking(table: Option<&str>, reader: Option<Version>) -> Vec<Item> {
    let by_object = reader.is_none_or(|version| version.has(Feature::LockFile));
    // Terraform calls it deprecated, OpenTofu does not.
    let warns_of_table = by_object && reader.is_some_and(|version| version.product == Product::Terraform);
    let comment = |text: &str| Item::Comment(text.to_owned());
    match table {
        None if by_object => vec![
            comment("Terraform's own lock is an object beside the state, and so is that of tfguard."),
            Item::on("use_lockfile"),
        ],
        None => vec![
            comment("This version cannot lock the state in the bucket: tfguard's lock beside the state is"),
            comment("the only one. From Terraform 1.11 or OpenTofu 1.10 on: use_lockfile = true"),
        ],
        Some(table) => {
            let mut items = vec![
                comment("The lock of tfguard is in this table, and so is Terraform's own, under it."),
                Item::text("dynamodb_table", table),
            ];
            if warns_of_table {
                items.extend([
                    comment("From Terraform 1.11 on its own lock can be an object beside the state. It takes both,"),
                    comment("and warns of dynamodb_table; where no older one works on this state, leave that out"),
                    Item::Comment(format!("and write instead, in tfguard.toml: table = {}", hcl::quoted(table))),
                    Item::on("use_lockfile"),
                ]);
            }
            items
        }
    }
}

/// Something that speaks S3's language and is not AWS.
fn elsewhere(url: &str) -> Vec<Item> {
    vec![
        Item::on("use_path_style"),
        Item::on("skip_credentials_validation"),
        Item::on("skip_requesting_account_id"),
        Item::on("skip_metadata_api_check"),
        Item::on("skip_region_validation"),
        Item::Blank,
        Item::Attribute(
            "endpoints",
            hcl::Value::Map(vec![("dynamodb".into(), url.into()), ("s3".into(), url.into())]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(reader: Option<Version>, table: Option<&str>, bucket: Option<&str>) -> String {
        let blueprint =
            Blueprint::new(table.map(str::to_owned), bucket.map(str::to_owned), Vec::new()).unwrap();
        let file = BackendFile {
            blueprint: &blueprint,
            existing: None,
            key: "net/terraform.tfstate",
            region: Some("eu-west-1"),
            endpoint: None,
            reader,
        };
        file.text()
    }

    /// The arguments of the backend, in order.
    fn arguments(text: &str) -> Vec<String> {
        let body: hcl_edit::structure::Body = text.parse().unwrap();
        let terraform = body.get_blocks("terraform").next().unwrap();
        let backend = terraform.body.get_blocks("backend").next().unwrap();
        backend.body.attributes().map(|attribute| attribute.key.to_string().trim().to_owned()).collect()
    }

    #[test]
    fn each_version_locks_as_it_can() {
        let of = |product, minor| Some(Version { product, number: (1, minor, 4) });
        let terraform = |minor| of(Product::Terraform, minor);
        let tofu = |minor| of(Product::OpenTofu, minor);
        let (table, lockfile) = ("dynamodb_table", "use_lockfile");
        for (reader, made, expected) in [
            (terraform(11), Some("locks"), &[table, lockfile][..]),
            (terraform(10), Some("locks"), &[table]),
            (tofu(10), Some("locks"), &[table]),
            (None, Some("locks"), &[table]),
            (terraform(11), None, &[lockfile]),
            (tofu(10), None, &[lockfile]),
            (None, None, &[lockfile]),
            (terraform(9), None, &[]),
        ] {
            let text = file(reader, made, Some("states"));
            let found = arguments(&text);
            assert_eq!(found[..4], ["bucket", "key", "region", "encrypt"], "{text}");
            assert_eq!(found[4..], *expected, "{text}");
        }
    }

    #[test]
    fn a_bucket_that_is_not_known_is_left_to_be_named() {
        let text = file(None, Some("locks"), None);
        assert_eq!(arguments(&text)[0], "key");
        assert!(text.contains("-backend-config=bucket=NAME"), "{text}");
    }

    #[test]
    fn the_key_and_the_workspaces_of_a_backend_are_kept() {
        let blueprint = Blueprint::new(Some("locks".into()), None, Vec::new()).unwrap();
        let existing = S3 {
            bucket: "states".into(),
            key: "a/${b}".into(),
            workspace_key_prefix: Some("ws".into()),
            ..S3::default()
        };
        let file = BackendFile {
            blueprint: &blueprint,
            existing: Some(&existing),
            key: "unused",
            region: None,
            endpoint: Some("http://127.0.0.1:1"),
            reader: None,
        };
        let text = file.text();
        for part in ["\"states\"", "\"a/$${b}\"", "\"ws\"", "use_path_style", "\"http://127.0.0.1:1\""] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("unused"));
    }
}
