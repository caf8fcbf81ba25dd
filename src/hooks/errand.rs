//! One hook under way.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::schedule::Why;
use super::settings::{MARK, Settings};
use super::tap::Firing;
use super::wire::Word;
use crate::child::{Running, Spec, Stderr, Stdin, Stdout, Target, spawn};
use crate::escape;
use crate::lease::Instant;
use crate::report::event::{Ended, HookEnd};

/// What is kept of a hook's output, in bytes: its end, where errors stand.
const KEPT: usize = 8 * 1024;
/// Lines of it that are shown.
const LINES: usize = 20;
/// Characters of one.
const LINE: usize = 500;
/// Read in one turn. A hook that floods us so gets no faster than this a turn.
const TURN: usize = 64 * 1024;

/// A hook under way. It has a process group of its own, no terminal, and no descriptor of ours.
#[derive(Debug)]
pub(super) struct Errand {
    firing: Firing,
    running: Running,
    output: Option<PipeReader>,
    tail: Tail,
    since: Instant,
    killed: Option<Why>,
}

impl Errand {
    /// Starts it. What it reads is a file, so that one that never reads keeps nobody waiting.
    ///
    /// # Errors
    /// A clause that says why it cannot be started.
    pub(super) fn start(
        firing: Firing,
        settings: &Settings,
        session: &str,
        now: Instant,
    ) -> Result<Self, (Firing, io::Error)> {
        match begin(&firing, settings, session) {
            Ok((running, output)) => {
                Ok(Self { firing, running, output, tail: Tail::default(), since: now, killed: None })
            }
            Err(error) => Err((firing, error)),
        }
    }

