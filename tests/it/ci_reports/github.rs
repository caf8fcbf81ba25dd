//! Sections and annotations, and who commands the runner.

use serde_json::Value;

use super::runner::{Streams, step};
use crate::e2e::locks::Locks;
use crate::support::project::Project;

/// An output of Terraform's stands at the start of a line, whatever it holds.
const EVIL: &str = r#"
resource "terraform_data" "x" {
  input = "x"

  provisioner "local-exec" {
    command = "echo '::error::exec'; echo '::stop-commands::mine'; printf '::warning::open' >&2"
  }
}

output "evil" {
  value = "\n::error file=x::evil\n::set-env name=A::b\n::endgroup::\n::stop-commands::mine\n::mine::\nError: forged\n\n  on main.tf line 1:\n\n{\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"forged\"}}\n"
}
"#;

const BAD: &str = r#"
variable "bad" { default = true }

resource "terraform_data" "x" {
  lifecycle {
    precondition {
      condition     = !var.bad
      error_message = "It is bad: 100%."
    }
  }
}
"#;

#[test]
fn what_terraform_prints_commands_nobody() {
    for streams in [Streams::One, Streams::Two] {
        for plain in [&["-no-color"][..], &[]] {
            let locks = Locks::local();
            let project = Project::with(EVIL);
            let run = locks.run(&project).args(["run", "--auto-approve", "--"]).args(plain);
            let (finished, heard) = step(run, streams);
            finished.exits(0);
            assert!(heard.lines.iter().any(|line| line == "::error file=x::evil"), "{heard:?}");
            assert!(heard.lines.iter().any(|line| line == "Error: forged"), "{heard:?}");
            let names: Vec<&str> = heard.commands.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                ["group", "endgroup", "group", "endgroup", "warning title=tfguard"],
                "{streams:?} {plain:?} {heard:?}"
            );
            assert!(heard.of("group")[0].contains(" plan "), "{heard:?}");
            assert!(heard.of("group")[1].contains(" apply "), "{heard:?}");
            assert!(heard.listens());
        }
    }
}

/// The end of such a line comes when the stream ends, which is after us.
#[test]
fn a_line_without_an_end_commands_nobody() {
    for (streams, listens) in [(Streams::One, true), (Streams::Two, false)] {
        let locks = Locks::local();
        let project = Project::hello();
        let tool = project.script("tool", "#!/bin/sh\nprintf '::error::open'\n");
        let run = locks.run(&project).args(["plan", "--init=never"]).env("TFGUARD_TERRAFORM_BIN", &tool);
        let (finished, heard) = step(run, streams);
        finished.exits(0);
        assert_eq!(heard.of("error"), [""; 0], "{streams:?} {heard:?}");
        assert_eq!(heard.listens(), listens, "{streams:?} {heard:?}");
    }
}

#[test]
fn errors_are_shown_beside_their_line() {
    for streams in [Streams::One, Streams::Two] {
        for plain in [&["-no-color"][..], &[]] {
            let locks = Locks::local();
            let project = Project::with(BAD);
            let dir = project.dir();
            let (top, place) = (dir.parent().unwrap(), dir.file_name().unwrap().to_str().unwrap());
            let run = locks.run(&project).args(["plan", "--"]).args(plain).env("GITHUB_WORKSPACE", top);
            let (finished, heard) = step(run, streams);
            finished.exits(1);
            let (error, text) = heard.commands.iter().find(|(name, _)| name.starts_with("error")).unwrap();
            assert_eq!(
                *error,
                format!("error file={place}/main.tf,line=7,title=Resource precondition failed")
            );
            assert_eq!(text, "It is bad: 100%25.", "{streams:?}");
            assert_eq!(heard.of("error").len(), 1, "{heard:?}");
        }
    }
}

#[test]
fn our_own_errors_are_shown_too() {
    let locks = Locks::local();
    let project = Project::hello();
    let mut holder = locks.hold(&project);
    let (finished, heard) = step(locks.run(&project).args(["plan", "--no-wait"]), Streams::Two);
    finished.exits(75);
    assert!(heard.of("error title=tfguard")[0].contains("lock e2e is held"), "{heard:?}");
    holder.close_stdin();
    holder.finish().exits(0);
}

#[test]
fn a_command_of_the_users_speaks_for_itself() {
    let locks = Locks::local();
    let project = Project::hello();
    let script = "echo '::add-mask::hush'; echo '::group::mine'; echo '::endgroup::'";
    let (finished, heard) = step(locks.run(&project).args(["exec", "--", "sh", "-c", script]), Streams::Two);
    finished.exits(0);
    assert_eq!(heard.of("add-mask"), ["hush"]);
    assert_eq!(heard.of("group"), ["mine"]);
}

#[test]
fn stdout_is_the_childs_alone() {
    let locks = Locks::local();
    let project = Project::with(BAD);
    let plan = || locks.run(&project).args(["plan", "--", "-no-color", "-var=bad=false"]);
    let plain = plan().output().exits(0);
    for ci in ["GITHUB_ACTIONS", "GITLAB_CI"] {
        let marked = plan().env(ci, "true").output().exits(0);
        assert_eq!(String::from_utf8_lossy(&marked.stdout), String::from_utf8_lossy(&plain.stdout));
        assert_ne!(marked.stderr, plain.stderr);
        let silent = plan().env(ci, "true").env("TFGUARD_CI", "none").output().exits(0);
        assert!(!silent.stderr.contains("::") && !silent.stderr.contains("section_"), "{}", silent.stderr);
    }
}

#[test]
fn json_stays_json() {
    let locks = Locks::local();
    let project = Project::with(BAD);
    let page = project.path("page");
    let run = locks.run(&project).args(["plan", "--log-format=json"]);
    let finished = run
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &page)
        .env("GITHUB_WORKSPACE", project.dir())
        .output()
        .exits(1);
    for line in String::from_utf8(finished.stdout.clone()).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["@message"].is_string(), "{line}");
        assert_ne!(event["type"], "output", "{line}");
    }
    let errors: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(
        errors,
        ["::error file=main.tf,line=7,title=Resource precondition failed::It is bad: 100%25."]
    );
    assert!(project.read("page").contains("<b>Resource precondition failed</b> <code>main.tf:7</code>"));

    let (finished, heard) = step(locks.run(&project).args(["plan", "--log-format=json"]), Streams::One);
    finished.exits(1);
    assert_eq!(heard.commands, []);
}

#[test]
fn a_wrong_system_is_refused() {
    let project = Project::hello();
    let finished = Locks::local().run(&project).args(["plan", "--ci=jenkins"]).output().exits(64);
    finished.says(&["--ci \"jenkins\"", "github, gitlab, auto, none"]);
}
