//! The state: its bucket, its digest, and the lock that a dead Terraform left on it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::super::support::moto::Moto;
use super::super::support::project::Project;
use super::super::support::run::{BOUND, Run};
use super::Diagnosis;

/// What holds an apply up while there is a file `slow`.
const RESOURCE: &str = r#"
resource "terraform_data" "slow" {
  input = timestamp()
  provisioner "local-exec" {
    command = "echo up > ready; if [ -e slow ]; then exec sleep 300; fi"
  }
}
"#;

/// A project with its state in S3.
struct Site {
    moto: Moto,
    project: Project,
}

impl Site {
    fn new(locking: &str) -> Self {
        let moto = Moto::start();
        moto.create("states", "locks");
        let project = Project::with(&main_tf(&moto, "states", locking));
        Self { moto, project }
    }

    fn run(&self) -> Run {
        Run::new(&self.project).args([
            "--lock",
            "prod",
            "--table",
            "locks",
            "--endpoint-url",
            &self.moto.endpoint,
        ])
    }

    fn doctor(&self) -> Diagnosis {
        Diagnosis::of(self.run())
    }

    fn terraform(&self, args: &[&str]) {
        let finished = Run::program("terraform", &self.project).args(args).output();
        assert!(finished.status.success(), "{finished:?}");
    }

    /// A Terraform without tfguard that dies in the middle of its apply.
    fn left_by_a_dead_terraform(&self) {
        self.project.write("slow", "");
        let mut dying = self.applying();
        dying.kill().unwrap();
        dying.wait().unwrap();
        std::fs::remove_file(self.project.path("slow")).unwrap();
    }

    fn applying(&self) -> Child {
        let home = self.project.home();
        let child = std::process::Command::new("terraform")
            .args(["apply", "-auto-approve"])
            .current_dir(self.project.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &home)
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "y")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !self.project.path("ready").exists() {
            assert!(start.elapsed() < BOUND, "the apply does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    fn unlock(&self, more: &[&str]) -> Run {
        self.run().args(["unlock", "--state-lock", "--reason", "its machine is gone"]).args(more)
    }
}

fn main_tf(moto: &Moto, bucket: &str, locking: &str) -> String {
    let endpoint = &moto.endpoint;
    format!(
        r#"terraform {{
  backend "s3" {{
    bucket                      = "{bucket}"
    key                         = "a/terraform.tfstate"
    region                      = "eu-west-1"
    {locking}
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    endpoints                   = {{ s3 = "{endpoint}", dynamodb = "{endpoint}" }}
  }}
}}
{RESOURCE}"#
    )
}

/// From a state lock that is left to one that is freed, with all that keeps it from being freed.
fn a_left_state_lock_is_told_and_freed(site: &Site) {
    site.terraform(&["init", "-input=false"]);
    site.doctor().works().is("state-lock", "ok");
    site.unlock(&["--yes"]).output().exits(0).says(&["is free: nothing to do"]);

    site.left_by_a_dead_terraform();
    let diagnosis = site.doctor();
    let text = diagnosis.fails().is("state-lock", "error");
    assert!(text.contains("by no run of tfguard") && text.contains("unlock --state-lock"), "{text}");
    let lock = &diagnosis.all("state-lock")[0]["details"];
    assert_eq!(lock["operation"], "OperationTypeApply");

    site.unlock(&[]).output().exits(64).says(&["--yes"]);
    site.doctor().fails().is("state-lock", "error");

    // While a run of ours holds the lock it is its Terraform's.
    let mut holder = site.run().stdin_open().args(["exec", "--", "cat"]).start();
    holder.wait_for("child_started");
    site.unlock(&["--yes"]).output().exits(75).says(&["is held by", "nothing was changed"]);
    site.doctor().works().is("state-lock", "info");
    holder.close_stdin();
    holder.finish().exits(0);

    let freed = site.unlock(&["--yes"]).output().exits(0);
    let event = freed.event("state_lock_freed");
    assert_eq!(event["id"], lock["lock_id"], "exactly the lock that was shown");
    assert_eq!(event["who"], lock["who"]);
    site.doctor().works().is("state-lock", "ok");
    site.terraform(&["apply", "-auto-approve"]);
}

