//! Completions, in the shells that they are for: typed at a terminal.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{is_there, tfguard};
use crate::support::project::Project;
use crate::support::pty::Pty;

const BOUND: Duration = Duration::from_secs(60);

/// What is typed, with tabs, and the arguments that tfguard is called with.
const TYPED: [(&str, &str); 15] = [
    ("tfguard stat\tu\t", "<status>"),
    ("tfguard plan --tab\tx", "<plan><--table><x>"),
    ("tfguard plan --store dyn\t", "<plan><--store><dynamodb>"),
    ("tfguard --lock x --store lo\t", "<--lock><x><--store><local>"),
    ("tfguard apply --log-format=j\t", "<apply><--log-format=json>"),
    ("tfguard run --ci gitl\t", "<run><--ci><gitlab>"),
    ("tfguard state rest\tprev\t", "<state><restore><previous>"),
    ("tfguard -C sub\t", "<-C><subfolder>"),
    ("tfguard completions fi\t", "<completions><fish>"),
    ("tfguard help doct\t", "<help><doctor>"),
    // Of no interest to a command that runs nothing.
    ("tfguard status --stop-t\t", "<status><--stop-t>"),
    // What follows -- is not ours.
    ("tfguard plan -- --tab\t", "<plan><--><--tab>"),
    ("tfguard apply -- my-pl\t", "<apply><--><my-plan>"),
    ("tfguard exec -- basena\t", "<exec><--><basename>"),
    ("tfguard exec -- ls my-pl\t", "<exec><--><ls><my-plan>"),
];

/// A shell at a terminal, in which `tfguard` writes down how it is called.
struct Shell {
    project: Project,
    pty: Pty,
    child: Child,
}

impl Shell {
    fn start(argv: &[&str], script: &str, setup: &str) -> Self {
        let project = Project::empty();
        project.write("subfolder/x", "");
        project.write("my-plan", "");
        let written = tfguard_script(script);
        std::fs::write(project.home().join("_tfguard"), written).unwrap();
        let pty = Pty::open();
        let child = pty.start(
            |program| {
                let mut command = Command::new(program);
                command
                    .current_dir(project.dir())
                    .env_clear()
                    .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                    .env("HOME", project.home())
                    .env("CALLS", project.home().join("calls"))
                    .env("PS1", "ready> ")
                    .env("TERM", "dumb");
                command
            },
            argv,
        );
        pty.wait_for("ready> ");
        pty.type_in("tfguard() { printf '<%s>' \"$@\" >> \"$CALLS\"; echo >> \"$CALLS\"; }\r");
        pty.type_in(&format!("{setup}; echo set-up-is-$((40 + 2))\r"));
        pty.wait_for("set-up-is-42");
        Self { project, pty, child }
    }

    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.project.home().join("calls")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        // zsh writes a slash less, and an equals sign where an option wants a value.
        whole.lines().map(|line| line.replace("/>", ">").replace("--table=x", "--table><x")).collect()
    }

    /// Types each line and looks at the call.
    fn type_all(&self) {
        for (number, (line, expected)) in TYPED.iter().enumerate() {
            self.pty.type_in(&format!("{line}\r"));
            let deadline = Instant::now() + BOUND;
            let call = loop {
                if let Some(call) = self.calls().get(number) {
                    break call.clone();
                }
                assert!(Instant::now() < deadline, "{line:?}: {}", self.pty.screen());
                std::thread::sleep(Duration::from_millis(20));
            };
            assert_eq!(call, *expected, "{line:?}: {}", self.pty.screen());
        }
    }

    /// Where there are several, all are shown.
    fn lists(&self) {
        self.pty.type_in("tfguard plan --free-state-lock \t\t");
        for value in ["own", "takeover", "never"] {
            self.pty.wait_for(value);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.pty.hang_up();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tfguard_script(shell: &str) -> Vec<u8> {
    let folder = crate::support::folder::Folder::new();
    let output = tfguard(&folder, 80).args(["completions", shell]).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn bash_completes() {
    let shell = Shell::start(
        &["bash", "--norc", "--noprofile", "-i"],
        "bash",
        "bind 'set enable-bracketed-paste off'; . ~/_tfguard",
    );
    shell.type_all();
    shell.lists();
}

#[test]
fn bash_completes_with_the_completions_of_the_distribution() {
    let lib = "/usr/share/bash-completion/bash_completion";
    if !std::path::Path::new(lib).exists() {
        println!("skipped: there is no {lib} (ci/test installs it)");
        return;
    }
    let shell = Shell::start(
        &["bash", "--norc", "--noprofile", "-i"],
        "bash",
        &format!("bind 'set enable-bracketed-paste off'; . {lib}; . ~/_tfguard"),
    );
    shell.type_all();
}

#[test]
fn zsh_completes() {
    if !is_there("zsh") {
        return;
    }
    let shell = Shell::start(
        &["zsh", "-f", "-i"],
        "zsh",
        "PS1='ready> '; fpath=(~ $fpath); autoload -U compinit; compinit -u -D",
    );
    shell.type_all();
    shell.lists();
}

/// fish tells what it would complete.
#[test]
fn fish_completes() {
    if !is_there("fish") {
        return;
    }
    let project = Project::empty();
    project.write("subfolder/x", "");
    project.write("my-plan", "");
    std::fs::write(project.home().join("tfguard.fish"), tfguard_script("fish")).unwrap();
    let offers = |line: &str| -> Vec<String> {
        let output = Command::new("fish")
            .args(["--no-config", "-c", "source ~/tfguard.fish; complete -C \"$argv[1]\"", "--", line])
            .current_dir(project.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", project.home())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    };
    for (line, expected) in [
        ("tfguard statu", &["status"][..]),
        ("tfguard plan --tab", &["--table"]),
        ("tfguard plan --store ", &["auto", "dynamodb", "local", "s3"]),
        ("tfguard --store ", &["auto", "dynamodb", "local", "s3"]),
        ("tfguard --lock x --store l", &["local"]),
        ("tfguard apply --log-format=j", &["--log-format=json"]),
        ("tfguard run --ci ", &["auto", "github", "gitlab", "none"]),
        ("tfguard state ", &["restore", "versions"]),
        ("tfguard state restore ", &["previous"]),
        ("tfguard -C sub", &["subfolder/"]),
        ("tfguard completions ", &["bash", "elvish", "fish", "powershell", "zsh"]),
        ("tfguard help doct", &["doctor"]),
        ("tfguard status --stop-t", &[]),
        ("tfguard plan -- --tab", &[]),
        ("tfguard apply -- my-pl", &["my-plan"]),
        ("tfguard exec -- basenam", &["basename"]),
        ("tfguard exec -- ls my-pl", &["my-plan"]),
    ] {
        assert_eq!(offers(line), expected, "{line}");
    }
}
