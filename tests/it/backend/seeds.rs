//! Set-ups as they are met: one table for Terraform's lock and for ours, of any name, of the wrong
//! shape, or not there at all.

use super::site::{BUCKET, TABLE, ids, moto, objects, project, table};
use crate::support::run::Run;

const APPLY: [&str; 3] = ["apply", "--", "-auto-approve"];

#[test]
fn both_locks_share_the_table_whatever_its_name_and_key_settings_are() {
    let moto = moto();
    table(&moto, "My.Own_locks-7", &["LockID:S"]);
    for (name, key) in [(TABLE, "usual/terraform.tfstate"), ("My.Own_locks-7", "named/x.tfstate")] {
        let project = project(&moto, key, &format!("dynamodb_table = \"{name}\""));
        Run::new(&project).args(APPLY).output().exits(0);
        let ids = ids(&moto, name);
        // Terraform keeps its digest there, and we our record.
        for id in [format!("{BUCKET}/{key}-md5"), format!("tfguard:{BUCKET}/{key}")] {
            assert!(ids.contains(&id), "{id} is not among {ids:?}");
        }
        // Terraform's own lock is gone.
        assert!(!ids.contains(&format!("{BUCKET}/{key}")), "{ids:?}");
    }
}

#[test]
fn with_use_lockfile_the_lock_is_in_the_bucket_or_in_a_table_that_is_named() {
    let moto = moto();
    let project = project(&moto, "file/terraform.tfstate", "use_lockfile = true");
    let bucket = Run::new(&project).args(APPLY).output().exits(0);
    assert_eq!(bucket.event("lock_acquired")["lock"], "states/file/terraform.tfstate");
    let all = objects(&moto, "");
    assert!(all.contains(&"file/terraform.tfstate".to_owned()), "{all:?}");
    assert!(!all.iter().any(|key| key.ends_with(".tflock")), "{all:?}");
    assert!(all.iter().any(|key| key.contains("tfguard")), "{all:?}");

    Run::new(&project).args(["plan", "--table", TABLE]).output().exits(0);
    assert!(ids(&moto, TABLE).contains(&"tfguard:states/file/terraform.tfstate".to_owned()));
}

#[test]
fn a_table_of_the_wrong_shape_is_told_before_terraform_starts() {
    let moto = moto();
    table(&moto, "wrong-name", &["lock_id:S"]);
    table(&moto, "sorted", &["LockID:S", "sort_key:S"]);
    for (name, parts) in [
        ("wrong-name", &["lock_id", "LockID"][..]),
        ("sorted", &["sort key", "sort_key"]),
        ("not-there", &["there is no DynamoDB table not-there", "tfguard setup --table not-there"]),
    ] {
        let project =
            project(&moto, &format!("{name}/terraform.tfstate"), &format!("dynamodb_table = \"{name}\""));
        for command in [&["init"][..], &APPLY] {
            let refused = Run::new(&project).args(command).output().exits(78);
            assert!(!refused.kinds().contains(&"child_started"), "{}", refused.stderr);
            refused.says(parts).says(&[&format!("lock states/{name}/terraform.tfstate")]);
        }
        assert!(!project.path(".terraform").exists());
    }
}

#[test]
fn two_applies_at_once_take_turns_and_both_succeed() {
    let moto = moto();
    for settings in [format!("dynamodb_table = \"{TABLE}\""), "use_lockfile = true".to_owned()] {
        let key = format!("twice-{}/terraform.tfstate", settings.len());
        let slow = "resource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"touch running; while [ ! -e go ]; do sleep 0.05; done\"\n  }\n}\n";
        let project = project(&moto, &key, &settings);
        project.write("slow.tf", slow);
        Run::new(&project).args(["init"]).output().exits(0);
        let mut first = Run::new(&project).args(APPLY).start();
        first.wait_until("the first to be at work", |_| project.path("running").exists().then_some(()));
        let mut second = Run::new(&project).args(APPLY).start();
        let waiting = second.wait_for("lock_waiting");
        assert_eq!(waiting["lock"], format!("{BUCKET}/{key}"));
        project.write("go", "");
        first.finish().exits(0);
        let second = second.finish().exits(0);
        assert!(!second.stderr.contains("Error acquiring the state lock"), "{}", second.stderr);
    }
}
