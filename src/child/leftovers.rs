//! What a child left behind: found, killed and named, before the lock is released.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// The pause before we look again whether the killed are dead: short at first, since most are.
const LOOK: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
];

/// Everything that one child may have left.
#[derive(Debug)]
pub struct Leftovers {
    #[cfg_attr(target_os = "linux", allow(dead_code, reason = "groups are seen in /proc there"))]
    group: Pid,
    spared: Vec<Pid>,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only groups are seen there"))]
    session: Option<String>,
}

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// The processes that had to be killed, as `name (pid 123)`, escaped.
    pub names: Vec<String>,
    /// Processes that are still alive: they cannot be killed, or not in this time.
    pub survivors: usize,
}

impl Leftovers {
    /// What is left of the child that led the process group `group`. Those in `spared`, with what
    /// they started, are none of it. Neither are processes in our own group, where a library's
    /// children are, unless they have `session` in their `TFGUARD_SESSION`: these were the
    /// child's and moved there.
    pub fn of(group: Pid, spared: &[Pid], session: Option<&str>) -> Self {
        Self { group, spared: spared.to_vec(), session: session.map(str::to_owned) }
    }

    /// Kills until nothing is left or `bound` has passed. A child that left nothing costs one look at
    /// our own children, and where that is not enough a walk through the process table.
    pub async fn sweep(&self, bound: Duration) -> Swept {
        let mut killed = BTreeMap::new();
        let mut waited = Duration::ZERO;
        let mut looks = LOOK.iter().chain(std::iter::repeat(&LOOK[LOOK.len() - 1]));
        loop {
            let left = self.find();
            for (pid, name) in &left {
                kill(*pid);
                killed.entry(pid.as_raw_nonzero()).or_insert_with(|| name.clone());
            }
            if left.is_empty() || waited >= bound {
                return Swept { names: killed.into_values().collect(), survivors: left.len() };
            }
            let pause = looks.next().copied().unwrap_or(bound);
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    /// Our descendants outside our own process group, and members of the child's group. We are
    /// the subreaper, so that whatever the child left is a descendant of ours, daemons included;
    /// adopted zombies are reaped here.
    #[cfg(target_os = "linux")]
    fn find(&self) -> Vec<(Pid, String)> {
        if self.is_clear() {
            return Vec::new();
        }
        let processes = super::proc::all();
        let own = rustix::process::getpid();
        let own_group = crate::system::own_group();
        let mut family = vec![own.as_raw_nonzero().get()];
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            next += 1;
            for process in processes.iter().filter(|process| process.parent == parent) {
                let direct = parent == own.as_raw_nonzero().get();
                let library = direct && process.group == own_group && !self.is_marked(process.pid);
                if library || self.spared.contains(&process.pid) {
                    continue;
                }
                family.push(process.pid.as_raw_nonzero().get());
                if !process.zombie {
                    found.push(process);
                } else if direct && process.pid != self.group {
                    // The child itself is `Running`'s to reap, which tells how it ended.
                    reap(process.pid);
                }
            }
        }
        let group = self.group.as_raw_nonzero().get();
        let strays = processes.iter().filter(|process| process.group == group && !process.zombie);
        found.extend(strays);
        found.sort_by_key(|process| process.pid.as_raw_nonzero());
        found.dedup_by_key(|process| process.pid);
        found
            .into_iter()
            .map(|process| {
                let name = crate::escape::field(&process.name).into_owned();
                (process.pid, format!("{name} (pid {})", process.pid.as_raw_nonzero()))
            })
            .collect()
    }

    /// Whether our own children show that nothing is left, which spares the walk: this lies between
    /// the child's end and the release, and so in every hand-over. Whatever is left descends from one of
    /// them, or is in the child's group. Anything that is in doubt is for the walk: a child that is
    /// not to be spared, dead or alive, and a list that does not show those of ours whom it must.
    #[cfg(target_os = "linux")]
    fn is_clear(&self) -> bool {
        let group = rustix::process::test_kill_process_group(self.group);
        if group != Err(rustix::io::Errno::SRCH) {
            return false;
        }
        let Some(children) = super::proc::own_children() else { return false };
        let spared = |pid: &i32| self.spared.iter().any(|spared| spared.as_raw_nonzero().get() == *pid);
        !children.is_empty() && children.iter().all(spared)
    }

    /// Whether a process runs under our session. One that hides its environment does not.
    #[cfg(target_os = "linux")]
    fn is_marked(&self, pid: Pid) -> bool {
        self.session.as_deref().is_some_and(|session| super::proc::runs_under(pid, session))
    }

    /// Without a subreaper only the group can be seen. Its zombies are init's to reap.
    #[cfg(not(target_os = "linux"))]
    fn find(&self) -> Vec<(Pid, String)> {
        match rustix::process::kill_process_group(self.group, Signal::KILL) {
            Ok(()) => vec![(self.group, format!("group {}", self.group.as_raw_nonzero()))],
            Err(_) => Vec::new(),
        }
    }
}

/// By a descriptor where there is one: between the look and the signal the number may have come
/// to mean somebody else.
fn kill(pid: Pid) {
    #[cfg(target_os = "linux")]
    if let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
        return;
    }
    let _ = rustix::process::kill_process(pid, Signal::KILL);
}

#[cfg(target_os = "linux")]
fn reap(pid: Pid) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}
