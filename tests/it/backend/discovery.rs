//! `status` in a directory with a backend and no option at all, before `init` and after it.

use crate::support::project::Project;
use crate::support::run::Run;

use super::site::{BUCKET, RESOURCE, TABLE, backend, moto, origin, plain, project, reach, status, table};

const DATA: &str = "backend in .terraform/terraform.tfstate";

#[test]
fn an_s3_backend_says_all_there_is_to_know() {
    let moto = moto();
    let project = project(&moto, "all/terraform.tfstate", &format!("dynamodb_table = \"{TABLE}\""));
    let before = status(&project, plain);
    assert_eq!(before["lock"], format!("{BUCKET}/all/terraform.tfstate"));
    assert_eq!(before["store"], format!("DynamoDB table {TABLE} in eu-west-1 at {}", moto.endpoint));
    assert_eq!(origin(&before, "lock"), ("states/all/terraform.tfstate", "backend block in main.tf:2"));
    assert_eq!(origin(&before, "table"), (TABLE, "backend block in main.tf:10"));
    assert_eq!(origin(&before, "region"), ("eu-west-1", "backend block in main.tf:5"));
    assert_eq!(origin(&before, "backend").0, "s3");
    assert_eq!(origin(&before, "workspace"), ("default", "default"));

    Run::new(&project).args(["init"]).output().exits(0);
    let after = status(&project, plain);
    assert_eq!((&after["lock"], &after["store"]), (&before["lock"], &before["store"]));
    for name in ["lock", "table", "region", "endpoint_url"] {
        assert_eq!(origin(&after, name).1, DATA, "{name}");
    }
    let text = Run::new(&project).args(["status"]).output().exits(0).stdout_text();
    assert!(text.contains(&format!("\nfrom   lock, table, region, endpoint: {DATA}\n")), "{text}");

    // What is given counts, each value by itself.
    ["other", "third"].iter().for_each(|name| table(&moto, name, &["LockID:S"]));
    let given = status(&project, |run| {
        run.env("TFGUARD_LOCK", "prod").args(["--table", "other"]).env("TFGUARD_REGION", "eu-west-1")
    });
    assert_eq!(origin(&given, "lock"), ("prod", "TFGUARD_LOCK"));
    assert_eq!(origin(&given, "table"), ("other", "--table"));
    assert_eq!(origin(&given, "region"), ("eu-west-1", "TFGUARD_REGION"));
    assert_eq!(origin(&given, "endpoint_url").1, DATA);
    project.write("tfguard.toml", "table = \"third\"\n");
    let file = status(&project, plain);
    let toml = format!("{}: table", project.path("tfguard.toml").display());
    assert_eq!(origin(&file, "table"), ("third", toml.as_str()));
}

#[test]
fn a_workspace_has_the_lock_of_its_own_state() {
    let moto = moto();
    let settings = format!("dynamodb_table = \"{TABLE}\"\n    workspace_key_prefix = \"ws\"");
    let project = project(&moto, "work/terraform.tfstate", &settings);
    Run::new(&project).args(["init"]).output().exits(0);
    let by_variable = status(&project, |run| run.env("TF_WORKSPACE", "dev"));
    assert_eq!(by_variable["lock"], "states/ws/dev/work/terraform.tfstate");
    assert_eq!(origin(&by_variable, "workspace"), ("dev", "TF_WORKSPACE"));
    Run::new(&project).args(["exec", "--", "terraform", "workspace", "new", "prod"]).output().exits(0);
    let by_file = status(&project, plain);
    assert_eq!(by_file["lock"], "states/ws/prod/work/terraform.tfstate");
    assert_eq!(origin(&by_file, "workspace"), ("prod", ".terraform/environment"));
    // So does Terraform name its own.
    Run::new(&project).args(["apply", "--", "-auto-approve"]).output().exits(0);
    let ids = super::site::ids(&moto, TABLE);
    assert!(ids.contains(&"states/ws/prod/work/terraform.tfstate-md5".to_owned()), "{ids:?}");
    assert!(ids.contains(&"tfguard:states/ws/prod/work/terraform.tfstate".to_owned()), "{ids:?}");
}