    /// What it prints, while it may print more.
    pub(super) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Takes in some of what it has printed. Whether there may be more.
    pub(super) fn read(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let mut taken = 0;
        while let Some(output) = &mut self.output {
            match output.read(&mut buffer) {
                Ok(0) => self.output = None,
                Ok(count) => {
                    self.tail.take(&buffer[..count]);
                    taken += count;
                    if taken >= TURN {
                        return true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.output = None,
            }
        }
        false
    }

    /// Kills it, with its group.
    pub(super) fn kill(&mut self, why: Why) {
        self.killed.get_or_insert(why);
        kill_group(self.running.pgid());
    }

    /// What became of it, once it has ended. What else is in its group goes with it.
    pub(super) fn over(&mut self, now: Instant) -> Option<Word> {
        let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if matches!(waitid(WaitId::Pid(self.running.pid()), peek), Ok(None)) {
            return None;
        }
        // Before it is reaped: its number is its own until then.
        kill_group(self.running.pgid());
        let ended = self.running.poll()?;
        self.read();
        let end = match (self.killed, ended) {
            (Some(Why::TimedOut), Ended::Signal(9)) => HookEnd::TimedOut,
            (Some(Why::Stopped), Ended::Signal(9)) => HookEnd::Stopped,
            (_, Ended::Code(code)) => HookEnd::Code(code),
            (_, Ended::Signal(number)) => HookEnd::Signal(number),
        };
        let (output, omitted) = self.tail.lines();
        let (hook, lock) = (self.firing.hook, self.firing.lock.clone());
        Some(Word { hook, lock, end, took: now.since(self.since), output, omitted })
    }
}

/// What is said of one that never ran.
pub(super) fn never(firing: Firing, end: HookEnd) -> Word {
    let Firing { hook, lock, .. } = firing;
    Word { hook, lock, end, took: Duration::ZERO, output: Vec::new(), omitted: 0 }
}

fn begin(firing: &Firing, settings: &Settings, session: &str) -> io::Result<(Running, Option<PipeReader>)> {
    let command = settings.commands.get(&firing.hook).and_then(|command| command.split_first());
    let (program, args) = command.ok_or_else(|| io::Error::other("it has no command"))?;
    // Not the variables of the child: a tfguard in here would take our lock for its ancestor's, and run
    // beside the command.
    let mut env = vec![
        (MARK.into(), firing.hook.as_str().into()),
        ("TFGUARD_HOOK_LOCK".into(), firing.lock.clone().into()),
        ("TFGUARD_HOOK_SESSION".into(), session.into()),
    ];
    if let Some(generation) = firing.generation {
        env.push(("TFGUARD_HOOK_GENERATION".into(), generation.to_string().into()));
    }
    let mut running = spawn(
        &Spec {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            dir: settings.dir.clone(),
            env,
            stdin: Stdin::File(Arc::new(sheet(firing.line.as_bytes(), &std::env::temp_dir(), session)?)),
            stdout: Stdout::Piped,
            stderr: Stderr::WithStdout,
            target: Target::Group,
            leashed: true,
        },
        None,
    )?;
    let (output, _) = running.take_output();
    if let Some(output) = &output {
        // A pipe of ours, which takes this.
        let _ = rustix::io::ioctl_fionbio(output, true);
    }
    Ok((running, output))
}

/// A nameless file that holds these bytes, from its beginning.
fn sheet(bytes: &[u8], folder: &Path, session: &str) -> io::Result<File> {
    let mut file = nameless(folder, session)?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn nameless(_: &Path, _: &str) -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create("tfguard-hook", rustix::fs::MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn nameless(folder: &Path, session: &str) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join(format!("tfguard-hook-{session}"));
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn kill_group(group: Pid) {
    // Gone is fine.
    let _ = kill_process_group(group, Signal::KILL);
}

/// Kills whatever hooks have left running: we are the subreaper, so that daemons are here too. To be
/// called while no hook runs.
pub(super) fn sweep() {
    #[cfg(target_os = "linux")]
    for _ in 0..100 {
        use crate::child::proc;
        use rustix::process::{getpid, kill_process};
        let processes = proc::all();
        let own = getpid().as_raw_nonzero().get();
        let mut family = vec![own];
        let mut next = 0;
        let mut alive = false;
        while let Some(parent) = family.get(next).copied() {
            next += 1;
            for process in processes.iter().filter(|process| process.parent == parent) {
                family.push(process.pid.as_raw_nonzero().get());
                if !process.zombie {
                    alive = true;
                    let _ = kill_process(process.pid, Signal::KILL);
                } else if parent == own {
                    let reap = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                    let _ = waitid(WaitId::Pid(process.pid), reap);
                }
            }
        }
        if !alive {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The end of an output, of whatever length.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    omitted: u64,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.omitted += over as u64;
    }

    /// Its last lines, and how many bytes are not in them.
    fn lines(&mut self) -> (Vec<String>, u64) {
        let text = String::from_utf8_lossy(self.bytes.make_contiguous()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(LINES);
        let before: usize = lines[..first].iter().map(|line| line.len() + 1).sum();
        let shown = lines[first..].iter().map(|line| escape::bounded(line, LINE).into_owned()).collect();
        (shown, self.omitted + before as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        let mut tail = Tail::default();
        tail.take(b"one\ntwo \x1b[2J\nthree");
        assert_eq!(tail.lines(), (vec!["one".into(), "two \\u{1b}[2J".into(), "three".into()], 0));
        (0..100).for_each(|number| tail.take(format!("\nline {number}").as_bytes()));
        let (lines, omitted) = tail.lines();
        assert_eq!((lines.len(), lines[19].as_str()), (LINES, "line 99"));
        assert!(omitted > 500, "{omitted}");
        tail.take(&[b'x'; 3 * KEPT]);
        let (lines, omitted) = tail.lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 2 * LINE && omitted > 2 * KEPT as u64, "{omitted}");
    }

    #[test]
    fn a_sheet_is_read_from_its_beginning_and_has_no_name() {
        let folder = std::env::temp_dir();
        let mut text = String::new();
        sheet(b"{}\n", &folder, "s-sheet").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "{}\n");
        assert!(!folder.join("tfguard-hook-s-sheet").exists());
    }
}
