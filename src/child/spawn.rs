//! Starting a child.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::Pid;

use super::running::Running;
use super::terminal::Terminal;
use crate::system;

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The program: an absolute path, or a bare name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Its working directory.
    pub dir: PathBuf,
    /// Variables set on top of our own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its standard input.
    pub stdin: Stdin,
    /// Its standard output.
    pub stdout: Stdout,
    /// Its standard error.
    pub stderr: Stderr,
    /// Who gets the interrupt.
    pub target: Target,
    /// It is killed when the thread dies that started it (Linux).
    pub leashed: bool,
}

/// A child's standard input.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// Ours.
    Inherit,
    /// `/dev/null`.
    Null,
    /// This file, from where it stands.
    File(Arc<File>),
}

/// A child's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// Ours.
    Inherit,
    /// A pipe that we read.
    Piped,
}

/// A child's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Ours.
    Inherit,
    /// A pipe of its own that we read.
    Piped,
    /// The child's standard output, whatever that is: one pipe keeps the order in which the child
    /// wrote to the two. For when ours are [`one and the same`](same_open_file).
    WithStdout,
}

/// Whom an interrupt goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The child's process only: Terraform, whose plugins must not get one of ours.
    Process,
    /// The child's whole process group: a shell does not pass signals on.
    Group,
}

/// Starts the child in a process group of its own. With the terminal its group is the foreground
/// group before its first instruction runs, and the quit key is off; the terminal is taken back
/// here if the start fails, and by [`Terminal::take_back`] after a child that ran.
///
/// In the child SIGHUP and SIGTSTP are ignored, the other signals that matter to a run have their
/// default action whatever we inherited, and no signal is blocked. It inherits no descriptor but
/// its three standard streams.
///
/// # Errors
/// [`io::ErrorKind::NotFound`]: there is no such program. [`io::ErrorKind::NotADirectory`]: there
/// is no such working directory. Any other kind: the program is there and cannot be run. The
/// text is a clause without a final full stop.
pub fn spawn(spec: &Spec, terminal: Option<&mut Terminal>) -> io::Result<Running> {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).current_dir(&spec.dir).process_group(0);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.stdin(match &spec.stdin {
        Stdin::Inherit => Stdio::inherit(),
        Stdin::Null => Stdio::null(),
        Stdin::File(file) => file.try_clone()?.into(),
    });
    let mut stdout = None;
    let mut stderr = None;
    if spec.stdout == Stdout::Piped {
        let (reader, writer) = io::pipe()?;
        if spec.stderr == Stderr::WithStdout {
            command.stderr(writer.try_clone()?);
        }
        command.stdout(writer);
        stdout = Some(reader);
    } else if spec.stderr == Stderr::WithStdout {
        command.stderr(io::stdout().as_fd().try_clone_to_owned()?);
    }
    if spec.stderr == Stderr::Piped {
        let (reader, writer) = io::pipe()?;
        command.stderr(writer);
        stderr = Some(reader);
    }
    system::prepare(&mut command, terminal.as_deref().map(Terminal::raw_fd), spec.leashed);

    let Some(terminal) = terminal else {
        return start(&mut command, spec).map(|pid| Running::new(pid, spec.target, stdout, stderr));
    };
    // Before the start: the child may read the settings with its first instruction.
    let started = terminal.begin_loan().and_then(|()| start(&mut command, spec));
    match started {
        Ok(pid) => {
            terminal.lent_to(pid);
            Ok(Running::new(pid, spec.target, stdout, stderr))
        }
        Err(error) => {
            terminal.take_back();
            Err(error)
        }
    }
}

fn start(command: &mut Command, spec: &Spec) -> io::Result<Pid> {
    // The handle is given up on purpose: it neither kills nor reaps when dropped, and waiting is
    // done by pid in `Running`.
    let child = command.spawn().map_err(|error| explain(error, spec))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the system gave the child an impossible process id"))
}

/// ENOENT has three causes, each with another cure.
fn explain(error: io::Error, spec: &Spec) -> io::Error {
    if !spec.dir.is_dir() {
        let text = format!("the directory {} does not exist", spec.dir.display());
        return io::Error::new(io::ErrorKind::NotADirectory, text);
    }
    let program = spec.program.display();
    if error.kind() != io::ErrorKind::NotFound {
        return io::Error::new(error.kind(), format!("{program} cannot be run: {error}"));
    }
    if is_path(&spec.program) && spec.dir.join(&spec.program).exists() {
        let text = format!("{program} cannot be run: the interpreter or loader that it names does not exist");
        return io::Error::new(io::ErrorKind::InvalidData, text);
    }
    io::Error::new(io::ErrorKind::NotFound, format!("{program} cannot be found"))
}

fn is_path(program: &Path) -> bool {
    program.components().nth(1).is_some() || program.is_absolute()
}

/// Makes `command` start in a session of its own, deaf to SIGHUP, SIGINT, SIGQUIT and SIGTERM.
pub fn start_session(command: &mut Command) {
    system::detach(command);
}

/// Keeps every descriptor that we have inherited from the children that we start, but for the three
/// standard streams (Linux).
pub fn keep_descriptors() {
    system::keep_descriptors();
}

/// Whether two descriptors lead to the same open file, terminal or pipe: our stdout and stderr
/// after `2>&1`, and in most CI systems.
pub fn same_open_file(one: impl AsFd, other: impl AsFd) -> bool {
    match (rustix::fs::fstat(one), rustix::fs::fstat(other)) {
        (Ok(one), Ok(other)) => one.st_dev == other.st_dev && one.st_ino == other.st_ino,
        _ => false,
    }
}

/// On Linux, makes us the parent of every descendant whose own parent has died, so that
/// [`Leftovers`](super::Leftovers) finds daemons too. Elsewhere only the child's process group can
/// be found, and this does nothing.
///
/// # Errors
/// When the system refuses.
pub fn become_subreaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}
