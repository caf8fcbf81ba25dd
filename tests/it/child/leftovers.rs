//! What is swept away, and what is not.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, kill_process, setpgid};
use tfguard::child::{Leftovers, become_subreaper, spawn};
use tfguard::report::event::Ended;

use super::script;
use crate::support::folder::Folder;
use crate::support::isolated::{block_on, isolated};

const BOUND: Duration = Duration::from_secs(20);

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + BOUND;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('Z')
}

/// A child may end by itself in the moment in which it is to be killed.
#[test]
fn a_sweep_leaves_the_childs_own_end_to_be_told() {
    isolated(concat!(module_path!(), "::a_sweep_leaves_the_childs_own_end_to_be_told"), &[], || {
        become_subreaper().unwrap();
        let mut running = spawn(&script("exit 7", &[]), None).unwrap();
        wait(|| is_zombie(running.pid()).then_some(()));
        let swept = block_on(Leftovers::of(running.pgid(), &[], None).sweep(BOUND));
        assert_eq!((swept.names.len(), swept.survivors), (0, 0));
        assert_eq!(running.poll(), Some(Ended::Code(7)));
    });
}

/// The group to move to, for the process that escapes.
const ESCAPE: &str = "CHILD_TEST_ESCAPE";
const SESSION: &str = "TFGUARD_SESSION";

/// Our own process group is where a library's children are, which are to live; a process of the
/// child's that moved there is none of them.
#[test]
fn a_process_that_moved_into_our_group_is_swept_and_a_librarys_is_not() {
    if let Ok(escape) = std::env::var(ESCAPE) {
        return escaping(&escape);
    }
    let test =
        concat!(module_path!(), "::a_process_that_moved_into_our_group_is_swept_and_a_librarys_is_not");
    isolated(test, &[], || {
        become_subreaper().unwrap();
        let folder = Folder::new();
        let ready = folder.path().join("ready");
        let (_, name) = test.split_once("::").unwrap();
        let program = std::env::current_exe().unwrap();
        let text = format!(
            "{program:?} --exact {name} --nocapture > /dev/null & until [ -e {ready:?} ]; do sleep 0.01; done"
        );
        let escape = format!("{} {}", getpgrp().as_raw_nonzero(), ready.display());
        let env = [(ESCAPE, escape.into()), (SESSION, "s-1".into())];
        let mut library = Command::new("sleep");
        let mut library = library.arg("60").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut running = spawn(&script(&text, &env), None).unwrap();
        assert_eq!(wait(|| running.poll()), Ended::Code(0));
        let escaped: i32 = fs::read_to_string(&ready).unwrap().parse().unwrap();

        let leftovers = Leftovers::of(running.pgid(), &[], Some("s-1"));
        let swept = block_on(leftovers.sweep(BOUND));

        let spared = library.try_wait().unwrap();
        library.kill().unwrap();
        library.wait().unwrap();
        let _ = kill_process(Pid::from_raw(escaped).unwrap(), Signal::KILL);
        assert_eq!(spared, None, "a library's child was killed");
        assert_eq!(swept.survivors, 0);
        assert_eq!(swept.names.len(), 1, "{:?}", swept.names);
        assert!(swept.names[0].ends_with(&format!("(pid {escaped})")), "{:?}", swept.names);
    });
}

fn escaping(escape: &str) {
    let (group, ready) = escape.split_once(' ').unwrap();
    setpgid(None, Pid::from_raw(group.parse().unwrap())).unwrap();
    let draft = format!("{ready}.draft");
    fs::write(&draft, std::process::id().to_string()).unwrap();
    fs::rename(draft, ready).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}
