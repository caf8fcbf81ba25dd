//! Errors before there is a run: who looks at the job and not into its log sees them too.

use super::runner::{Heard, Streams, step};
use crate::e2e::locks::Locks;
use crate::support::http::nobody;
use crate::support::project::Project;
use crate::support::run::Run;

/// What GitHub shows of a step that is over with `code`: its annotations and its page.
fn shown(run: Run, project: &Project, code: i32) -> (Heard, String) {
    let run = run.env("GITHUB_STEP_SUMMARY", project.path("page")).env("GITHUB_WORKSPACE", project.dir());
    let (finished, heard) = step(run, Streams::Two);
    finished.exits(code);
    let page = project.read("page");
    let _ = std::fs::remove_file(project.path("page"));
    (heard, page)
}

#[test]
fn every_refusal_has_an_annotation_and_a_page() {
    let project = Project::hello();
    let locks = Locks::local();
    let broken = Project::hello();
    broken.write("tfguard.toml", "lock = [");
    let run = |args: &[&str]| locks.run(&project).arg("plan").args(args);
    let table = ["--lock=a", "--region=eu-west-1", "--table=locks"];
    let aws = || Run::new(&project).arg("plan").args(table);
    for (run, code, error, meaning) in [
        (run(&["--lokc=a"]), 64, "unexpected argument", "64: wrong usage"),
        (run(&["--init=maybe"]), 64, "maybe", "64: wrong usage"),
        (run(&["-C", "none"]), 66, "none", "66: nothing to work on"),
        (locks.run(&broken).arg("plan"), 78, "tfguard.toml", "78: wrong set-up"),
        (run(&["--log-file=none/x"]), 78, "the log file", "78: wrong set-up"),
        (
            aws().args(["--wait-timeout=1s", "--endpoint-url", &nobody()]),
            69,
            "lock a",
            "69: a service cannot be reached",
        ),
        (aws().without_env("AWS_ACCESS_KEY_ID"), 77, "lock a", "77: credentials"),
        (
            Run::new(&project).args(["plan", "--lock=a", "--table=locks"]).without_env("AWS_REGION"),
            78,
            "region",
            "78: wrong set-up",
        ),
    ] {
        let (heard, page) = shown(run, &project, code);
        let [annotation] = heard.of("error")[..] else { panic!("{code} {heard:?}") };
        assert!(annotation.contains(error), "{error} {annotation}");
        assert!(page.starts_with("<h3>⛔ tfguard plan"), "{page}");
        assert!(page.contains(": nothing was run</h3>\n"), "{page}");
        assert!(page.contains(&format!("<td>{meaning}</td>")), "{meaning} {page}");
        assert!(page.contains("<h4>❌ Errors</h4>"), "{page}");
    }
}

#[test]
fn who_wants_no_words_for_a_system_has_none() {
    let project = Project::hello();
    let (heard, page) = shown(Run::new(&project).args(["plan", "--lokc", "--ci=none"]), &project, 64);
    assert_eq!((heard.commands, page), (vec![], String::new()));
}

/// It ran nothing and has no page; its error is marked all the same.
#[test]
fn the_error_of_an_operators_command_is_an_annotation() {
    let project = Project::hello();
    let status = ["status", "--lock=a", "--table=locks", "--region=eu-west-1", "--endpoint-url", &nobody()];
    let (heard, page) = shown(Run::new(&project).args(status), &project, 69);
    assert_eq!(heard.of("error title=tfguard").len(), 1, "{heard:?}");
    assert_eq!(page, "");
}

#[test]
fn in_gitlabs_log_an_error_is_red() {
    let project = Project::hello();
    let red = "tfguard: \u{1b}[1m\u{1b}[31merror:\u{1b}[0m ";
    for args in [&["plan", "--lokc"][..], &["plan", "--store=dynamodb"]] {
        let run = || Run::new(&project).args(args).env("GITLAB_CI", "true");
        let refused = run().output();
        assert!(refused.stderr.contains(red), "{:?}", refused.stderr);
        let plain = run().env("NO_COLOR", "1").output();
        assert!(plain.stderr.contains("tfguard: error: "), "{:?}", plain.stderr);
    }
}
