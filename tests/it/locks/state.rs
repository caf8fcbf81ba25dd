//! What is kept for the state is kept under every lock of the run: which of them is the state's own
//! nobody can tell.

use super::hall::{Hall, released_by_guardian};

const FAILS: &str = "echo '{}' > errored.tfstate; exit 1";

#[test]
fn a_rescued_state_marks_every_lock_and_is_told_once() {
    let hall = Hall::local();
    let run = hall.exec(&["a", "b"], &[], FAILS).output().exits(1).says(&["locks a, b need recovery"]);
    assert_eq!(run.event("state_rescued")["lock"], "a,b");
    for lock in ["a", "b"] {
        assert_eq!(hall.status(lock)["needs_recovery"].as_array().unwrap().len(), 1, "{lock}");
    }
    let run = hall.exec(&["a", "b"], &[], "true").output().exits(0);
    let told = run.stderr.matches("could not be written").count();
    assert_eq!(told, 1, "{}", run.stderr);
    run.says(&["locks a, b need recovery", "--lock a", "--lock b", "unlock --recovered"]);
    hall.exec(&["b"], &["--require-clean"], "true").output().exits(75).says(&["lock b needs recovery"]);
    let recovered = ["unlock", "--lock", "a", "--recovered", "--reason", "test", "--yes"];
    hall.run().args(recovered).output().exits(0);
    hall.exec(&["a"], &["--require-clean"], "true").output().exits(0);
    hall.exec(&["a", "b"], &["--require-clean"], "true").output().exits(75).says(&["lock b needs recovery"]);
}

#[test]
fn a_guardian_marks_every_lock_too() {
    let hall = Hall::local();
    let script = "echo '{}' > errored.tfstate; touch begun; exec sleep 60";
    let mut run = hall.exec(&["a", "b"], &[], script).start();
    run.wait_until("work", |_| hall.project.path("begun").exists().then_some(()));
    run.kill();
    released_by_guardian(&run, 2);
    for lock in ["a", "b"] {
        assert_eq!(hall.status(lock)["needs_recovery"].as_array().unwrap().len(), 1, "{lock}");
    }
}
