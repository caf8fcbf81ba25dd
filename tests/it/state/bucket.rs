//! A bucket with versions, a table, and projects whose states are there.

use std::process::Command;

use serde_json::Value;

use crate::support::moto::{Moto, python};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};
use crate::support::schema;

/// What keeps Terraform's own lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// `dynamodb_table`, with a digest of the state.
    Table,
    /// `use_lockfile`.
    Lockfile,
}

/// The services, with the bucket `states` and the table `locks`.
pub(super) struct Bucket {
    moto: Moto,
}

impl Bucket {
    pub(super) fn versioned() -> Self {
        let bucket = Self::plain();
        let enable =
            "s3.put_bucket_versioning(Bucket='states', VersioningConfiguration={'Status': 'Enabled'})";
        bucket.python(enable, &[]);
        bucket
    }

    pub(super) fn plain() -> Self {
        let moto = Moto::start();
        moto.create("states", "locks");
        Self { moto }
    }

    /// Runs a line of Python with clients `s3` and `db`, and the arguments as `a`. What it printed.
    pub(super) fn python(&self, line: &str, args: &[&str]) -> String {
        let script = format!(
            "import boto3, sys\n\
             kw = dict(endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='y')\n\
             s3 = boto3.client('s3', **kw); db = boto3.client('dynamodb', **kw); a = sys.argv[2:]\n{line}\n"
        );
        let output =
            Command::new(python()).args(["-c", &script, &self.moto.endpoint]).args(args).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn put(&self, key: &str, text: &str) {
        self.python("s3.put_object(Bucket='states', Key=a[0], Body=a[1].encode())", &[key, text]);
    }

    pub(super) fn delete(&self, key: &str) {
        self.python("s3.delete_object(Bucket='states', Key=a[0])", &[key]);
    }

    /// A project with one resource whose content is the variable `v`, and its state at `key`.
    pub(super) fn project(&self, own: Own, key: &str) -> Project {
        let lock = match own {
            Own::Table => "dynamodb_table = \"locks\"",
            Own::Lockfile => "use_lockfile = true",
        };
        let url = &self.moto.endpoint;
        Project::with(&format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"states\"\n    key = \"{key}\"\n    region = \"eu-west-1\"\n    {lock}\n    \
             use_path_style = true\n    skip_credentials_validation = true\n    skip_requesting_account_id = true\n    \
             skip_metadata_api_check = true\n    skip_region_validation = true\n    \
             endpoints = {{ s3 = \"{url}\", dynamodb = \"{url}\" }}\n  }}\n}}\n\
             variable \"v\" {{\n  default = \"one\"\n}}\nresource \"terraform_data\" \"x\" {{\n  input = var.v\n}}\n"
        ))
    }

    /// tfguard in the project, with the lock in a folder beside it.
    pub(super) fn run(&self, project: &Project, args: &[&str]) -> Run {
        Run::new(project)
            .env("TFGUARD_STORE", "local")
            .env("TFGUARD_LOCAL_DIR", project.home().join("locks"))
            .env("TFGUARD_LOCK", "prod")
            .args(args)
    }

    /// Applies each of these contents.
    pub(super) fn apply(&self, project: &Project, contents: &[&str]) {
        for content in contents {
            let var = format!("v={content}");
            self.run(project, &["apply", "--", "-auto-approve", "-var", &var]).output().exits(0);
        }
    }

    /// The versions of the state, the newest first.
    pub(super) fn versions(&self, project: &Project) -> Vec<Value> {
        let shown = self.run(project, &["state", "versions", "--json"]).output().exits(0);
        let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
        schema::check("state-versions", &document);
        document["versions"].as_array().unwrap().clone()
    }

    /// Terraform itself, which is content with the state and finds this in it.
    #[track_caller]
    pub(super) fn assert_state(&self, project: &Project, content: &str) {
        let var = format!("v={content}");
        let plan = ["plan", "-no-color", "-detailed-exitcode", "-var", &var];
        let plan = Run::program("terraform", project).args(plan).output().exits(0);
        assert!(plan.stdout_text().contains("No changes"), "{}", plan.stdout_text());
    }
}

/// The files that a restore kept, in order.
pub(super) fn kept(project: &Project) -> Vec<std::path::PathBuf> {
    let folder = project.path(".tfguard/rescue");
    let mut kept: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tfstate"))
        .collect();
    kept.sort();
    kept
}

/// A restore that worked.
pub(super) fn restored(bucket: &Bucket, project: &Project, version: &str) -> Finished {
    bucket.run(project, &["state", "restore", version, "--yes"]).output().exits(0)
}
