//! Over S3, by way of moto: what differs from the other stores, and what shows that nothing else does.
//! Each test has one moto, and in it a bucket for each of its parts.

use std::sync::Arc;

use serde_json::Value;

use super::locks::Locks;
use super::{bad_record, queue, takeover};
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::Run;

#[test]
fn runs_exclude_each_other_as_over_every_store() {
    let moto = Arc::new(Moto::start());
    queue::contenders_never_overlap_and_come_in_order(&Locks::s3(&moto, "order"));
    queue::shared_plans_run_together_and_an_apply_waits_for_them(&Locks::s3(&moto, "shared"));
    queue::who_does_not_wait_gives_up_at_once(&Locks::s3(&moto, "no-wait"));
}

#[test]
fn the_dead_and_the_damaged_are_dealt_with_as_over_every_store() {
    let moto = Arc::new(Moto::start());
    bad_record::a_record_of_a_newer_version_is_left_alone(&Locks::s3(&moto, "newer"));
    bad_record::a_record_that_is_rubbish_is_deleted_only_on_demand(&Locks::s3(&moto, "rubbish"));
    takeover::the_next_takes_over_from_the_dead(&Locks::s3(&moto, "dead"));
}

#[test]
fn the_states_own_bucket_keeps_its_lock_beside_the_state() {
    let moto = Moto::start();
    moto.create_bucket("states");
    let endpoint = &moto.endpoint;
    let project = Project::with(&format!(
        r#"
terraform {{
  backend "s3" {{
    bucket                      = "states"
    key                         = "net/terraform.tfstate"
    region                      = "us-east-1"
    use_lockfile                = true
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    endpoints                   = {{ s3 = "{endpoint}" }}
  }}
}}

resource "terraform_data" "work" {{}}
"#
    ));
    // The backend says the rest.
    let run = |command: &[&str]| Run::new(&project).env("TFGUARD_STORE", "s3").args(command);
    run(&["init"]).output().exits(0);
    let applied = run(&["apply", "--", "-auto-approve"]).output().exits(0);
    let store = applied.event("lock_acquired")["store"].as_str().unwrap();
    assert_eq!(store, format!("S3 bucket states in us-east-1 at {endpoint}"));
    let record = moto.object("states", "net/terraform.tfstate.tfguard").unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!((&record["last"]["outcome"], &record["runs"]), (&"released".into(), &2.into()));
    let mut keys = moto.keys("states");
    keys.retain(|key| !key.starts_with(".tfguard/runs/"));
    // The state and its lock; nothing is left of Terraform's own, nor of the trial.
    assert_eq!(keys, ["net/terraform.tfstate", "net/terraform.tfstate.tfguard"]);
    let status = run(&["status", "--json"]).output().exits(0);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["state"], &status["last"]["run"]), (&"free".into(), &2.into()));
}

#[test]
fn a_bucket_that_is_not_there_is_78_and_runs_nothing() {
    let moto = Moto::start();
    let project = Project::hello();
    let run = |args: &[&str]| {
        let run = Run::new(&project).env("TFGUARD_ENDPOINT_URL", &moto.endpoint);
        run.env("TFGUARD_STORE", "s3").env("TFGUARD_LOCK", "x").args(args).output()
    };
    let missing = run(&["apply", "--bucket", "nowhere", "--", "-auto-approve"]).exits(78);
    let missing = missing.says(&["lock x: there is no S3 bucket nowhere in eu-west-1", "--bucket"]);
    assert!(!missing.kinds().contains(&"child_started"));
    run(&["status"]).exits(64).says(&["--store s3", "--bucket NAME"]);
}
