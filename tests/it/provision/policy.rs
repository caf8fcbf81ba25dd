//! Every request that the real commands and the real Terraform send is held against the policy
//! that is printed for them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::iam::{ACCOUNT, Ask, allowed, asks};
use super::stage::setup;
use super::wire::Wire;
use crate::support::moto::Moto;
use crate::support::project::Project;
use crate::support::run::Run;

/// A state in a bucket, locked by Terraform and by tfguard, both behind one wire.
struct Site {
    wire: Wire,
    project: Project,
    variables: Vec<(&'static str, String)>,
    /// Stopped last.
    _moto: Moto,
}

impl Site {
    fn new(locking: &str, store: &[(&'static str, &str)]) -> Self {
        let moto = Moto::start();
        moto.create("states", "locks");
        let wire = Wire::to(&moto.endpoint);
        let endpoint = wire.endpoint();
        let project = Project::with(&format!(
            r#"terraform {{
  backend "s3" {{
    bucket                      = "states"
    key                         = "net/terraform.tfstate"
    region                      = "eu-west-1"
    {locking}
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    endpoints                   = {{ s3 = "{endpoint}", dynamodb = "{endpoint}" }}
  }}
}}
resource "terraform_data" "x" {{
  input = timestamp()
}}
"#
        ));
        let mut variables: Vec<_> = store.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        // A holder sees at its next heartbeat that it was removed.
        variables.push(("TFGUARD_LEASE", "10s".into()));
        variables.push(("TFGUARD_ENDPOINT_URL", endpoint));
        variables.push(("TFGUARD_LOCK", "states/net/terraform.tfstate".into()));
        Self { wire, project, variables, _moto: moto }
    }

