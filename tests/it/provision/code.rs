//! `--print`: the same things as code, without AWS.

use std::process::Command;

use serde_json::Value;

use super::stage::{boto, is_right_table, table};
use crate::support::moto::{Moto, python};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

/// Nobody is asked and nobody needs to be known: no credentials, no region.
fn printed(project: &Project, language: &str, options: &[&str]) -> Finished {
    let run = Run::new(project).args(["setup", "--print", language]).args(options);
    let run = run.env("AWS_ENDPOINT_URL", crate::support::http::nobody());
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
        .into_iter()
        .fold(run, |run, name| run.without_env(name))
        .output()
        .exits(0)
}

#[test]
fn terraform_code_is_well_formed_and_says_what_setup_does() {
    let project = Project::empty();
    let options = ["--table", "code-lock", "--bucket", "code-states", "--tag", "a b=c/d"];
    let text = printed(&project, "terraform", &options).stdout_text();
    project.write("lock.tf", &text);
    Run::program("terraform", &project).args(["fmt", "-check", "-diff"]).output().exits(0);
    let body: hcl_edit::structure::Body = text.parse().unwrap();
    let kinds: Vec<String> = body
        .get_blocks("resource")
        .map(|block| block.labels.iter().map(|label| label.as_str()).collect::<Vec<_>>().join("."))
        .collect();
    assert_eq!(
        kinds,
        [
            "aws_dynamodb_table.lock",
            "aws_s3_bucket.state",
            "aws_s3_bucket_versioning.state",
            "aws_s3_bucket_server_side_encryption_configuration.state",
            "aws_s3_bucket_public_access_block.state",
        ]
    );
    for kept in ["aws_dynamodb_table", "aws_s3_bucket"] {
        let block = body.get_blocks("resource").find(|block| block.labels[0].as_str() == kept).unwrap();
        let lifecycle = block.body.get_blocks("lifecycle").next().unwrap();
        assert_eq!(lifecycle.body.get_attribute("prevent_destroy").unwrap().value.as_bool(), Some(true));
    }
    for part in ["\"code-lock\"", "\"LockID\"", "\"expires_at\"", "\"PAY_PER_REQUEST\"", "\"a b\"", "\"c/d\""]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_cloudformation_stack_makes_what_setup_makes() {
    let moto = Moto::start();
    let project = Project::empty();
    let options = ["--table", "stack-lock", "--bucket", "stack-states", "--tag", "team=infra"];
    let text = printed(&project, "cloudformation", &options).stdout_text();
    let path = project.write("lock.template.json", &text);
    let lint = Command::new(python().with_file_name("cfn-lint")).arg(&path).output().unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    let template: Value = serde_json::from_str(&text).unwrap();
    for resource in template["Resources"].as_object().unwrap().values() {
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&"Retain".into(), &"Retain".into())
        );
    }
    let endpoint = &moto.endpoint;
    let script = "cf = boto3.client('cloudformation', **kw)\n\
        cf.create_stack(StackName='lock', TemplateBody=open(sys.argv[2]).read())\n";
    boto(endpoint, script, &[path.to_str().unwrap()]);
    // moto's stacks leave TTL and point-in-time recovery out; what it makes is as wanted.
    let mut made = table(endpoint, "stack-lock");
    let properties = &template["Resources"]["LockTable"]["Properties"];
    assert_eq!(properties["TimeToLiveSpecification"]["AttributeName"], "expires_at");
    assert_eq!(properties["TimeToLiveSpecification"]["Enabled"], true);
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    made["ttl"] = serde_json::json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at" });
    made["recovery"] = "ENABLED".into();
    is_right_table(&made);
    // Of a bucket's settings it makes one.
    let script = "print(json.dumps(s3.get_bucket_encryption(Bucket='stack-states')\
        ['ServerSideEncryptionConfiguration']['Rules'][0]['ApplyServerSideEncryptionByDefault']))";
    assert_eq!(boto(endpoint, script, &[])["SSEAlgorithm"], "AES256");
    let properties = &template["Resources"]["StateBucket"]["Properties"];
    assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
    let blocked = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert_eq!(blocked.len(), 4);
    assert!(blocked.values().all(|blocked| *blocked == true));
}
