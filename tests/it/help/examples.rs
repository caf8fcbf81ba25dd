//! The examples of the help texts, run as they stand, in one directory and in this order.

use super::{COMMANDS, tfguard};
use crate::support::folder::Folder;
use crate::support::project::Project;
use crate::support::run::Run;

/// Examples that need what is not here: AWS, somebody at a terminal, a state that moves. That they are
/// understood is tested beside their text.
const ELSEWHERE: [&str; 23] = [
    "tfguard --lock prod --table terraform-lock apply -- -auto-approve",
    "tfguard init -- -upgrade",
    "tfguard init -- -migrate-state",
    "tfguard run",
    "tfguard exec -- terraform import aws_instance.web i-0abc",
    "tfguard doctor -v --lock prod --table terraform-lock",
    "tfguard state versions",
    "tfguard state versions -n 5 --json",
    "tfguard state restore previous --reason 'apply went wrong'",
    "tfguard status --all --table terraform-lock",
    "tfguard status --all --watch",
    "tfguard state restore serial:41 --yes",
    "tfguard state restore 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
    "tfguard unlock --reason 'wrong branch'",
    "tfguard unlock --session 01a1fc70-d4a6 --reason 'stuck' --yes",
    "tfguard unlock --now --reason 'the runner was deleted'",
    "tfguard unlock --state-lock --reason 'the runner was killed'",
    "tfguard setup --table terraform-lock > backend.tf",
    "tfguard setup --table terraform-lock --bucket my-states --region eu-west-1 > backend.tf",
    "tfguard setup --store s3 --bucket my-states > backend.tf",
    "tfguard policy",
    "tfguard policy --for run,doctor --account 123456789012",
    "tfguard man | man -l -",
];

/// The examples of every command, as help shows them.
fn examples() -> Vec<String> {
    let folder = Folder::new();
    let mut found = Vec::new();
    for command in COMMANDS {
        let output = tfguard(&folder, 100).args(command.split_whitespace()).arg("--help").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let examples = text.split("Examples:\n").nth(1).unwrap_or_default();
        for line in examples.lines().filter_map(|line| line.strip_prefix("  tfguard ")) {
            found.push(format!("tfguard {line}"));
        }
    }
    found
}

#[test]
fn the_examples_of_help_work() {
    let project = Project::hello();
    project.write("prod.tfvars", "");
    for folder in [".zfunc", ".config/fish/completions", ".local/share/bash-completion/completions"] {
        std::fs::create_dir_all(project.home().join(folder)).unwrap();
    }
    let bin = project.path("bin");
    project.script("bin/make", "exit 0");
    project.script("bin/terragrunt", "exit 0");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tfguard"), bin.join("tfguard")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let run = |line: &str| Run::program("sh", &project).env("PATH", &path).args(["-c", line]).output();
    let examples = examples();
    let elsewhere = |line: &&String| ELSEWHERE.contains(&line.as_str());
    assert_eq!(
        examples.iter().filter(elsewhere).count(),
        ELSEWHERE.len() + 2,
        "two stand twice: {examples:?}"
    );
    // What others build on comes first.
    run("tfguard plan -- -out=plan.tfplan").exits(0);
    run("tfguard apply -- plan.tfplan").exits(0);
    let mut done = 0;
    for line in examples.iter().filter(|line| !elsewhere(line)) {
        if line.ends_with("plan.tfplan") && line.contains("apply") {
            run("tfguard plan -- -out=plan.tfplan").exits(0);
        }
        let finished = run(line);
        assert_eq!(finished.code(), 0, "{line}: {}{}", finished.stderr, finished.stdout_text());
        done += 1;
    }
    assert!(done > 25, "{done}");
}
