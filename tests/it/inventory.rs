//! What is read of tables and buckets, from engines that have them.

use std::process::Command;

use tfguard::inventory::{
    Bucket, Capacity, DynamoClient, Fact, Fault, S3Client, Table, TimeToLive, Versioning,
};
use tfguard::store::{Access, S3Config};

use super::support::dynamo::{Engine, Shape};
use super::support::isolated::{block_on, isolated};
use super::support::moto::Moto;

const VARS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "secret")];

fn access(endpoint: &str) -> Access {
    Access { region: Some("eu-west-1".into()), endpoint_url: Some(endpoint.to_owned()), ..Access::default() }
}

async fn table(endpoint: &str, name: &str) -> Table {
    let client = DynamoClient::connect(&access(endpoint), "the test").await.unwrap();
    let table = Table::read(&client, name).await;
    assert!(
        client.server_time().is_none_or(|time| time.ours.duration_since(time.theirs).as_secs().abs() < 5)
    );
    table
}

#[test]
fn tables_are_told_as_they_are() {
    isolated(concat!(module_path!(), "::tables_are_told_as_they_are"), &VARS, || {
        let engine = Engine::start();
        for (name, shape, faults) in
            [("right", Shape::Right, 0), ("sorted", Shape::SortKey, 1), ("named", Shape::WrongName, 1)]
        {
            engine.create_table(name, shape);
            let table = block_on(table(&engine.endpoint, name));
            let description = table.description.known().unwrap();
            assert_eq!(description.key_faults().len(), faults, "{description:?}");
            assert_eq!((description.status.as_str(), description.capacity), ("ACTIVE", Capacity::OnDemand));
            assert_eq!(table.time_to_live, Fact::Known(TimeToLive::Off));
        }
        let missing = block_on(table(&engine.endpoint, "none"));
        assert_eq!(missing.description, Fact::Untold(Fault::Missing));
        let silent = block_on(table(&super::support::http::nobody(), "none"));
        assert!(matches!(silent.description, Fact::Untold(Fault::Failed(_))), "{silent:?}");
    });
}

#[test]
fn buckets_are_told_as_they_are() {
    isolated(concat!(module_path!(), "::buckets_are_told_as_they_are"), &VARS, || {
        let moto = Moto::start();
        moto.create("states", "locks");
        let read = |bucket: &str| {
            let place =
                S3Config { bucket: bucket.to_owned(), access: access(&moto.endpoint), path_style: true };
            block_on(async {
                let client = S3Client::connect(&place).await.unwrap();
                let bucket = Bucket::read(&client, &place.bucket).await;
                (bucket, client.server_time())
            })
        };
        let (plain, time) = read("states");
        assert_eq!(plain.region, Fact::Known("eu-west-1".to_owned()));
        assert_eq!(plain.versioning, Fact::Known(Versioning::Off));
        assert_eq!(plain.public_access_blocked, Fact::Known(false));
        let time = time.unwrap();
        assert!(time.ours.duration_since(time.theirs).as_secs().abs() < 5, "{time:?}");

        let script = "import boto3, sys\n\
            s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-west-1')\n\
            s3.put_bucket_versioning(Bucket='states', VersioningConfiguration={'Status': 'Enabled'})\n\
            s3.put_bucket_encryption(Bucket='states', ServerSideEncryptionConfiguration={'Rules': [\n\
              {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms'}}]})\n\
            s3.put_public_access_block(Bucket='states', PublicAccessBlockConfiguration={\n\
              'BlockPublicAcls': True, 'IgnorePublicAcls': True, 'BlockPublicPolicy': True,\n\
              'RestrictPublicBuckets': True})\n";
        assert!(
            Command::new(super::support::moto::python())
                .args(["-c", script, &moto.endpoint])
                .status()
                .unwrap()
                .success()
        );
        let (careful, _) = read("states");
        assert_eq!(careful.versioning, Fact::Known(Versioning::Enabled));
        assert_eq!(careful.encryption, Fact::Known(Some("aws:kms".to_owned())));
        assert_eq!(careful.public_access_blocked, Fact::Known(true));
        assert_eq!(read("none").0.region, Fact::Untold(Fault::Missing));
    });
}
