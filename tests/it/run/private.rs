//! The plan is nobody else's business, and goes away on every way out.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::e2e::locks::Locks;
use crate::support::folder::Folder;
use crate::support::project::Project;
use crate::support::run::{BOUND, Run, Started};

const SLOW: &str = r#"
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "touch ready; exec sleep 600"
  }
}
"#;

fn run(locks: &Locks, project: &Project, temp: &Folder) -> Run {
    let run = locks.run(project).env("TMPDIR", temp.path());
    run.args(["run", "--auto-approve", "--lease", "10s"])
}

fn ours(temp: &Folder) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("tfguard-")).collect()
}

/// A pipeline in the middle of its apply.
fn applying(locks: &Locks, project: &Project, temp: &Folder) -> Started {
    let mut run = run(locks, project, temp).start();
    run.wait_until("the provisioner", |_| project.path("ready").exists().then_some(()));
    run
}

#[test]
fn it_is_private_while_it_is_there_and_gone_before_the_release() {
    let (locks, project, temp) = (Locks::local(), Project::with(SLOW), Folder::new());
    let run = applying(&locks, &project, &temp);
    let [folder] = &ours(&temp)[..] else { panic!("{:?}", ours(&temp)) };
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.clone()), mode(folder.join("plan"))), (0o700, 0o600));
    rustix::process::kill_process(run.pid(), rustix::process::Signal::TERM).unwrap();
    run.finish().exits(1);
    assert_eq!(ours(&temp), [""; 0].map(PathBuf::from));
}

#[test]
fn the_guardian_removes_it_when_the_supervisor_is_killed() {
    let (locks, project, temp) = (Locks::local(), Project::with(SLOW), Folder::new());
    let run = applying(&locks, &project, &temp);
    assert_eq!(ours(&temp).len(), 1);
    run.kill();
    let held = || !locks.record().unwrap()["holders"].as_array().unwrap().is_empty();
    let start = Instant::now();
    while held() || !ours(&temp).is_empty() {
        assert!(start.elapsed() < BOUND, "held: {}, left: {:?}", held(), ours(&temp));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(locks.last().0, "crashed");
}

#[test]
fn a_plan_that_the_user_names_is_kept_with_its_note() {
    let (locks, project, temp) = (Locks::local(), Project::hello(), Folder::new());
    run(&locks, &project, &temp).args(["--", "-out=mine.tfplan"]).output().exits(0);
    let entries = project.entries();
    assert!(entries.contains(&"mine.tfplan".into()), "{entries:?}");
    assert!(entries.contains(&"mine.tfplan.tfguard.json".into()), "{entries:?}");
    assert!(ours(&temp).is_empty());
}

#[test]
fn no_room_for_it_is_told_before_anything_is_planned() {
    let (locks, project) = (Locks::local(), Project::hello());
    let run = locks.run(&project).env("TMPDIR", project.path("nowhere"));
    let refused = run.args(["run", "--auto-approve"]).output().exits(78).says(&["TMPDIR"]);
    assert!(!refused.kinds().contains(&"child_started"));
    assert!(refused.kinds().contains(&"lock_released"));
}