#[test]
fn the_directory_may_be_another_and_its_data_elsewhere() {
    let moto = moto();
    let project = project(&moto, "else/terraform.tfstate", &format!("dynamodb_table = \"{TABLE}\""));
    let data = project.home().join("data");
    Run::new(&project).env("TF_DATA_DIR", &data).args(["init"]).output().exits(0);
    assert!(!project.path(".terraform").exists());
    let elsewhere = status(&project, |run| run.env("TF_DATA_DIR", &data));
    assert_eq!(elsewhere["lock"], "states/else/terraform.tfstate");
    let file = format!("backend in {}", data.join("terraform.tfstate").display());
    assert_eq!(origin(&elsewhere, "table"), (TABLE, file.as_str()));
    // From beside it, by either option.
    let from = Project::empty();
    for option in [format!("-chdir={}", project.dir().display()), format!("-C{}", project.dir().display())] {
        let told = status(&from, |run| run.args([&option]));
        assert_eq!(told["lock"], "states/else/terraform.tfstate");
        assert_eq!(origin(&told, "table").0, TABLE);
    }
}

#[test]
fn a_partial_backend_is_completed_as_terraform_completes_it() {
    let moto = moto();
    let lines = format!("{}    key = \"written\"", reach(&moto));
    let project = Project::with(&(backend("s3", &lines) + RESOURCE));
    project.write("prod.tfbackend", &format!("bucket = \"{BUCKET}\"\nkey = \"from-file\"\n"));
    table(&moto, "from-json", &["LockID:S"]);
    project.write("prod.json", r#"{"dynamodb_table": "from-json"}"#);

    let told = status(&project, |run| {
        run.env("TF_CLI_ARGS_init", "-backend-config=prod.tfbackend -backend-config 'key=from pair'")
            .env("TF_CLI_ARGS", "-backend-config=prod.json")
    });
    assert_eq!(told["lock"], "states/from pair");
    assert_eq!(origin(&told, "table"), ("from-json", "prod.json (TF_CLI_ARGS)"));
    // Without them it cannot be known.
    let partial = Run::new(&project).args(["status"]).output().exits(78);
    partial.says(&["the s3 backend in main.tf:2 has no bucket yet", "TF_CLI_ARGS_init"]);
    let absent = Run::new(&project).env("TF_CLI_ARGS_init", "-backend-config=absent").args(["status"]);
    absent.output().exits(78).says(&["absent", "cannot be read"]);

    // The user's own come last, and `init` is run under the lock that they name.
    let pairs = [
        "init",
        "--",
        "-backend-config=prod.tfbackend",
        "-backend-config",
        &format!("dynamodb_table={TABLE}"),
    ];
    let init = Run::new(&project).args(pairs).output().exits(0);
    assert_eq!(init.event("lock_acquired")["lock"], "states/from-file");
    // From there on it is known without them.
    let after = status(&project, plain);
    assert_eq!(after["lock"], "states/from-file");
    assert_eq!(origin(&after, "table"), (TABLE, DATA));
    // What `-reconfigure` will set up is what it locks.
    let moved = ["init", "--", "-reconfigure", "-backend-config=bucket=states", "-backend-config=key=moved"];
    let moved = Run::new(&project)
        .args(moved)
        .args(["-backend-config=dynamodb_table=terraform-lock"])
        .output()
        .exits(0);
    assert_eq!(moved.event("lock_acquired")["lock"], "states/moved");
}

#[test]
fn what_only_terraform_can_evaluate_is_told() {
    let project = Project::with(
        "variable \"k\" {}\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"${var.k}/x\"\n  }\n}\n",
    );
    let unknown = Run::new(&project).args(["plan", "--table", "t"]).output().exits(64);
    unknown.says(&["the s3 backend in main.tf:3 takes key from an expression", "--lock NAME"]);
}

#[test]
fn every_other_type_names_its_lock_and_shows_no_secret() {
    for (block, variables, lock) in [
        (backend("gcs", "bucket = \"b\"\nprefix = \"p\""), &[][..], "gs://b/p/default.tfstate"),
        (backend("http", "address = \"https://u:hunter2@h/s?token=hunter2\""), &[], "https://h/s"),
        (backend("http", ""), &[("TF_HTTP_ADDRESS", "https://u:hunter2@h/s")], "https://h/s"),
        (
            backend("pg", ""),
            &[("PG_CONN_STR", "postgres://u:hunter2@h/db")],
            "pg://h/db/terraform_remote_state/default",
        ),
        (
            "terraform {\n  cloud {\n    workspaces {\n      name = \"prod\"\n    }\n  }\n}\n".to_owned(),
            &[("TF_CLOUD_ORGANIZATION", "acme")],
            "remote://app.terraform.io/acme/prod",
        ),
        (
            backend(
                "azurerm",
                "storage_account_name = \"a\"\ncontainer_name = \"c\"\nkey = \"k\"\naccess_key = \"hunter2\"",
            ),
            &[],
            "azurerm://a/c/k",
        ),
    ] {
        let project = Project::with(&block);
        let run = |command: &[&str]| {
            let run = variables.iter().fold(Run::new(&project), |run, (name, value)| run.env(name, value));
            run.args(command).output()
        };
        let told = run(&["status", "--json", "--store", "local"]).exits(0).stdout_text();
        assert!(told.contains(&format!("\"lock\":\"{lock}\"")) && !told.contains("hunter2"), "{told}");
        // Only the store has to be given.
        let refused = run(&["plan"]).exits(78).says(&["has no place for the lock", lock, "--table NAME"]);
        refused.never_says(&["hunter2", "--lock NAME"]);
    }
}

#[test]
fn secrets_of_the_backend_are_used_and_shown_nowhere() {
    let moto = moto();
    let keys = format!(
        "dynamodb_table = \"{TABLE}\"\n    access_key = \"AKIDBACKEND\"\n    secret_key = \"hunter2\""
    );
    let project = project(&moto, "keys/terraform.tfstate", &keys);
    let bare = || Run::new(&project).without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    // With no other credentials: these are the ones that the lock is taken with.
    let applied = bare().args(["-v", "apply", "--", "-auto-approve"]).output().exits(0);
    assert_eq!(applied.event("lock_acquired")["lock"], "states/keys/terraform.tfstate");
    let status = bare().args(["status", "--json"]).output().exits(0).stdout_text();
    let events = serde_json::to_string(&applied.events).unwrap();
    for shown in [status, events, applied.stderr] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_state_file_takes_its_lock_along() {
    let project = Project::with(&(backend("local", "path = \"../home/prod.tfstate\"") + RESOURCE));
    let told = status(&project, plain);
    let state = project.home().join("prod.tfstate");
    assert_eq!(told["lock"], state.display().to_string());
    assert_eq!(origin(&told, "local_dir").0, project.home().join(".tfguard").display().to_string());
    Run::new(&project).args(["apply", "--", "-auto-approve"]).output().exits(0);
    assert!(state.exists() && !project.path(".tfguard").exists());

    // Two directories that work on one state by `-state` have one lock.
    let shared = project.home().join("shared.tfstate").display().to_string();
    let mut locks = Vec::new();
    for _ in 0..2 {
        let other = Project::hello();
        let run = Run::new(&other).args(["apply", "--", "-auto-approve", &format!("-state={shared}")]);
        let run = run.output().exits(0);
        let run = run.says(&["the lock is named after the state of -state"]);
        locks.push(run.event("lock_acquired")["lock"].clone());
        assert!(!other.path(".tfguard/state.json").exists());
    }
    assert_eq!(locks, [shared.as_str(), shared.as_str()]);
}
