//! Terragrunt, played: the calls that it makes and how it passes signals on, as in
//! `internal/os/exec/cmd.go`. The units have states of their own on this machine.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::page::Page;
use super::site::{Job, Site, interrupts, is_hurried};
use crate::guardian::process::signal;
use crate::support::moto;

/// Where the page has the link.
const LINK: &str = "/opt/guarded/terraform";

/// Runs `apply` in two units, the second of which reads the outputs of the first. A signal goes on
/// to Terraform after 15 s, here 3 s, or when it comes again.
const TERRAGRUNT: &str = r#"
import os, re, signal, subprocess, sys, threading

binary = os.environ.get("TG_TF_PATH")
if not binary:
    config = open("root.hcl").read()
    binary = re.search(r'terraform_binary\s*=\s*"([^"]*)"', config).group(1)
assert sys.argv[1:] in (["apply"], ["run", "--all", "--non-interactive", "apply"]), sys.argv
child, stopped = None, False

def forward(number, frame):
    global stopped
    delay, stopped = 0 if stopped else 3, True
    threading.Timer(delay, lambda: child and child.poll() is None and child.send_signal(number)).start()

signal.signal(signal.SIGINT, forward)
signal.signal(signal.SIGTERM, forward)

def terraform(unit, *arguments, **options):
    global child
    child = subprocess.Popen([binary, *arguments], cwd=unit, **options)
    read = child.communicate()[0]
    if child.returncode or stopped:
        os._exit(child.returncode or 1)
    return read

terraform(".", "-version", stdout=subprocess.PIPE)
for unit, needs in (("network", None), ("app", "network")):
    terraform(unit, "init", "-input=false")
    if needs:
        outputs = terraform(needs, "output", "-json", stdout=subprocess.PIPE)
        assert b'"value": "10.0.0.0/8"' in outputs, outputs
    terraform(unit, "apply", "-auto-approve", "-input=false")
"#;

/// Says under which locks it works, and works.
const UNIT: &str = r#"
output "cidr" { value = "10.0.0.0/8" }
resource "terraform_data" "work" {
  provisioner "local-exec" {
    command = "echo \"$TFGUARD_LOCK_NAME\" >>../locks.txt; touch \"$STAGE/ready.$STAGE_RUN\"; exec sleep \"$STAGE_WORK\""
  }
}
"#;

/// The first unit has the stage's state, which can be slow; the other has one in its folder.
const BACKEND: &str = "terraform {\n  backend \"http\" {}\n}\n";

/// A stack of two units, Terragrunt on PATH, and the link of the page.
fn stack(site: &Site) {
    site.install("terragrunt", &format!("#!{}\n{TERRAGRUNT}", moto::python().display()));
    for folder in ["stack/network", "stack/app", "guarded"] {
        fs::create_dir_all(site.path(folder)).unwrap();
    }
    fs::write(site.path("stack/network/main.tf"), format!("{BACKEND}{UNIT}")).unwrap();
    fs::write(site.path("stack/app/main.tf"), UNIT).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tfguard"), site.path("guarded/terraform")).unwrap();
}

/// What the page says, with the link where this test has it.
fn here(site: &Site, text: &str) -> String {
    assert!(text.contains(LINK), "{text}");
    text.replace(LINK, &site.path("guarded/terraform").display().to_string())
}

fn shell(site: &Site, line: &str, work: &str) -> Command {
    let mut command = site.command("bash", work);
    command
        .args(["-e", "-c", line])
        .current_dir(site.path("stack"))
        .env("TFGUARD_TABLE", "terraform-lock")
        .env("AWS_REGION", "eu-west-1")
        .env_remove("TFGUARD_TERRAFORM_BIN");
    command
}

fn locks(site: &Site) -> Vec<String> {
    fs::read_to_string(site.path("stack/locks.txt")).unwrap().lines().map(str::to_owned).collect()
}

