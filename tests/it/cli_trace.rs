//! `TFGUARD_TRACE`: where the time of a start goes.

use crate::support::project::Project;
use crate::support::run::Run;

fn exec(project: &Project) -> Run {
    Run::new(project).args(["exec", "--lock", "prod", "--store", "local", "--", "true"])
}

#[test]
fn a_trace_shows_what_a_start_is_made_of() {
    let project = Project::empty();
    let finished = exec(&project).env("TFGUARD_TRACE", "1").output().exits(0);
    let lines: Vec<&str> =
        finished.stderr.lines().filter(|line| line.starts_with("tfguard: trace ")).collect();
    let phases =
        ["arguments", "configuration", "directory", "course", "credentials", "stores", "lock{", "spawn"];
    let ends: Vec<usize> = phases
        .iter()
        .map(|phase| {
            let found = lines
                .iter()
                .position(|line| line.contains(&format!("ms {phase}")) && line.contains(" close "));
            found.unwrap_or_else(|| panic!("no end of {phase}: {}", finished.stderr))
        })
        .collect();
    assert!(ends.is_sorted(), "{lines:#?}");
    let text = lines.join("\n");
    for call in [
        "store open: close",
        "store read{lock=\"prod\"}: close",
        "store swap{lock=\"prod\"}: close",
        "release",
    ] {
        assert!(text.contains(call), "{call}: {text}");
    }
    // The time never runs back.
    let times: Vec<f64> =
        lines.iter().map(|line| line.split_whitespace().nth(2).unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn without_the_variable_there_is_none() {
    let project = Project::empty();
    for value in ["", "0", "false"] {
        exec(&project).env("TFGUARD_TRACE", value).output().exits(0).never_says(&["trace"]);
    }
}
