//! Saved plans that other runs have overtaken.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::site::{Lock, PLAIN, Site, engine};

const PLAN: [&str; 3] = ["plan", "--", "-out=plans/p"];
const APPLY: [&str; 3] = ["apply", "--", "plans/p"];

/// A site with a saved plan, and its note.
fn planned(lock: &Lock<'_>) -> Site {
    let site = Site::new(lock, PLAIN);
    fs::create_dir(site.path("plans")).unwrap();
    site.expect(0, &PLAN);
    site
}

fn refused(site: &Site) -> String {
    let said = site.expect(75, &APPLY);
    assert!(said.contains("is stale") && said.contains("--allow-stale-plan"), "{said}");
    assert_eq!(site.events_of("child_started"), Vec::<Value>::new());
    assert_eq!(site.events_of("lock_released").len(), 1);
    said
}

fn is_refused_when_overtaken(lock: &Lock<'_>) {
    let site = planned(lock);
    let note = site.path("plans/p.tfguard.json");
    assert_eq!(fs::metadata(&note).unwrap().permissions().mode() & 0o7777, 0o600);
    let note: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    assert_eq!((&note["lock"], &note["run"]), (&json!("prod"), &json!(1)));
    // Neither other plans nor commands that only read overtake it.
    site.expect(2, &["plan", "--", "-detailed-exitcode"]);
    site.expect(0, &["exec", "--", "terraform", "output"]);
    let said = site.expect(0, &APPLY);
    assert!(!said.contains("warning"), "{said}");
    // Once applied it is overtaken by itself.
    assert!(refused(&site).contains("run 4 under lock prod"));

    // With changes, so that exit code 2 is the plan's success. The apply changes nothing.
    site.expect(2, &["plan", "--", "-detailed-exitcode", "-out", "plans/p", "-var", "v=two"]);
    site.expect(0, &["apply", "--", "-auto-approve"]);
    refused(&site);
    let said = site.expect(0, &["apply", "--allow-stale-plan", "--", "plans/p"]);
    assert!(said.contains("applied all the same"), "{said}");
}

#[test]
fn a_plan_that_was_overtaken_is_refused_with_local_locks() {
    is_refused_when_overtaken(&Lock::Local);
}

#[test]
fn a_plan_that_was_overtaken_is_refused_with_locks_in_dynamodb() {
    is_refused_when_overtaken(&Lock::Dynamo(&engine()));
}

#[test]
fn a_failed_apply_and_any_other_command_may_have_changed_things() {
    let overtakes: [(i32, &[&str]); 2] =
        [(1, &["apply", "--", "-auto-approve", "-var-file=nowhere"]), (1, &["exec", "--", "false"])];
    for (code, args) in overtakes {
        let site = planned(&Lock::Local);
        site.expect(code, args);
        refused(&site);
    }
    let site = planned(&Lock::Local);
    site.expect(1, &["exec", "--shared", "--", "false"]);
    site.expect(0, &APPLY);
}

#[test]
fn the_note_travels_with_the_plan_to_another_machine() {
    let engine = engine();
    let here = planned(&Lock::Dynamo(&engine));
    let there = Site::new(&Lock::Dynamo(&engine), PLAIN);
    fs::create_dir(there.path("plans")).unwrap();
    for name in ["plans/p", "plans/p.tfguard.json"] {
        fs::copy(here.path(name), there.path(name)).unwrap();
    }
    here.expect(0, &["apply", "--", "-auto-approve"]);
    refused(&there);
    here.expect(0, &["plan", "--", "-out=plans/p", "-var=v=three"]);
    for name in ["plans/p", "plans/p.tfguard.json", "terraform.tfstate"] {
        fs::copy(here.path(name), there.path(name)).unwrap();
    }
    there.expect(0, &APPLY);
}

#[test]
fn a_plan_of_which_nothing_is_known_is_applied_with_a_warning() {
    let site = planned(&Lock::Local);
    let warned = |why: &str| {
        let said = site.expect(0, &APPLY);
        assert!(said.contains("cannot be told") && said.contains(why), "{said}");
    };
    fs::remove_file(site.path("plans/p.tfguard.json")).unwrap();
    warned("made without tfguard");
    // Made anew without tfguard: the old note does not speak for it.
    site.expect(0, &PLAN);
    let bare = |value: &str| {
        let mut command = site.command("terraform");
        command.current_dir(site.dir()).args(["plan", "-out=plans/p", "-var", value]);
        assert!(command.output().unwrap().status.success());
    };
    bare("v=four");
    warned("belongs to another plan");
    bare("v=five");
    fs::write(site.path("plans/p.tfguard.json"), "{\"schema\": 9}").unwrap();
    warned("a newer tfguard wrote it");
}
