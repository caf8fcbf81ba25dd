//! A terminal of our own: what is typed into it, and what shows on it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};

/// What the leader of the terminal's session is to become: its arguments, apart by [`APART`].
const LEADER: &str = "TFGUARD_TEST_LEADER";
const APART: &str = "\u{1f}";
/// The window.
pub(crate) const ROWS: u16 = 50;
pub(crate) const COLUMNS: u16 = 200;
/// Nothing that a test waits for takes longer.
const BOUND: Duration = Duration::from_secs(30);
/// How often the reader looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// A terminal. Dropping it hangs up.
pub(crate) struct Pty {
    master: Option<File>,
    slave: PathBuf,
    /// Keeps the terminal, and its settings, between two processes.
    open: File,
    screen: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = PathBuf::from(OsString::from(ptsname(&master, Vec::new()).unwrap().to_str().unwrap()));
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let master = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (source, screen, stop) = (master.try_clone().unwrap(), screen.clone(), stop.clone());
            move || read(source, &screen, &stop)
        });
        let open = open(&slave);
        Self { master: Some(master), slave, open, screen, stop, reader: Some(reader) }
    }

    /// Starts a session on this terminal, led by `argv`. `command` makes a command of a program.
    pub(crate) fn start(&self, command: impl FnOnce(&OsStr) -> Command, argv: &[&str]) -> Child {
        let mut command = command(std::env::current_exe().unwrap().as_os_str());
        let terminal = || Stdio::from(open(&self.slave));
        command
            .args(["--exact", "support::pty::leader", "--ignored", "--nocapture", "--quiet"])
            .env(LEADER, argv.join(APART))
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap()
    }

    pub(crate) fn type_in(&self, keys: &str) {
        self.master.as_ref().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// What has come out so far.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` has come out, and gives back all that has.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + BOUND;
        while !self.screen().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} on the terminal: {}", self.screen());
            std::thread::sleep(LOOK);
        }
        self.screen()
    }

    /// The window gets so many columns.
    pub(crate) fn resize(&self, columns: u16) {
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.master.as_ref().unwrap(), size).unwrap();
    }

    /// The settings, to be compared as text.
    pub(crate) fn settings(&self) -> String {
        let settings: Termios = tcgetattr(&self.open).unwrap();
        format!("{settings:?}")
    }

    /// The process group that the keys go to.
    pub(crate) fn foreground(&self) -> Pid {
        tcgetpgrp(self.master.as_ref().unwrap()).unwrap()
    }

    /// The window is closed.
    pub(crate) fn hang_up(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.master = None;
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn open(slave: &PathBuf) -> File {
    // Not to become our own controlling terminal.
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    File::from(rustix::fs::open(slave, flags, rustix::fs::Mode::empty()).unwrap())
}

fn read(mut source: File, screen: &Mutex<Vec<u8>>, stop: &AtomicBool) {
    let timeout = Timespec::try_from(LOOK).unwrap();
    let mut chunk = [0; 4096];
    while !stop.load(Ordering::SeqCst) {
        let readable = poll(&mut [PollFd::new(&source, PollFlags::IN)], Some(&timeout));
        if readable.is_ok_and(|count| count > 0) {
            match source.read(&mut chunk) {
                Ok(count) if count > 0 => screen.lock().unwrap().extend_from_slice(&chunk[..count]),
                _ => std::thread::sleep(LOOK),
            }
        }
    }
}

/// Its standard input is a terminal: makes a session on it and becomes what it is told to be.
#[test]
#[ignore = "no test: the beginning of a session on a terminal"]
fn leader() {
    let Ok(argv) = std::env::var(LEADER) else { return };
    rustix::process::setsid().unwrap();
    rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).unwrap();
    let argv: Vec<&str> = argv.split(APART).collect();
    let error = Command::new(argv[0]).args(&argv[1..]).env_remove(LEADER).exec();
    panic!("{}: {error}", argv[0]);
}
