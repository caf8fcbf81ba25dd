//! Somebody is killed.

use rustix::process::{Pid, Signal, kill_process};

use super::site::{Site, gone, results, wait};

fn parent(pid: Pid) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    Pid::from_raw(rest.split(' ').nth(1).unwrap().parse().unwrap()).unwrap()
}

#[test]
fn with_the_supervisor_its_hooks_end_and_the_guardian_tells_of_the_release() {
    let site = Site::new();
    let hooks = ["acquired=./hang hanging", "released=./tell"];
    let mut run = site.exec(&hooks, &["--hook-timeout", "5m"], "exec sleep 308").start();
    let generation = run.wait_for("lock_acquired")["generation"].to_string();
    run.wait_for("child_started");
    let hanging = site.pid("hanging");
    let keeper = parent(hanging);
    run.kill();
    gone(hanging);
    gone(keeper);
    let told = wait("the guardian's hook", || site.told().pop());
    assert_eq!((told.hook.as_str(), told.generation), ("released", generation));
    assert_eq!(site.locks.last().0, "crashed");
    let events = wait("the end of the guardian's hook", || {
        let events = run.events();
        (!results(&events).is_empty()).then_some(events)
    });
    assert_eq!(results(&events), [("released", "succeeded")]);
    assert_eq!(site.hooks().len(), 1);
}

#[test]
fn without_its_keeper_a_run_goes_on_without_hooks() {
    let site = Site::new();
    let hooks = ["acquired=./hang hanging", "released=./tell"];
    let mut run = site.exec(&hooks, &[], "while [ ! -e go ]; do sleep 0.1; done").start();
    let hanging = site.pid("hanging");
    kill_process(parent(hanging), Signal::KILL).unwrap();
    gone(hanging);
    run.wait_until("the warning", |run| {
        run.stderr_so_far().contains("the process that runs the hooks has died").then_some(())
    });
    site.project.write("go", "");
    run.finish().exits(0);
    assert!(site.told().is_empty());
}
