//! A terminal with a shell in it, seen as a user sees it: keys go in, a screen comes out.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::project::Project;
use super::run::{BOUND, Run};

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A tmux of its own, with a shell that has job control. On drop it is ended with all in it.
pub(crate) struct Tmux<'a> {
    project: &'a Project,
    socket: PathBuf,
}

impl<'a> Tmux<'a> {
    /// A screen of 80 columns and 24 rows. `prepare` gives the shell its environment.
    pub(crate) fn start(project: &'a Project, prepare: impl FnOnce(Run) -> Run) -> Self {
        let tmux = Self { project, socket: project.home().join("tmux") };
        let first = Run::program("tmux", project)
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(&tmux.socket)
            .args(["new-session", "-d", "-x", "80", "-y", "24", "bash", "--norc", "--noprofile", "-i"])
            .env("LC_ALL", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .env("PS1", "$ ")
            .env("TFGUARD", env!("CARGO_BIN_EXE_tfguard"));
        prepare(first).output().exits(0);
        tmux.wait_for("$");
        tmux.line("stty -a > before; clear");
        tmux
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut command = std::process::Command::new("tmux");
        command.env("LC_ALL", "C.UTF-8").arg("-u").arg("-S").arg(&self.socket).args(args);
        command.output().unwrap()
    }

    /// Presses keys, by tmux's names: `Enter`, `C-c`, `q`.
    pub(crate) fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"], keys].concat()).status.success());
    }

    /// Types a command and Enter.
    pub(crate) fn line(&self, command: &str) {
        assert!(self.tmux(&["send-keys", "-l", command]).status.success());
        self.press(&["Enter"]);
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with its colours as escape sequences.
    pub(crate) fn coloured(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-e"]);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the screen is as wanted; gives it back.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(start.elapsed() < BOUND, "waited for {what} in vain:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        assert!(self.tmux(&["resize-window", "-x", &width, "-y", &height]).status.success());
    }

    /// Starts the program with these arguments, and waits for its id.
    #[track_caller]
    pub(crate) fn watch(&self, args: &str) -> Pid {
        let file = self.project.path("watch.pid");
        let _ = std::fs::remove_file(&file);
        self.line(&format!(
            "sh -c 'echo $$ > watch.new; mv watch.new watch.pid; exec \"$TFGUARD\" status --watch {args}'"
        ));
        let start = Instant::now();
        loop {
            if let Ok(pid) = self.project.read("watch.pid").trim().parse() {
                return Pid::from_raw(pid).unwrap();
            }
            assert!(start.elapsed() < BOUND, "it does not start:\n{}", self.screen());
            std::thread::sleep(LOOK);
        }
    }

    /// It has the terminal: on its other screen, without a cursor.
    #[track_caller]
    pub(crate) fn is_taken(&self) {
        let start = Instant::now();
        while self.flags() != "1 0" {
            assert!(
                start.elapsed() < BOUND,
                "the terminal is not taken: {}\n{}",
                self.flags(),
                self.screen()
            );
            std::thread::sleep(LOOK);
        }
    }

    /// The shell has the terminal again, as it was before. The code of what ran in it.
    #[track_caller]
    pub(crate) fn is_given_back(&self, code: u8) {
        // What is typed before its end may still be read by it.
        let start = Instant::now();
        while self.said("#{pane_current_command}") != "bash" {
            assert!(start.elapsed() < BOUND, "it does not end:\n{}", self.screen());
            std::thread::sleep(LOOK);
        }
        self.line("printf 'code=%s\\n' $?; stty -a > after");
        self.wait_for(&format!("code={code}\n"));
        self.settings_are_those_of_before();
    }

    /// The terminal is the shell's, and as it was before.
    #[track_caller]
    pub(crate) fn settings_are_those_of_before(&self) {
        assert_eq!(self.flags(), "0 1", "other screen and cursor:\n{}", self.screen());
        let start = Instant::now();
        while self.project.read("after") != self.project.read("before") {
            let (before, after) = (self.project.read("before"), self.project.read("after"));
            assert!(start.elapsed() < BOUND, "{before}\nis not\n{after}");
            std::thread::sleep(LOOK);
        }
        assert!(self.project.read("before").contains(" echo "));
        std::fs::remove_file(self.project.path("after")).unwrap();
    }

    /// Whether the other screen is shown, and whether the cursor is.
    fn flags(&self) -> String {
        self.said("#{alternate_on} #{cursor_flag}")
    }

    fn said(&self, format: &str) -> String {
        let output = self.tmux(&["display-message", "-p", format]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The window is closed.
    pub(crate) fn close(&self) {
        self.tmux(&["kill-server"]);
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Sends a signal.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    kill_process(pid, signal).unwrap();
}