#[test]
fn a_state_lock_in_the_table_and_the_digest_beside_it() {
    let site = Site::new(r#"dynamodb_table = "locks""#);
    a_left_state_lock_is_told_and_freed(&site);

    let diagnosis = site.doctor();
    diagnosis.works().is("state-digest", "ok");
    let state = site.moto.object("states", "a/terraform.tfstate").unwrap();
    let edited = [&state[..], b"\n"].concat();
    site.moto.put_object("states", "a/terraform.tfstate", &edited);
    let text = site.doctor().fails().is("state-digest", "error");
    assert!(text.contains("put-item") && text.contains("states/a/terraform.tfstate-md5"), "{text}");
    assert_eq!(site.moto.object("states", "a/terraform.tfstate").as_ref(), Some(&edited));
    let status = site.moto.request("DELETE", "/states/a/terraform.tfstate", &[], b"").0;
    assert_eq!(status, 204);
    let text = site.doctor().fails().is("state-digest", "error");
    assert!(text.contains("is gone") && text.contains("delete-item"), "{text}");
    assert_eq!(site.moto.keys("states"), Vec::<String>::new(), "a doctor leaves nothing in the bucket");
}

#[test]
fn a_state_lock_beside_the_state() {
    let site = Site::new("use_lockfile = true");
    a_left_state_lock_is_told_and_freed(&site);
    let diagnosis = site.doctor();
    diagnosis.is("backend-lock", "ok");
    let delete = diagnosis
        .all("permission")
        .into_iter()
        .find(|check| check["details"]["action"] == "s3:DeleteObject")
        .unwrap();
    assert_eq!(delete["severity"], "info", "never sent to an endpoint that may ignore its condition");
}

/// Terraform frees the one that is there, and then says that it failed.
#[test]
fn a_state_lock_in_one_of_two_places_is_freed() {
    let site = Site::new("dynamodb_table = \"locks\"\n    use_lockfile = true");
    site.terraform(&["init", "-input=false"]);
    site.left_by_a_dead_terraform();
    let object = "/states/a/terraform.tfstate.tflock";
    assert_eq!(site.moto.request("DELETE", object, &[], b"").0, 204);
    site.doctor().fails().is("state-lock", "error");
    site.unlock(&["--yes"]).output().exits(0).event("state_lock_freed");
    site.doctor().works().is("state-lock", "ok");
    site.terraform(&["apply", "-auto-approve"]);
}

#[test]
fn the_bucket_and_the_backend() {
    let site = Site::new(r#"dynamodb_table = "locks""#);
    let plain = site.doctor();
    plain.works().is("bucket-exists", "ok");
    plain.is("backend-initialised", "info");
    for id in ["bucket-versioning", "bucket-encryption"] {
        let text = plain.is(id, "warning");
        assert!(text.contains("aws s3api put-bucket-"), "{text}");
    }
    plain.is("bucket-public-access", "info");
    let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(site.moto.request("PUT", "/states?versioning", &[], versioned.as_bytes()).0, 200);
    site.doctor().is("bucket-versioning", "ok");

    site.terraform(&["init", "-input=false"]);
    site.doctor().works().is("backend-initialised", "ok");
    site.project.write("main.tf", &main_tf(&site.moto, "others", r#"dynamodb_table = "locks""#));
    let text = site.doctor().fails().is("backend-initialised", "error");
    assert!(text.contains("-migrate-state"), "{text}");
    std::fs::remove_dir_all(site.project.path(".terraform")).unwrap();
    let text = site.doctor().fails().is("bucket-exists", "error");
    assert!(text.contains("there is no bucket others"), "{text}");
}

#[test]
fn locks_in_the_bucket() {
    let site = Site::new("use_lockfile = true");
    let diagnosis = Diagnosis::of(Run::new(&site.project).args([
        "--store",
        "s3",
        "--lock",
        "states/a/terraform.tfstate",
    ]));
    let tried: Vec<_> = diagnosis
        .works()
        .all("permission")
        .into_iter()
        .filter(|check| check["details"]["on"] == "object a/terraform.tfstate.tfguard of bucket states")
        .map(|check| (check["details"]["action"].as_str().unwrap(), check["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(tried, [("s3:GetObject", "ok"), ("s3:PutObject", "ok"), ("s3:DeleteObject", "info")]);
    assert_eq!(site.moto.keys("states"), Vec::<String>::new());
    let missing = Run::new(&site.project).args(["--store", "s3", "--bucket", "none", "--lock", "x"]);
    let missing = missing.args(["--endpoint-url", &site.moto.endpoint]);
    Diagnosis::of(missing).fails().all("bucket-exists");
}
