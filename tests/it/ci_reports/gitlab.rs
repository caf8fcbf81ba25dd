//! GitLab's sections, and the counts of a merge request.

use crate::e2e::locks::Locks;
use crate::support::project::Project;

const ONE: &str = "resource \"terraform_data\" \"x\" {\n  count = 2\n}\n";

#[test]
fn sections_fold_what_terraform_prints() {
    let locks = Locks::local();
    let project = Project::with(ONE);
    let run = locks.run(&project).args(["run", "--auto-approve", "--init=always"]).env("GITLAB_CI", "true");
    let finished = run.output().exits(0);
    let marks: Vec<&str> = finished.stderr.lines().filter(|line| line.contains("section_")).collect();
    let parts = [
        (":tfguard_1[collapsed=true]\r\u{1b}[0K", " init "),
        (":tfguard_1\r\u{1b}[0K", ""),
        (":tfguard_2\r\u{1b}[0K", " plan "),
        (":tfguard_2\r\u{1b}[0K", ""),
        (":tfguard_3\r\u{1b}[0K", " apply "),
        (":tfguard_3\r\u{1b}[0K", ""),
    ];
    assert_eq!(marks.len(), parts.len(), "{}", finished.stderr);
    for (number, (mark, (head, title))) in marks.iter().zip(parts).enumerate() {
        let kind = if number % 2 == 0 { "start" } else { "end" };
        assert!(mark.starts_with(&format!("\u{1b}[0Ksection_{kind}:")), "{mark:?}");
        assert!(mark.contains(head) && mark.contains(title), "{mark:?}");
    }
    assert!(!finished.stderr.contains("::"), "{}", finished.stderr);
}

#[test]
fn the_report_has_the_counts() {
    let locks = Locks::local();
    let project = Project::with(ONE);
    let report = || project.read("report.json");
    let run = |args: &[&str]| locks.run(&project).env("TFGUARD_CI_REPORT", "report.json").args(args);
    run(&["plan"]).output().exits(0);
    assert_eq!(report(), "{\"create\":2,\"update\":0,\"delete\":0}\n");
    run(&["run", "--auto-approve"]).output().exits(0);
    run(&["plan", "--log-format=json", "--", "-destroy"]).output().exits(0);
    assert_eq!(report(), "{\"create\":0,\"update\":0,\"delete\":2}\n");
    run(&["plan", "--ci-report", "other.json"]).output().exits(0);
    assert_eq!(project.read("other.json"), "{\"create\":0,\"update\":0,\"delete\":0}\n");
    let silent = run(&["exec", "--", "true"]).output().exits(0);
    silent.says(&["there is no report", "Terraform did not say what it changes"]);
}