    fn run(&self, args: &[&str]) -> Run {
        let run = Run::new(&self.project).args(args);
        self.variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// The policy of this directory. Nobody is asked for it.
    fn policy(&self, roles: &str) -> Value {
        let before = self.wire.take();
        let printed = self.run(&["policy", "--for", roles, "--account", ACCOUNT]).output().exits(0);
        assert_eq!(self.wire.take().len(), 0);
        drop(before);
        serde_json::from_str(&printed.stdout_text()).unwrap()
    }

    /// Checks what was sent since the last time, and gives back which statements were of use.
    #[track_caller]
    fn is_granted_by(&self, policy: &Value) -> BTreeSet<String> {
        let calls = self.wire.take();
        assert!(!calls.is_empty());
        let mut used = BTreeSet::new();
        for ask in calls.iter().flat_map(asks) {
            let sid = allowed(policy, &ask);
            assert!(sid.is_some(), "not granted: {ask:?}\n{policy:#}");
            used.extend(sid.map(str::to_owned));
        }
        used
    }

    fn runs_and_operators_are_granted_what_they_ask_for(&self) {
        // The policy is of the written backend; the first run initialises it.
        let policy = self.policy("run");
        self.run(&["apply", "--", "-auto-approve"]).output().exits(0);
        self.run(&["plan"]).output().exits(0);
        self.run(&["apply", "--", "-auto-approve"]).output().exits(0);
        let mut holder = self.run(&["exec", "--", "cat"]).stdin_open().start();
        holder.wait_for("child_started");
        let mut waiter = self.run(&["plan"]).start();
        waiter.wait_until("an estimate", |run| {
            run.events().iter().any(|event| event["estimate"]["runs"] == 3).then_some(())
        });
        holder.close_stdin();
        holder.finish().exits(0);
        waiter.finish().exits(0);
        let used = self.is_granted_by(&policy);
        // Least: nothing is granted that was of no use, but for what explains a broken table.
        let granted = policy["Statement"].as_array().unwrap().iter();
        let mut granted: BTreeSet<String> =
            granted.map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect();
        granted.remove("TfguardTable");
        assert_eq!(used, granted);

        let policy = self.policy("run,operator");
        let mut holder = self.run(&["exec", "--", "sleep", "300"]).start();
        holder.wait_for("child_started");
        let mut waiter = self.run(&["exec", "--wait-timeout", "5m", "--", "true"]).start();
        waiter.wait_for("lock_waiting");
        self.run(&["status"]).output().exits(0);
        self.run(&["status", "--all"]).output().exits(0);
        self.run(&["status", "--all", "--json", "--prefix", "states/"]).output().exits(0);
        self.run(&["history"]).output().exits(0);
        self.run(&["unlock", "--yes", "--now", "--reason", "test"]).output().exits(0);
        holder.finish();
        waiter.finish();
        self.run(&["status"]).output().exits(0);
        self.is_granted_by(&policy);

        // It tries what the others need, and looks at more.
        let policy = self.policy("run,operator,doctor");
        let examined = self.run(&["doctor"]).output();
        assert!([0, 78].contains(&examined.code()), "{}", examined.stderr);
        self.is_granted_by(&policy);

        self.states_are_restored_with_what_is_granted();
    }

    fn states_are_restored_with_what_is_granted(&self) {
        self.run(&["setup", "--bucket", "states", "--repair"]).output().exits(0);
        self.run(&["apply", "--", "-auto-approve"]).output().exits(0);
        self.run(&["apply", "--", "-auto-approve"]).output().exits(0);
        self.wire.take();
        let policy = self.policy("state");
        self.run(&["state", "versions"]).output().exits(0);
        let used = self.is_granted_by(&policy);
        assert!(used.contains("StateVersionList") && used.contains("StateVersions"), "{used:?}");
        self.run(&["state", "restore", "previous", "--yes"]).output().exits(0);
        self.is_granted_by(&policy);
    }
}

#[test]
fn with_a_table_every_request_is_granted_and_no_more() {
    let site = Site::new(
        "dynamodb_table              = \"locks\"\n    use_lockfile                = true",
        &[("TFGUARD_TABLE", "locks")],
    );
    site.runs_and_operators_are_granted_what_they_ask_for();
    let policy = site.policy("run,operator,doctor");
    let mine = "tfguard:states/net/terraform.tfstate";
    for (ask, granted) in [
        (Ask::item("PutItem", "locks", &[mine]), true),
        (Ask::item("GetItem", "locks", &[&format!("{mine}#7")]), true),
        (Ask::item("PutItem", "locks", &["tfguard:states/other"]), false),
        (Ask::item("BatchGetItem", "locks", &[mine, "tfguard:other#1"]), false),
        (Ask::item("DeleteItem", "locks", &["states/other"]), false),
        (Ask::item("PutItem", "other", &[mine]), false),
        (Ask::table("DeleteTable", "locks"), false),
        (Ask::table("UpdateTable", "locks"), false),
        (Ask::bucket("GetObject", "states/net/terraform.tfstate"), true),
        (Ask::bucket("GetObject", "states/other/terraform.tfstate"), false),
        (Ask::bucket("DeleteObject", "states/net/terraform.tfstate"), false),
        (Ask::bucket("PutObject", "other/net/terraform.tfstate"), false),
        (Ask::bucket("PutBucketVersioning", "states"), false),
    ] {
        assert_eq!(allowed(&policy, &ask).is_some(), granted, "{ask:?}");
    }
}

#[test]
fn with_the_lock_in_the_bucket_every_request_is_granted_and_no_more() {
    let site = Site::new("use_lockfile = true", &[("TFGUARD_STORE", "s3"), ("TFGUARD_BUCKET", "states")]);
    site.runs_and_operators_are_granted_what_they_ask_for();
    let policy = site.policy("run,operator,doctor,setup");
    assert!(!policy.to_string().contains("dynamodb"), "{policy:#}");
    let own = Ask::bucket("PutObject", "states/net/terraform.tfstate.tfguard");
    let other = Ask::bucket("PutObject", "states/other/terraform.tfstate.tfguard");
    assert!(allowed(&policy, &own).is_some() && allowed(&policy, &other).is_none());
}

#[test]
fn what_setup_asks_for_is_granted() {
    let moto = Moto::start();
    moto.create("plain-states", "plain-lock");
    let wire = Wire::to(&moto.endpoint);
    let project = Project::empty();
    let policy = |options: &[&str]| -> Value {
        let run = Run::new(&project).args(["policy", "--for", "setup", "--account", ACCOUNT]).args(options);
        serde_json::from_str(&run.output().exits(0).stdout_text()).unwrap()
    };
    for options in [
        ["--table", "new-lock", "--bucket", "new-states"],
        ["--table", "plain-lock", "--bucket", "plain-states"],
    ] {
        let policy = policy(&options);
        let repair = [&options[..], &["--repair"]].concat();
        setup(&project, &wire.endpoint(), &repair).output().exits(0);
        let calls = wire.take();
        assert!(calls.iter().any(|call| call.operation == "UpdateTimeToLive"));
        for ask in calls.iter().flat_map(asks) {
            assert!(allowed(&policy, &ask).is_some(), "not granted: {ask:?}\n{policy:#}");
        }
    }
}

#[test]
fn a_prefix_covers_the_states_below_it_and_their_locks() {
    let project = Project::empty();
    let policy = |options: &[&str]| {
        let run = Run::new(&project).args(["policy", "--account", ACCOUNT]).args(options);
        run.output().exits(0)
    };
    let of = ["--table", "locks", "--bucket", "states", "--key-prefix", "net/"];
    let printed: Value = serde_json::from_str(&policy(&of).stdout_text()).unwrap();
    for (ask, granted) in [
        (Ask::bucket("PutObject", "states/net/a/terraform.tfstate"), true),
        (Ask::bucket("PutObject", "states/env:/dev/net/a/terraform.tfstate"), true),
        (Ask::bucket("DeleteObject", "states/net/a/terraform.tfstate.tflock"), true),
        (Ask::bucket("PutObject", "states/db/terraform.tfstate"), false),
        (Ask::item("PutItem", "locks", &["tfguard:states/net/a/terraform.tfstate"]), true),
        (Ask::item("PutItem", "locks", &["states/env:/dev/net/a/terraform.tfstate-md5"]), true),
        (Ask::item("PutItem", "locks", &["tfguard:states/db/terraform.tfstate"]), false),
    ] {
        assert_eq!(allowed(&printed, &ask).is_some(), granted, "{ask:?}\n{printed:#}");
    }
}

#[test]
fn a_policy_about_nothing_is_refused() {
    let project = Project::empty();
    for (options, part) in [
        (&[][..], "nothing here is on AWS"),
        (&["--key-prefix", "net/", "--table", "locks"], "--bucket NAME"),
        (&["--for", "admin", "--table", "locks"], "run, operator, state, doctor, setup"),
        (&["--account", "12", "--table", "locks"], "12 digits"),
    ] {
        let run = Run::new(&project).args(["policy"]).args(options).output().exits(64).says(&[part]);
        assert_eq!(run.stdout_text(), "");
    }
    let run =
        Run::new(&project).args(["policy", "--table", "locks", "--log-format", "json"]).output().exits(0);
    let text = run.stdout_text();
    let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&line["type"], &line["name"]), (&"document".into(), &"policy.json".into()));
    assert!(serde_json::from_str::<Value>(line["content"].as_str().unwrap()).is_ok());
}
