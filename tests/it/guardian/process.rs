//! The processes of a run, and what can be done to them.

use std::cell::RefCell;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::stage::wait_for;

/// One tfguard with all that it started.
pub(crate) struct Run {
    pub(crate) name: String,
    folder: PathBuf,
    mark: String,
    child: RefCell<Child>,
}

impl Run {
    pub(super) fn new(name: &str, folder: PathBuf, mark: &str, child: Child) -> Self {
        Self { name: name.into(), folder, mark: mark.into(), child: RefCell::new(child) }
    }

    /// The supervisor.
    pub(crate) fn supervisor(&self) -> i32 {
        i32::try_from(self.child.borrow().id()).unwrap()
    }

    /// The guardian on its post, if there is one.
    pub(crate) fn find_guardian(&self) -> Option<i32> {
        self.processes().into_iter().find(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"--tfguard-guardian\0"))
        })
    }

    /// The guardian, waited for.
    pub(crate) fn guardian(&self) -> i32 {
        let mut found = None;
        wait_for("a guardian", || {
            found = self.find_guardian();
            found.is_some()
        });
        found.unwrap()
    }

    /// Terraform's process, if it was started.
    pub(crate) fn find_terraform(&self) -> Option<i32> {
        fs::read_to_string(self.folder.join(format!("pid.{}", self.name))).ok()?.trim().parse().ok()
    }

    pub(crate) fn terraform(&self) -> i32 {
        self.find_terraform().unwrap()
    }

    /// Waits until the command works.
    pub(crate) fn ready(&self) {
        let file = self.folder.join(format!("ready.{}", self.name));
        wait_for("the command to work", || {
            let ended = self.try_end();
            assert!(ended.is_none(), "{ended:?} {}{}", self.stderr(), self.stdout());
            file.exists()
        });
    }

    /// Every living process of this run.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let here = marked("STAGE_MARK", &self.mark);
        here.into_iter().filter(|pid| has(*pid, "STAGE_RUN", &self.name)).collect()
    }

    /// How the supervisor ended, if it has.
    pub(crate) fn try_end(&self) -> Option<ExitStatus> {
        self.child.borrow_mut().try_wait().unwrap()
    }

    /// Waits for the supervisor's end. Its exit code; `None` when a signal ended it.
    pub(crate) fn end(&self) -> Option<i32> {
        let mut ended = None;
        wait_for(&format!("the end of {}: {}", self.name, self.stderr()), || {
            ended = self.try_end();
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }

    /// Waits for the supervisor's end, at most this long. Its exit code.
    pub(crate) fn end_within(&self, bound: Duration) -> Option<i32> {
        let start = std::time::Instant::now();
        while start.elapsed() < bound {
            if let Some(status) = self.try_end() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Kills the supervisor and waits until it is dead.
    pub(crate) fn kill_supervisor(&self) {
        signal(self.supervisor(), libc::SIGKILL);
        let status = self.child.borrow_mut().wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "{}", self.stderr());
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("out")
    }

    pub(crate) fn stderr(&self) -> String {
        self.read("err")
    }

    fn read(&self, kind: &str) -> String {
        let path = self.folder.join(format!("{kind}.{}", self.name));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.get_mut().kill();
        let _ = self.child.get_mut().wait();
    }
}

/// Sends a signal to one process, by its id; one that has ended is fine.
pub(crate) fn signal(pid: i32, number: i32) {
    let signal = Signal::from_named_raw(number).unwrap();
    let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Sends a signal to a process group.
pub(crate) fn signal_group(group: i32, number: i32) {
    let signal = Signal::from_named_raw(number).unwrap();
    let _ = rustix::process::kill_process_group(Pid::from_raw(group).unwrap(), signal);
}

/// Whether a process lives: it is there, and no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The letter in `/proc/<pid>/stat`.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits until a process has gone.
pub(crate) fn gone(pid: i32) -> Duration {
    wait_for(&format!("process {pid} to be gone"), || !is_alive(pid))
}

/// The living processes with this in their environment.
pub(crate) fn marked(name: &str, value: &str) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| has(*pid, name, value) && is_alive(*pid))
        .collect()
}

/// Whether a process has this in its environment.
pub(crate) fn has(pid: i32, name: &str, value: &str) -> bool {
    environment(pid).is_some_and(|environment| environment.contains(&format!("{name}={value}")))
}

/// The environment that a process was started with. `None` for one that has ended.
pub(crate) fn environment(pid: i32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    Some(bytes.split(|byte| *byte == 0).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect())
}