/// The page's command for a whole stack.
fn whole_stack() -> String {
    Page::open("docs/ci/terragrunt.md").block("sh", "--all")
}

#[test]
fn each_unit_of_terragrunts_has_a_lock_of_its_own() {
    let site = Site::new();
    stack(&site);
    let page = Page::open("docs/ci/terragrunt.md");
    fs::write(site.path("stack/root.hcl"), here(&site, &page.block("hcl", "terraform_binary"))).unwrap();
    let job = Job::start(&site, "units", shell(&site, "terragrunt apply", "0"));
    assert_eq!(job.end(), Some(0), "{}", job.text());
    // Named after the state, which is at an address, and after the folder.
    let locks = locks(&site);
    assert_eq!(locks.len(), 2, "{locks:?}");
    assert!(locks[0].ends_with("/state") && locks[1].ends_with("stack/app"), "{locks:?}");
    site.assert_clean();
}

#[test]
fn a_stack_of_terragrunts_has_a_lock_besides_those_of_its_units() {
    let site = Site::new();
    stack(&site);
    let job = Job::start(&site, "stack", shell(&site, &here(&site, &whole_stack()), "0"));
    assert_eq!(job.end(), Some(0), "{}", job.text());
    assert!(job.text().contains("lock prod released"), "{}", job.text());
    assert!(locks(&site)[1].ends_with("stack/app"), "{:?}", locks(&site));
    site.assert_clean();
}

#[test]
fn units_of_terragrunts_run_under_the_lock_that_the_variable_names() {
    let site = Site::new();
    stack(&site);
    let line = here(&site, &whole_stack())
        .replace("exec tfguard exec --lock prod", "TFGUARD_LOCK=prod exec tfguard exec");
    let job = Job::start(&site, "stack", shell(&site, &line, "0"));
    assert_eq!(job.end(), Some(0), "{}", job.text());
    assert_eq!(locks(&site), ["prod", "prod"]);
    site.assert_clean();
}

#[test]
fn a_terragrunt_whose_unit_fails_releases() {
    let site = Site::new();
    stack(&site);
    let job = Job::start(&site, "stack", shell(&site, &here(&site, &whole_stack()), "for ever"));
    assert_eq!(job.end(), Some(1), "{}", job.text());
    site.assert_clean();
}

/// A cancel of the stack while its first unit works and needs longer to stop than Terragrunt waits.
fn cancelled(binary: Option<&str>) -> (Site, String) {
    let site = Site::new();
    stack(&site);
    let line = whole_stack();
    let line = binary.map_or_else(|| here(&site, &line), |binary| line.replace(LINK, binary));
    let job = Job::start(&site, "stack", shell(&site, &line, "60"));
    job.works(&site);
    site.stage.state.slow_down(Duration::from_secs(5));
    signal(job.pid(), libc::SIGINT);
    assert_ne!(job.end(), Some(0), "{}", job.text());
    let text = job.text();
    site.stage.state.slow_down(Duration::ZERO);
    (site, text)
}

#[test]
fn a_cancelled_stack_of_terragrunts_is_interrupted_once() {
    let (site, text) = cancelled(None);
    assert_eq!((interrupts(&text), is_hurried(&text)), (1, false), "{text}");
    assert_eq!(locks(&site).len(), 1, "a unit began after the cancel");
    site.assert_clean();
}

/// Why the link is kept under `exec`.
#[test]
fn without_the_link_terragrunt_interrupts_terraform_a_second_time() {
    let (_site, text) = cancelled(Some("terraform"));
    assert!(is_hurried(&text), "{text}");
}

#[test]
fn the_pages_hcl_is_hcl() {
    let block = Page::open("docs/ci/terragrunt.md").block("hcl", "terraform_binary");
    let site = Site::new();
    fs::write(site.path("root.tf"), block).unwrap();
    let output = site.command("terraform", "0").args(["fmt", "-check", "root.tf"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
