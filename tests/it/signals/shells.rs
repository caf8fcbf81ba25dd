//! Started by shells in all the ways that they have.

use std::process::{Child, Command};

use rustix::process::Signal;

use super::processes;
use super::puppet::Manner;
use super::stage::{Stage, wait};
use crate::support::pty::Pty;

/// A resource that is done when the test says so.
const HELD: &str = r#"
resource "terraform_data" "held" {
  provisioner "local-exec" {
    command = "echo $$ > ready; until [ -e let-go ]; do sleep 0.05; done"
  }
}
"#;

/// An interactive shell on a terminal.
struct Shell {
    pty: Pty,
    bash: Child,
}

impl Shell {
    fn start(stage: &Stage) -> Self {
        let pty = Pty::open();
        let bash = pty.start(
            |program| {
                let mut command = stage.command(program);
                command.env("PS1", "ready> ");
                command
            },
            &["bash", "--norc", "--noprofile", "-i"],
        );
        pty.wait_for("ready> ");
        Self { pty, bash }
    }

    fn run(&self, line: &str) {
        self.pty.type_in(&format!("{line}\n"));
    }

    fn exit(mut self) {
        self.run("exit");
        self.bash.wait().unwrap();
    }
}

#[test]
fn in_the_background_it_never_takes_the_terminal() {
    let stage = Stage::with(HELD);
    let shell = Shell::start(&stage);
    shell.run("\"$PROGRAM\" apply -- -auto-approve -no-color & echo started=$?");
    stage.wait_file("ready");
    shell.pty.wait_for("started=0");
    assert_eq!(shell.pty.foreground().as_raw_nonzero().get(), i32::try_from(shell.bash.id()).unwrap());
    stage.let_go();
    assert_eq!(stage.log().wait("run_summary", 1)["exit_code"], 0);
    shell.run("wait; echo waited=$?");
    shell.pty.wait_for("waited=0");
    shell.exit();
    stage.assert_clean();
}

#[test]
fn in_the_background_a_question_finds_no_answer_and_does_not_stop_it() {
    let stage = Stage::with(HELD);
    let shell = Shell::start(&stage);
    shell.run("\"$PROGRAM\" apply -- -no-color &");
    assert_eq!(stage.log().wait("run_summary", 1)["exit_code"], 1);
    assert!(!shell.pty.screen().contains("Stopped"), "{}", shell.pty.screen());
    shell.pty.wait_for("error asking for approval: EOF");
    shell.exit();
    stage.assert_clean();
}

/// A command that insists on the terminal is interrupted, and does not keep the lock for ever.
#[test]
fn a_background_command_that_reaches_for_the_terminal_is_interrupted() {
    let stage = Stage::new();
    let shell = Shell::start(&stage);
    shell.run("\"$PROGRAM\" exec -- bash -c 'trap \"exit 9\" INT; read line < /dev/tty' &");
    assert_eq!(stage.log().wait("run_summary", 1)["exit_code"], 9);
    shell.exit();
    stage.assert_clean();
}

#[test]
fn ctrl_c_while_waiting_leaves_the_queue() {
    let stage = Stage::new();
    let holder =
        stage.start(&mut stage.tfguard(&["exec", "--", "sh", "-c", "echo $$ > ready; exec sleep 60"]));
    stage.wait_file("ready");
    let shell = Shell::start(&stage);
    shell.run("\"$PROGRAM\" apply; echo code=$?");
    stage.log().wait("lock_waiting", 1);
    shell.pty.type_in("\x03");
    shell.pty.wait_for("code=130");
    let status = stage.tfguard(&["status", "--json"]).output().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(record["queue"], serde_json::json!([]));
    shell.exit();
    holder.send(Signal::TERM);
    holder.finish();
    stage.assert_clean();
}

/// A pager asks the terminal for its keys, which is the command's: the kernel stops it.
#[test]
fn a_reader_of_ours_that_was_stopped_for_want_of_the_terminal_goes_on_when_it_is_back() {
    let stage = Stage::new();
    let shell = Shell::start(&stage);
    let command = "echo shown; echo $$ > ready; until [ -e let-go ]; do sleep 0.05; done";
    let pager =
        "echo $$ > pager; until [ -e ready ]; do sleep 0.05; done; read key < /dev/tty; echo key=$key; cat";
    shell.run(&format!("\"$PROGRAM\" exec -- sh -c '{command}' | bash -c '{pager}'"));
    stage.wait_file("ready");
    let pager = stage.wait_pid("pager");
    wait("the pager to be stopped", || (processes::state(pager) == Some('T')).then_some(()));
    stage.let_go();
    stage.log().wait("run_summary", 1);
    shell.run("q");
    shell.pty.wait_for("key=q\r\nshown");
    assert!(!shell.pty.screen().contains("Stopped"), "{}", shell.pty.screen());
    shell.exit();
    stage.assert_clean();
}

/// `nohup`, in the background and in the foreground, outlives its terminal.
#[test]
fn nohup_outlives_its_terminal() {
    for line in ["nohup \"$PROGRAM\" apply -- -auto-approve &", "nohup \"$PROGRAM\" apply -- -auto-approve"] {
        let stage = Stage::with(HELD);
        let mut shell = Shell::start(&stage);
        shell.run(line);
        stage.wait_file("ready");
        shell.pty.hang_up();
        shell.bash.wait().unwrap();
        stage.let_go();
        let summary = stage.log().wait("run_summary", 1);
        assert_eq!(summary["exit_code"], 0, "{line}: {:?}", stage.log().signals());
        assert_eq!(stage.log().signals(), [""; 0]);
        stage.assert_clean();
    }
}

/// A shell without job control starts what it puts into the background with SIGINT ignored.
#[test]
fn without_job_control_sigint_stays_ignored_and_sigterm_works() {
    let stage = Stage::new();
    let manner = Manner::default();
    let mut command: Command = stage.command("sh");
    command.args(["-c", "\"$PROGRAM\" apply & echo $! > supervisor; wait $!; echo code=$?"]);
    stage.pull_strings(&mut command, &manner);
    let run = stage.counting_with(&mut command, &manner);
    let supervisor = stage.wait_pid("supervisor");
    processes::send(supervisor, Signal::INT);
    processes::send(supervisor, Signal::TERM);
    stage.log().wait("signal", 1);
    stage.let_go();
    let finished = run.finish();
    assert!(finished.out.contains("code=1\n"), "{}", finished.out);
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    assert_eq!(stage.log().signals(), ["SIGTERM passed"]);
    stage.assert_clean();
}
