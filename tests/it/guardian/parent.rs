//! A shell that is killed passes nothing on: under CI we notice.

use std::process::{Child, Command};

use super::process::{Run, is_alive, signal};
use super::stage::{Over, Stage, wait_for};

/// tfguard under a shell that waits for it, and the shell.
struct Shelled {
    shell: Child,
    supervisor: i32,
}

/// Starts `inner` under a shell, with `prelude` run by the shell before it.
fn shelled(stage: &Stage, name: &str, prelude: &str, inner: &Command, ci: bool) -> Shelled {
    let pid_file = stage.path(&format!("supervisor.{name}"));
    let mut command = Command::new("sh");
    // Not the shell's last command, which it would become instead of waiting for it.
    command.args(["-c", &format!("{prelude} \"$@\" & echo $! >{}; wait $!; true", pid_file.display()), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(stage.path(""));
    command.env_clear();
    for (key, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    if ci {
        command.env("CI", "true");
    }
    command.stdout(std::fs::File::create(stage.path(&format!("out.{name}"))).unwrap());
    command.stderr(std::fs::File::create(stage.path(&format!("err.{name}"))).unwrap());
    let shell = command.spawn().unwrap();
    let mut supervisor = None;
    wait_for("the supervisor's number", || {
        supervisor = std::fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse().ok());
        supervisor.is_some()
    });
    Shelled { shell, supervisor: supervisor.unwrap() }
}

impl Shelled {
    fn kill_shell(&mut self) {
        self.shell.kill().unwrap();
        self.shell.wait().unwrap();
    }
}

impl Drop for Shelled {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        signal(self.supervisor, libc::SIGKILL);
    }
}

fn ready(stage: &Stage, name: &str) {
    let file = stage.path(&format!("ready.{name}"));
    wait_for("the command to work", || file.exists());
}

fn said(stage: &Stage, name: &str, kind: &str) -> String {
    std::fs::read_to_string(stage.path(&format!("{kind}.{name}"))).unwrap()
}

#[test]
fn under_ci_a_killed_shell_stops_the_run() {
    let stage = Stage::new(Over::Local);
    let mut run = shelled(&stage, "run", "", &stage.apply("run", "60", &[]), true);
    ready(&stage, "run");
    run.kill_shell();
    wait_for("the supervisor's end", || !is_alive(run.supervisor));
    assert_eq!(said(&stage, "run", "out").matches("Interrupt received.").count(), 1);
    let stderr = said(&stage, "run", "err");
    assert!(stderr.contains("the process that started tfguard has died"), "{stderr}");
    assert_eq!(stage.outcome(), "released");
    stage.assert_clean();
}

#[test]
fn under_ci_a_killed_shell_ends_the_waiting() {
    let stage = Stage::new(Over::Local);
    let holder: Run = stage.working("holder", &[]);
    let mut run = shelled(&stage, "run", "", &stage.apply("run", "0", &[]), true);
    let waiting = || stage.status()["queue"].as_array().map_or(0, Vec::len);
    wait_for("the waiter", || waiting() == 1);
    run.kill_shell();
    wait_for("the supervisor's end", || !is_alive(run.supervisor));
    assert_eq!(waiting(), 0, "it left the queue standing");
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// Outside CI somebody may want a run to go on without its shell; `nohup` says so anywhere.
#[test]
fn a_run_that_is_meant_to_outlive_its_shell_does() {
    let stage = Stage::new(Over::Local);
    for (name, prelude, ci) in [("plain", "", false), ("nohup", "nohup", true)] {
        let mut run = shelled(&stage, name, prelude, &stage.apply(name, "2", &[]), ci);
        ready(&stage, name);
        run.kill_shell();
        wait_for("the supervisor's end", || !is_alive(run.supervisor));
        let stdout = said(&stage, name, "out");
        assert!(stdout.contains("Apply complete!"), "{name}: {stdout}{}", said(&stage, name, "err"));
    }
    stage.assert_clean();
}
