//! A Terraform that does nothing but count the signals that reach it. It is this test binary,
//! started again.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;

use super::stage::{Run, Stage};

/// Says to the process that it is a puppet, and in which role.
const ROLE: &str = "PUPPET_ROLE";
/// Says that `init` too waits for signals, and does not end at once.
const SLOW_INIT: &str = "PUPPET_SLOW_INIT";
/// Says that a helper is to be started, as Terraform starts its providers.
const HELPER: &str = "PUPPET_HELPER";
/// Says that it prints what Terraform prints when it is interrupted.
const MARKER: &str = "PUPPET_MARKER";
/// A puppet ends after this, whatever happens to the test.
const LIFE: Duration = Duration::from_secs(60);

/// How a puppet behaves.
#[derive(Default)]
pub(super) struct Manner {
    pub(super) slow_init: bool,
    pub(super) helper: bool,
    pub(super) marker: bool,
}

impl Stage {
    /// tfguard with `args` and a puppet for Terraform. Once interrupted, the puppet ends when
    /// [`Stage::let_go`] says so, so that it counts everything that comes until then.
    pub(super) fn puppet(&self, manner: &Manner, args: &[&str]) -> Command {
        let mut command = self.tfguard(args);
        self.pull_strings(&mut command, manner);
        command
    }

    /// Lets `command` find a puppet for Terraform.
    pub(super) fn pull_strings(&self, command: &mut Command, manner: &Manner) {
        let script = self.path("puppet");
        let test = "signals::puppet::puppet";
        let program = std::env::current_exe().unwrap();
        let text = format!(
            "#!/bin/sh\nexport {ROLE}=\"$1\"\nexec {program:?} --exact {test} --ignored --nocapture --quiet\n"
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        command.env("TFGUARD_TERRAFORM_BIN", &script);
        let switches = [(SLOW_INIT, manner.slow_init), (HELPER, manner.helper), (MARKER, manner.marker)];
        for (name, _) in switches.into_iter().filter(|(_, on)| *on) {
            command.env(name, "1");
        }
    }

    /// A run whose puppet counts.
    pub(super) fn counting(&self, manner: &Manner) -> Run<'_> {
        self.counting_with(&mut self.puppet(manner, &["apply"]), manner)
    }

    /// As [`Stage::counting`], started so.
    pub(super) fn counting_with(&self, command: &mut Command, manner: &Manner) -> Run<'_> {
        let run = self.start(command);
        self.wait_file("apply.ready");
        if manner.helper {
            self.wait_file("helper.ready");
        }
        run
    }

    /// Lets an interrupted puppet end.
    pub(super) fn let_go(&self) {
        fs::write(self.path("let-go"), "").unwrap();
    }

    /// The signals that reached the puppet in a role (`apply`, `init`, `helper`), in order.
    pub(super) fn counted(&self, role: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(&format!("{role}.signals"))).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
#[ignore = "no test: the program that plays Terraform"]
fn puppet() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let here = std::env::current_dir().unwrap();
    std::process::exit(play(&role, &here));
}

fn play(role: &str, here: &std::path::Path) -> i32 {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if role == "init" && !is_set(SLOW_INIT) {
        return 0;
    }
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP]).unwrap();
    let mut log = OpenOptions::new().create(true).append(true).open(file(here, role, "signals")).unwrap();
    let helper = (role == "apply" && is_set(HELPER)).then(|| {
        let mut helper = Command::new(std::env::current_exe().unwrap());
        helper.args(std::env::args_os().skip(1)).env(ROLE, "helper").spawn().unwrap()
    });
    announce(here, role);
    let started = Instant::now();
    let mut interrupted = false;
    while started.elapsed() < LIFE {
        for info in signals.pending() {
            let name = signal_hook::low_level::signal_name(info.signal).unwrap();
            log.write_all(format!("{name}\n").as_bytes()).unwrap();
            let stops = matches!(info.signal, SIGINT | SIGTERM) && role != "helper";
            if stops && !interrupted {
                interrupted = true;
                if is_set(MARKER) {
                    let words = b"\nInterrupt received.\nPlease wait for Terraform to exit.\n";
                    std::io::stdout().write_all(words).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            }
        }
        if (interrupted || role == "helper") && here.join("let-go").exists() {
            // It ends for the same reason.
            helper.map(|mut helper| helper.wait().unwrap());
            return 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    3
}

fn file(here: &std::path::Path, role: &str, what: &str) -> PathBuf {
    here.join(format!("{role}.{what}"))
}

fn announce(here: &std::path::Path, role: &str) {
    let draft = file(here, role, "draft");
    writeln!(File::create(&draft).unwrap(), "{}", std::process::id()).unwrap();
    fs::rename(draft, file(here, role, "ready")).unwrap();
}
