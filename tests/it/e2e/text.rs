//! The child's output in `text`: byte for byte, on the streams that it was written to.

use super::locks::Locks;
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

/// A plan with something on stdout and, for its warning and its error, on stderr.
const TALKATIVE: &str = r#"
variable "fail" { default = false }

resource "terraform_data" "work" {
  input = "Grüße 🔒"
}

check "warning" {
  assert {
    condition     = terraform_data.work.input == "no"
    error_message = "this is only a warning"
  }
}

output "failing" {
  value = var.fail ? file("no-such-file") : "fine"
}
"#;

/// Terraform alone, told what tfguard tells it.
fn bare(project: &Project, args: &[&str]) -> Finished {
    Run::program("terraform", project).args(args).env("TF_IN_AUTOMATION", "1").output()
}

/// Stderr without our own lines.
fn childs(stderr: &str) -> String {
    stderr.split_inclusive('\n').filter(|line| !line.starts_with("tfguard: ")).collect()
}

#[test]
fn the_streams_are_terraforms_own_to_the_byte() {
    let locks = Locks::local();
    let project = Project::with(TALKATIVE);
    for (user, code) in [(&["-detailed-exitcode"][..], 2), (&["-var=fail=true"], 1), (&["-no-color"], 0)] {
        let alone = bare(&project, &[&["plan", "-input=false"], user].concat());
        let guarded = locks.run(&project).args(["plan", "--"]).args(user).output().exits(code);
        assert_eq!(alone.code(), code, "{}", alone.stderr);
        assert_eq!(alone.stderr.is_empty(), code != 1, "{}", alone.stderr);
        assert!(alone.stdout_text().contains("terraform_data.work"));
        assert_eq!(guarded.stdout_text(), alone.stdout_text());
        assert_eq!(childs(&guarded.stderr), alone.stderr);
        // All that is said of us is on stderr, each line marked.
        assert!(guarded.stderr.contains("tfguard: lock \"e2e\" acquired"));
    }
}

#[test]
fn bytes_that_are_no_text_come_through() {
    let locks = Locks::local();
    let project = Project::empty();
    // Every byte there is, some twice, no newline at the end.
    let bytes: Vec<u8> =
        (0..200_000_u64).map(|number| u8::try_from(number * number / 7 % 256).unwrap()).collect();
    std::fs::write(project.path("bytes"), &bytes).unwrap();
    let copied = locks.run(&project).args(["exec", "--", "sh", "-c", "cat bytes; cat bytes >&2"]);
    let err = project.path("err");
    let copied = copied.stderr(std::fs::File::create(&err).unwrap()).output().exits(0);
    assert!(copied.stdout == bytes);
    let stderr = std::fs::read(&err).unwrap();
    assert!(stderr.windows(bytes.len()).any(|window| window == bytes));
}

#[test]
fn what_is_written_comes_out_before_the_end() {
    let locks = Locks::local();
    let project = Project::empty();
    let script = "printf prompt:; printf 'to err' >&2; cat";
    let run = locks.run(&project).args(["exec", "--", "sh", "-c", script]).stdin_open();
    let mut run = run.start();
    run.wait_until("a prompt without a newline", |run| (run.stdout_so_far() == b"prompt:").then_some(()));
    run.wait_until("the same on stderr", |run| run.stderr_so_far().contains("to err").then_some(()));
    run.close_stdin();
    run.finish().exits(0);
}

#[test]
fn one_file_for_both_streams_keeps_their_order() {
    let locks = Locks::local();
    let project = Project::empty();
    let both = std::fs::File::create(project.path("both")).unwrap();
    let script = "i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i + 1)); done";
    let run = locks.run(&project).args(["exec", "--", "sh", "-c", script]);
    run.stdout(both.try_clone().unwrap()).stderr(both).output().exits(0);
    let lines: Vec<_> =
        project.lines("both").into_iter().filter(|line| !line.starts_with("tfguard: ")).collect();
    let expected: Vec<_> = (0..300).flat_map(|i| [format!("out {i}"), format!("err {i}")]).collect();
    assert_eq!(lines, expected);
}

#[test]
fn quiet_leaves_nothing_of_ours() {
    let locks = Locks::local();
    let project = Project::with(TALKATIVE);
    let run = locks.run(&project).args(["plan", "-q", "--", "-var=fail=true"]).output().exits(1);
    assert_eq!(childs(&run.stderr), run.stderr);
    // The log file is a record all the same.
    assert_eq!(run.event("run_summary")["exit_code"], 1);
}
