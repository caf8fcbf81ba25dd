//! The pages about GitHub besides the one of the action: its steps with the inputs of each page, by
//! the same runner as the action's own tests.

use serde_json::Value;

use super::super::job::{Blow, Job, QUICK, Step};
use super::super::recipes;
use super::page::{Page, variables};
use super::site::Site;
use crate::credentials::program::in_seconds;
use crate::credentials::stubs::{Issuer, Sts};
use crate::guardian::stage::{Over, Stage, wait_for};

/// The step of a job that uses the action.
fn step(job: &Value) -> &Value {
    let steps = job["steps"].as_array().unwrap();
    steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("/tfguard@"))).unwrap()
}

/// A run of a step with these inputs for a state of the matrix, and no others.
fn job<'a>(site: &'a Site, step: &Value, name: &str, state: &str) -> Job<'a> {
    let inputs = variables(&step["with"]).into_iter();
    let inputs: Vec<_> =
        inputs.map(|(name, value)| (name, value.replace("${{ matrix.state }}", state))).collect();
    let inputs: Vec<_> = inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let others = [("init", ""), ("args", ""), ("auto-approve", "false"), ("lock", "")];
    Job::new(&site.stage, name, "0").with(&others).with(&inputs)
}

const STATE: &str = "resource \"terraform_data\" \"x\" {\n  input = basename(abspath(path.root))\n}\n";

/// The cells of a job of the matrix page: the name of each, its run and its summary.
struct Cells<'a> {
    jobs: Vec<(String, Job<'a>)>,
}

impl<'a> Cells<'a> {
    fn of(site: &'a Site, name: &str) -> Self {
        let workflow = Page::open("docs/ci/github-matrix.md").yaml("matrix:");
        let of = &workflow["jobs"][name];
        assert_eq!(of["strategy"]["fail-fast"], false);
        let states = of["strategy"]["matrix"]["state"].as_array().unwrap().iter();
        let states: Vec<_> = states.map(|state| state.as_str().unwrap().to_owned()).collect();
        for state in &states {
            std::fs::create_dir_all(site.path(&format!("prod/{state}"))).unwrap();
            std::fs::write(site.path(&format!("prod/{state}/main.tf")), STATE).unwrap();
        }
        let cell = |state: String| {
            let job = job(site, step(of), &format!("{name}-{state}"), &state).with(&[("terraform-bin", "")]);
            (state, job)
        };
        Self { jobs: states.into_iter().map(cell).collect() }
    }

    fn start(&self) -> Vec<Step> {
        let start = |(_, job): &(String, Job<'_>)| {
            let mut command = job.node("main");
            command.env("GITHUB_STEP_SUMMARY", job.path("summary"));
            Step::start(command)
        };
        self.jobs.iter().map(start).collect()
    }

    /// What is on the page of the run about each.
    fn assert_summaries(&self) {
        for (state, job) in &self.jobs {
            let summary = std::fs::read_to_string(job.path("summary")).unwrap();
            assert!(summary.contains(&format!("prod/{state}")), "{state}: {summary}");
            assert_eq!(job.post().exits(0).raw, b"");
        }
    }
}

#[test]
fn the_cells_of_a_matrix_wait_for_their_own_states_only() {
    let site = Site::new();
    let holder = site.holder();
    let cells = Cells::of(&site, "plan");
    let mut steps = cells.start();
    assert_eq!(cells.jobs[0].0, "network");
    for step in steps.drain(1..) {
        step.end().exits(0).says(&["1 to add"]);
    }
    let waits = steps.remove(0);
    waits.wait_for("waiting for lock prod/network");
    holder.let_go();
    waits.end().exits(0).says(&["1 to add"]);
    cells.assert_summaries();

    let cells = Cells::of(&site, "apply");
    for step in cells.start() {
        step.end().exits(0).says(&["Resources: 1 added"]);
    }
    cells.assert_summaries();
    site.assert_clean();
}

#[test]
fn the_locks_role_and_terraforms_role_are_apart() {
    let site = Site::new();
    let (issuer, sts) = (Issuer::start(&[]), Sts::lending_for(3600));
    let workflow = Page::open("docs/ci/github-oidc.md").yaml("role-arn");
    let step = step(&workflow["jobs"]["apply"]);
    assert_eq!(step["env"]["AWS_CREDENTIAL_EXPIRATION"], "${{ steps.aws.outputs.aws-expiration }}");
    let run = |name: &str, seconds| {
        let job = job(&site, step, name, "");
        let mut command = job.node("main");
        command
            .envs(issuer.vars())
            .env("AWS_ENDPOINT_URL_STS", sts.endpoint())
            // What the step before puts into the environment.
            .env("AWS_ACCESS_KEY_ID", "AKIDTERRAFORM")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_SESSION_TOKEN", "token")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_CREDENTIAL_EXPIRATION", in_seconds(seconds));
        Step::start(command).end()
    };
    run("long", 3600).exits(0).says(&["Resources: 1 added"]);
    let asked = sts.asked();
    assert_eq!(asked[0].role, "arn:aws:iam::123456789012:role/lock");
    assert_eq!(asked[0].action, "AssumeRoleWithWebIdentity");
    let signed = site.stage.proxy.authorizations();
    assert!(signed.iter().any(|by| by.contains("Credential=AKIDJWT1/")), "{signed:?}");
    assert!(!signed.iter().any(|by| by.contains("AKIDTERRAFORM")), "{signed:?}");
    // Ten minutes are less than `min-session`.
    run("short", 600).exits(77);
    site.assert_clean();
}

#[test]
fn the_trust_policy_names_githubs_provider_audience_and_subject() {
    let policy = Page::open("docs/ci/github-oidc.md").block("json", "Statement");
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], "sts:AssumeRoleWithWebIdentity");
    let equals = &statement["Condition"]["StringEquals"];
    assert_eq!(equals["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com");
    let workflow = Page::open("docs/ci/github-oidc.md").yaml("role-arn");
    let environment = workflow["jobs"]["apply"]["environment"].as_str().unwrap();
    let subject = equals["token.actions.githubusercontent.com:sub"].as_str().unwrap();
    assert!(subject.ends_with(&format!(":environment:{environment}")), "{subject}");
}

#[test]
fn a_group_that_stays_cancels_nobody_who_applies() {
    let page = Page::open("docs/ci/github-concurrency.md");
    let applies = page.yaml("queue: max");
    assert_eq!(applies["concurrency"]["cancel-in-progress"], false);
    assert_eq!(page.yaml("plan-")["concurrency"]["cancel-in-progress"], true);
    let note = recipes::action()["runs"]["post"].as_str().unwrap();
    assert!(note.ends_with("post.mjs"), "the next run starts after it");
}

/// `cancel-in-progress: true`: a push while an apply works. The next run starts after the post step.
#[test]
fn the_run_after_a_cancelled_one_finds_everything_free() {
    let stage = Stage::new(Over::Dynamo);
    let first = Job::new(&stage, "first", "60");
    let step = first.working();
    stage.state.slow_down(std::time::Duration::from_millis(1500));
    assert_eq!(step.cancel(QUICK), Blow::Terminate);
    step.end();
    first.post().exits(0).says(&["lock stage released"]);
    stage.state.slow_down(std::time::Duration::ZERO);
    let started = std::time::Instant::now();
    Job::new(&stage, "second", "0").run().exits(0).says(&["Apply complete!"]);
    println!("measured: the second run took {:?}", started.elapsed());
    wait_for("the first run to be gone", || first.processes().is_empty());
    stage.assert_clean();
}
