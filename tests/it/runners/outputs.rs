//! The action on a quiet day: outputs, exit codes, log and environment.

use std::os::unix::fs::PermissionsExt;

use super::job::Job;
use crate::guardian::stage::{Over, Stage};

/// The commands that are no warnings of tfguard's.
fn not_ours(commands: &[String]) -> Vec<&str> {
    let all = commands.iter().map(String::as_str);
    let ours = ["::warning title=tfguard::", "::group::terraform ", "::endgroup::"];
    all.filter(|command| !ours.iter().any(|our| command.starts_with(our))).collect()
}

#[test]
fn an_apply_is_shown_whole_and_its_outputs_are_set() {
    let stage = Stage::new(Over::Dynamo);
    let job = Job::new(&stage, "run", "0");
    let ended = job.run().exits(0).says(&["Apply complete!", "lock stage released"]);
    assert_eq!(ended.shown, job.printed());
    assert_eq!(
        ended.commands,
        ["::group::terraform apply -input=false -auto-approve -no-color", "::endgroup::"]
    );
    // What Terraform says is in its group, what tfguard says around it.
    let text = ended.text();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {text}"));
    let marks = [
        "lock stage acquired",
        "\n::group::",
        "terraform_data.work: Creating...",
        "Apply complete!",
        "\n::endgroup::",
        "lock stage released",
    ];
    assert!(marks.map(at).is_sorted(), "{text}");
    assert!(
        job.page("main").starts_with("<h3>✅ tfguard apply: applied (1 added, 0 changed, 0 destroyed)</h3>")
    );
    assert_eq!(job.output("exit-code"), "0");
    assert_eq!(job.output("outcome"), "succeeded");
    assert_eq!(job.output("generation"), stage.status()["generation"].to_string());
    assert_eq!(job.output("waited-seconds"), "0");
    let changes = ["add", "change", "destroy"].map(|kind| job.output(&format!("changes-{kind}")));
    assert_eq!(changes, ["1", "0", "0"]);
    let log = std::fs::read_to_string(job.output("log-file")).unwrap();
    assert!(log.contains(r#""type":"run_summary""#), "{log}");
    assert_eq!(std::fs::read(job.output("output-file")).unwrap(), job.printed());
    // There is nothing left to do, and nothing is done.
    assert_eq!(job.post().exits(0).raw, b"");
    assert_eq!(job.page("post"), "");
    assert_eq!(job.sweep(), 0);
    stage.assert_clean();
}

#[test]
fn a_plan_is_made_and_that_very_plan_applied() {
    let stage = Stage::new(Over::Local);
    let plan = Job::new(&stage, "plan", "0").with(&[
        ("command", "plan"),
        ("auto-approve", "false"),
        ("args", "-no-color -detailed-exitcode"),
        ("plan-file", "the plan"),
    ]);
    // 2 says that there are changes. That is no failure, unless somebody wants it to be one.
    plan.run().exits(0);
    assert_eq!((plan.output("exit-code"), plan.output("changes-add")), ("2".into(), "1".into()));
    assert_eq!(plan.output("outcome"), "succeeded");
    let file = plan.output("plan-file");
    assert_eq!(file, stage.path("the plan").display().to_string());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    plan.with(&[("fail-on-changes", "true")]).run().exits(2);

    // The provisioner's variables are in the plan, so the run has the plan's name.
    let apply = Job::new(&stage, "plan", "0").with(&[("plan-file", "the plan")]);
    apply.run().exits(0).says(&["Apply complete! Resources: 1 added"]);
    assert_eq!(apply.output("plan-file"), "");
    stage.assert_clean();
}

#[test]
fn failures_have_tfguards_own_code() {
    let stage = Stage::new(Over::Local);
    let failed = Job::new(&stage, "failed", "0").with(&[("args", "-no-color -var=nobody=1")]);
    let ended = failed.run().exits(1).says(&["undeclared variable"]);
    // Terraform's error comes first; that the lock is local is a warning.
    let error = "::error title=Value for undeclared variable::A variable named";
    let told = not_ours(&ended.commands);
    assert!(told[0].starts_with(error), "{told:?}");
    assert_eq!(told[1..], [""; 0]);
    assert_eq!((failed.output("outcome"), failed.output("exit-code")), ("failed".into(), "1".into()));
    assert_eq!(failed.output("changes-add"), "");
    // Without -detailed-exitcode 2 is a failure like any other.
    Job::new(&stage, "two", "0").exec("sh -c 'exit 2'").run().exits(2);

    let holder = stage.working("holder", &[]);
    let late = Job::new(&stage, "late", "0").with(&[("wait-timeout", "0")]);
    late.run().exits(75);
    assert_eq!(late.output("outcome"), "not_acquired");
    late.post().exits(0);
    crate::guardian::process::signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

#[test]
fn wrong_inputs_are_said_where_people_look() {
    let stage = Stage::new(Over::Local);
    let wrong = Job::new(&stage, "run", "0").with(&[("command", "aply\n::error::x")]);
    let ended = wrong.run().exits(64);
    assert_eq!(ended.commands.len(), 1, "{}", ended.text());
    assert!(ended.commands[0].starts_with("::error title=tfguard::input command is"), "{}", ended.text());
    let page = wrong.page("main");
    assert!(page.starts_with("<h3>⛔ tfguard: nothing was run</h3>\n"), "{page}");
    assert!(
        page.contains("<li>input command is &quot;aply\\n::error::x&quot;; it is one of install, "),
        "{page}"
    );
    wrong.post().exits(0);
}

/// What a command prints, a provider says or a record holds commands nobody.
#[test]
fn lines_of_the_command_are_no_commands_to_the_runner() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0").exec(
        "sh -c 'echo ::error::forged; echo ::add-mask::x; echo \"a ##[error]b\"; echo ::stop-commands::y; printf ::end'",
    );
    let ended = job.run().exits(0).says(&["::error::forged", "a ##[error]b", "::end"]);
    assert_eq!(not_ours(&ended.commands), [""; 0]);
    let mask = job.with(&[("workflow-commands", "true"), ("args", "echo ::add-mask::x")]);
    assert_eq!(not_ours(&mask.run().exits(0).commands), ["::add-mask::x"]);
    stage.assert_clean();
}

/// The command has what a step of the user's own would have, and no more.
#[test]
fn the_actions_own_variables_are_kept_from_the_command() {
    let stage = Stage::new(Over::Local);
    let ended = Job::new(&stage, "run", "0").exec("env").run().exits(0);
    let text = ended.text();
    for kept in ["INPUT_", "GITHUB_STATE=", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "hush"] {
        assert!(!text.contains(kept), "{kept} is in {text}");
    }
    for given in ["GITHUB_OUTPUT=", "RUNNER_TRACKING_ID=", "GITHUB_RUN_ID=42", "TFGUARD_SESSION="] {
        assert!(text.contains(given), "{given} is not in {text}");
    }
}

#[test]
fn a_log_file_of_ones_own_may_be_older_than_the_run() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0").with(&[("log-file", "events.ndjson"), ("log-format", "json")]);
    job.run().exits(0);
    let first = job.output("generation");
    job.run().exits(0);
    assert_eq!(job.output("log-file"), stage.path("events.ndjson").display().to_string());
    assert_ne!(job.output("generation"), first);
    assert_eq!(job.output("changes-add"), "0", "counted from Terraform's JSON");
    stage.assert_clean();
}

