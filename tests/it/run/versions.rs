//! Older versions, and OpenTofu. Neither can be had here: a script says that it is one, refuses what
//! the real one does not know, and leaves the work to the Terraform that is there.

use crate::e2e::locks::Locks;
use crate::support::project::Project;
use crate::support::run::Finished;

/// Behaves as `version`, which does not know the flags in `unknown`.
fn posing(project: &Project, name: &str, version: &str, unknown: &[&str]) -> std::path::PathBuf {
    let refused: String = unknown
        .iter()
        .map(|flag| format!("    {flag}) echo \"flag provided but not defined: {flag}\" >&2; exit 1 ;;\n"))
        .collect();
    let real = which("terraform");
    project.script(
        name,
        &format!(
            "if [ \"$1\" = version ]; then echo '{version}'; echo 'on linux_amd64'; exit 0; fi\n\
             for arg; do\n  case $arg in\n{refused}    --none--) ;;\n  esac\ndone\nexec {real} \"$@\""
        ),
    )
}

fn which(name: &str) -> String {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap().to_str().unwrap().to_owned()
}

fn outputs(finished: &Finished) -> bool {
    finished
        .stdout_text()
        .lines()
        .any(|line| line.contains("\"type\":\"output\"") && line.contains("Apply complete!"))
}

#[test]
fn a_terraform_without_json_is_wrapped() {
    let (locks, project) = (Locks::local(), Project::hello());
    let old = posing(&project, "bin/old", "Terraform v0.15.0", &["-json", "-refresh-only"]);
    let run = |args: &[&str]| locks.run(&project).env("TFGUARD_TERRAFORM_BIN", &old).args(args).output();
    let applied = run(&["run", "--auto-approve", "--log-format", "json", "--", "-no-color"]).exits(0);
    assert!(outputs(&applied), "{}", applied.stdout_text());
    assert!(applied.event("run_summary")["changes"]["add"].is_u64());
    run(&["drift"]).exits(64).says(&["Terraform 0.15.0", "0.15.4"]);
    // 0.15.3 knows it, and gets it.
    let newer = posing(&project, "bin/newer", "Terraform v0.15.3", &["-refresh-only"]);
    let newer = locks.run(&project).env("TFGUARD_TERRAFORM_BIN", newer);
    let planned = newer.args(["plan", "--log-format", "json"]).output().exits(0);
    assert!(planned.stdout_text().contains("\"type\":\"change_summary\""));
}

#[test]
fn opentofu_is_found_and_works_alike() {
    let (locks, project) = (Locks::local(), Project::hello());
    posing(&project, "only/tofu", "OpenTofu v1.8.2", &[]);
    let path = format!("{}:/usr/bin:/bin", project.path("only").display());
    if std::path::Path::new("/usr/bin/terraform").exists() || std::path::Path::new("/bin/terraform").exists()
    {
        // It would be found first.
        return;
    }
    let run = |args: &[&str]| locks.run(&project).env("PATH", &path).args(args).output();
    let applied = run(&["run", "--auto-approve"]).exits(0);
    let argv: Vec<_> = applied.events.iter().filter(|event| event["type"] == "child_started").collect();
    assert!(argv.iter().all(|event| event["argv"][0] == "tofu"), "{argv:?}");
    run(&["drift"]).exits(0);
    let module = "module \"x\" { source = \"./x\" }";
    project.write("main.tf", module);
    project.write("x/main.tf", "");
    let planned = run(&["plan", "--log-format", "json"]).exits(0);
    assert!(planned.stdout_text().contains("init_output"), "init -json is known from 1.8 on");
}
