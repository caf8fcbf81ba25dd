//! The page of a run in GitHub's step summary.

use std::path::PathBuf;

use crate::e2e::locks::Locks;
use crate::support::project::Project;
use crate::support::run::Run;

const TWO: &str = r#"
variable "v" { default = "one" }

resource "terraform_data" "in_place" {
  input = var.v
}

resource "terraform_data" "anew" {
  for_each         = toset(["a|b"])
  triggers_replace = [var.v]
}
"#;

fn page(project: &Project) -> PathBuf {
    project.path("page")
}

fn in_step(run: Run, project: &Project) -> Run {
    run.env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", page(project))
        .env("GITHUB_WORKSPACE", project.dir())
}

fn shows(project: &Project, parts: &[&str]) -> String {
    let page = project.read("page");
    for part in parts {
        assert!(page.contains(part), "{part}\n{page}");
    }
    page
}

#[test]
fn it_says_what_changed() {
    for format in ["text", "json"] {
        let locks = Locks::local();
        let project = Project::with(TWO);
        let run = |args: &[&str]| {
            let run = locks.run(&project).args(["run", "--auto-approve", "--log-format", format]);
            in_step(run.args(args), &project).output()
        };
        run(&[]).exits(0);
        shows(
            &project,
            &[
                "<h3>✅ tfguard run: applied (2 added, 0 changed, 0 destroyed)</h3>\n",
                "Lock</th><td><code>e2e</code> in folder ",
                "Waited</th><td>",
                "Held</th><td>",
                "<tr><td>🟩 create</td><td><code>terraform_data.anew[&quot;a|b&quot;]</code></td><td>✓</td></tr>\n",
            ],
        );
        std::fs::remove_file(page(&project)).unwrap();
        run(&["--", "-var=v=two"]).exits(0);
        shows(
            &project,
            &[
                "applied (1 added, 1 changed, 1 destroyed)</h3>\n",
                "<summary>🟧 1 replace, 🟨 1 update</summary>",
                "<tr><td>🟧 replace</td><td><code>terraform_data.anew[&quot;a|b&quot;]</code></td><td>✓</td></tr>\n\
                 <tr><td>🟨 update</td><td><code>terraform_data.in_place</code></td><td>✓</td></tr>\n",
            ],
        );
        // The next one of the step is added.
        run(&["--", "-var=v=two"]).exits(0);
        shows(&project, &["1 added, 1 changed", "<h3>✅ tfguard run: no changes</h3>\n"]);
    }
}

#[test]
fn who_waits_learns_for_whom() {
    let locks = Locks::local();
    let project = Project::with(TWO);
    let mut holder = locks
        .run(&project)
        .args(["exec", "--reason", "a`<b>`", "--", "sh", "-c", "read line"])
        .stdin_open()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_ACTOR", "al\"]ice")
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_REPOSITORY", "acme/infra")
        .env("GITHUB_RUN_ID", "42")
        .start();
    holder.wait_for("child_started");
    let refused = in_step(locks.run(&project).args(["plan", "--no-wait"]), &project);
    refused.output().exits(75);
    shows(
        &project,
        &["<h3>⏳ tfguard plan: lock not got, nothing was run</h3>\n", "<h4>❌ Errors</h4>\n", "42"],
    );
    std::fs::remove_file(page(&project)).unwrap();

    let mut waiter = in_step(locks.run(&project).args(["plan"]), &project).start();
    waiter.wait_for("lock_waiting");
    holder.close_stdin();
    holder.finish();
    waiter.finish().exits(0);
    let page = shows(
        &project,
        &[
            "<h3>📝 tfguard plan: planned (2 to add, 0 to change, 0 to destroy)</h3>\n",
            "```mermaid\nflowchart LR\n  lock[(\"lock e2e\")]\n  holder0[\"al#34;#93;ice<br/>holds it, for ",
            "  us([\"this run<br/>waits, position 1\"]) -.-> lock\n  style us stroke-width:3px\n```\n",
            "<li><a href=\"https://github.example/acme/infra/actions/runs/42\">al&quot;]ice</a>",
            "because “a`&lt;b&gt;`”",
        ],
    );
    assert_eq!(page.matches("```").count(), 2, "{page}");
}

#[test]
fn a_failure_before_the_lock_has_a_page_too() {
    let project = Project::with("resource \"terraform_data\" \"x\" {\n");
    let run = Locks::local().run(&project).args(["plan", "--terraform-bin", "./none"]);
    let finished = in_step(run, &project).output();
    assert_eq!(finished.code(), 127, "{}", finished.stderr);
    shows(
        &project,
        &[
            "<h3>⛔ tfguard plan: nothing was run</h3>\n",
            "Exit code</th><td>127: the command cannot be found</td>",
            "<h4>❌ Errors</h4>\n",
        ],
    );
}

#[test]
fn it_stays_below_what_github_takes() {
    let locks = Locks::local();
    let project = Project::with("resource \"terraform_data\" \"x\" {\n  count = 300\n}\n");
    project.write("page", &"x".repeat(1000 * 1024 - 6000));
    in_step(locks.run(&project).args(["plan"]), &project).output().exits(0);
    let page =
        shows(&project, &["tfguard plan: planned (300 to add", "> Cut at 5 KiB: ", " more are not shown"]);
    assert!(page.len() <= 1000 * 1024, "{}", page.len());
    // Another one has no room, and that is no fault.
    in_step(locks.run(&project).args(["plan"]), &project).output().exits(0);
    assert!(project.read("page").len() <= 1000 * 1024);
}

#[test]
fn a_page_that_cannot_be_written_is_a_warning() {
    let locks = Locks::local();
    let project = Project::with(TWO);
    let run = locks.run(&project).args(["plan"]).env("GITHUB_ACTIONS", "true");
    let finished = run.env("GITHUB_STEP_SUMMARY", project.path("none/page")).output().exits(0);
    finished.says(&["warning: the step summary ", "cannot be written"]);
}

/// GitHub masks a job's secrets in the page as it does in the log: as they are, and as XML writes them. A page that
/// wrote them in any other way would show them to everybody.
#[test]
fn a_secret_in_what_terraform_says_can_be_masked() {
    for format in ["text", "json"] {
        for secret in ["p@ss_w*rd`1~$#[x](y)|!", "a<b>&'\"c\\\\d", "-----{x}"] {
            let locks = Locks::local();
            let literal = secret.replace('"', "\\\"");
            let project = Project::with(&format!(
                "resource \"terraform_data\" \"x\" {{\n  lifecycle {{\n    precondition {{\n      condition     = \
                 terraform.workspace == \"none\"\n      error_message = \"Refused: {literal} is no token.\"\n    }}\n  \
                 }}\n}}\n"
            ));
            let secret = secret.replace("\\\\", "\\");
            let run = locks.run(&project).args(["plan", "--log-format", format]);
            in_step(run, &project).output().exits(1);
            let masked =
                shows(&project, &["Refused: "]).replace(&secret, "***").replace(&xml(&secret), "***");
            assert!(masked.contains("Refused: *** is no token."), "{secret}: {masked}");
        }
    }
}

/// As .NET's `SecurityElement.Escape` has it, with which the runner makes the second form of a secret.
fn xml(text: &str) -> String {
    let escapes = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&apos;")];
    escapes.iter().fold(text.to_owned(), |text, (c, escaped)| text.replace(*c, escaped))
}