/// What somebody writes into a workflow, and what somebody else has written into a variable that it uses.
#[test]
fn words_with_blanks_quotes_and_line_ends_stay_what_they_are() {
    let stage = Stage::new(Over::Local);
    let folder = stage.path("a folder; $(touch pwned)\n'\"");
    std::fs::create_dir(&folder).unwrap();
    let said = Job::new(&stage, "run", "0")
        .exec("sh -c 'pwd; printf \"<%s>\" \"$@\"' x 'a b' \"c\\\"d\" $HOME * ''\n--lock=x")
        .with(&[
            ("working-directory", "a folder; $(touch pwned)\n'\""),
            ("reason", "$(touch pwned) `x` ::error::y\nz"),
        ]);
    let ended =
        said.run().exits(0).says(&["<a b><c\"d><$HOME><*><><--lock=x>", "a folder; $(touch pwned)\n'\"\n"]);
    assert_eq!(not_ours(&ended.commands), [""; 0]);
    assert!(!stage.path("pwned").exists() && !folder.join("pwned").exists());
    assert!(
        said.page("main").contains("<code>a folder; $(touch pwned)\\u{a}&apos;&quot;</code>"),
        "{}",
        said.page("main")
    );
    stage.assert_clean();
}

/// GITHUB_OUTPUT is a list of names and values: no value may add a name to it.
#[test]
fn no_value_sets_another_output() {
    let stage = Stage::new(Over::Local);
    let log = "log\noutcome=forged\ngeneration<<x\n7\nx\n";
    let job = Job::new(&stage, "run", "0").exec("true").with(&[("log-file", log)]);
    job.run().exits(0);
    assert_eq!(job.output("outcome"), "succeeded");
    assert_eq!(job.output("generation"), stage.status()["generation"].to_string());
    assert_eq!(job.output("log-file"), stage.path(log.trim()).display().to_string());
}

/// Relative paths begin at the workspace, wherever a composite action or a container has us started.
#[test]
fn relative_paths_begin_at_the_workspace() {
    let stage = Stage::new(Over::Local);
    std::fs::create_dir_all(stage.path("infra")).unwrap();
    let job =
        Job::new(&stage, "run", "0").exec("pwd").with(&[("working-directory", "infra"), ("log-file", "log")]);
    let mut command = job.node("main");
    command.current_dir("/");
    let ended = super::job::Step::start(command).end().exits(0);
    assert!(ended.text().contains(&format!("{}\n", stage.path("infra").display())), "{}", ended.text());
    assert!(stage.path("log").exists());
}

#[test]
fn what_is_refused_before_the_run_is_shown_too() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0").with(&[("on-lease-lost", "perhaps")]);
    let ended = job.run().exits(64);
    assert!(ended.commands[0].starts_with("::error title=tfguard::"), "{:?}", ended.commands);
    assert!(ended.commands[0].contains("on-lease-lost"), "{:?}", ended.commands);
    let page = job.page("main");
    assert!(page.starts_with("<h3>⛔ tfguard apply") && page.contains("64: wrong usage"), "{page}");
    assert_eq!(job.output("exit-code"), "64");
    assert_eq!(job.post().exits(0).raw, b"");
}

/// GitHub drops a page that does not fit, and with it those before it.
#[test]
fn a_page_that_does_not_fit_any_more_is_left_out() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0");
    let full = "x".repeat(1000 * 1024 - 10);
    std::fs::write(job.path("summary.main"), &full).unwrap();
    job.run().exits(0);
    assert!(job.page("main") == full);
    job.with(&[("command", "aply")]).run().exits(64).says(&["the step summary has no room"]);
}
