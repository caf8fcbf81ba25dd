//! The files that pipelines include, read as those who include them do.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::moto;

/// Reads YAML; GitLab's `!reference` becomes an object with that one key.
const READ: &str = "
import json, sys, yaml
class Loader(yaml.SafeLoader):
    pass
Loader.add_constructor('!reference', lambda loader, node: {'!reference': loader.construct_sequence(node)})
print(json.dumps(list(yaml.load_all(sys.argv[1], Loader))))
";

pub(super) fn root(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> Value {
    yaml(&std::fs::read_to_string(root(name)).unwrap())
}

/// The documents of a YAML text.
pub(super) fn yaml(text: &str) -> Value {
    let output = Command::new(moto::python()).args(["-c", READ, text]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `action.yml`.
pub(super) fn action() -> &'static Value {
    static ACTION: OnceLock<Value> = OnceLock::new();
    ACTION.get_or_init(|| read("action.yml")[0].clone())
}

/// The template with GitLab's hidden jobs.
pub(super) fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| read("ci/gitlab/tfguard.gitlab-ci.yml")[0].clone())
}

/// The component: its inputs.
pub(super) fn component() -> Value {
    read("templates/tfguard.yml")[0].clone()
}

/// The lines of a job's `script` or `after_script`, with those of the jobs that it extends.
pub(super) fn lines(job: &str, section: &str) -> Vec<String> {
    let jobs = template();
    let mut from = job;
    while jobs[from][section].is_null() {
        from = jobs[from]["extends"].as_str().unwrap_or_else(|| panic!("{job} has no {section}"));
    }
    let text = |line: &Value| line.as_str().unwrap().to_owned();
    let lines = jobs[from][section].as_array().unwrap().iter().flat_map(|line| match &line["!reference"] {
        Value::Array(path) => {
            let referred = &jobs[path[0].as_str().unwrap()][path[1].as_str().unwrap()];
            referred.as_array().unwrap().iter().map(text).collect()
        }
        _ => vec![text(line)],
    });
    lines.collect()
}

/// Inputs that the code reads and nobody may give, or that nobody reads, are mistakes.
#[test]
fn the_action_reads_the_inputs_that_it_declares() {
    let mut code = String::new();
    for name in ["main.mjs", "post.mjs", "lib/inputs.mjs", "lib/install.mjs", "lib/run.mjs"] {
        code.push_str(&std::fs::read_to_string(root(&format!("ci/github/{name}"))).unwrap());
    }
    for input in action()["inputs"].as_object().unwrap().keys() {
        assert!(code.contains(&format!("'{input}'")), "nothing reads input {input}");
    }
    let (_, lists) = code.split_once("const PLACE = [").unwrap();
    let (lists, _) = lists.split_once("/** The value of an input").unwrap();
    for name in lists.split('\'').skip(1).step_by(2) {
        assert!(action()["inputs"][name].is_object(), "input {name} is not declared");
    }
    for output in action()["outputs"].as_object().unwrap().keys() {
        let set = code.contains(&format!("setOutput('{output}'")) || output.starts_with("changes-");
        assert!(set, "nothing sets output {output}");
    }
}

/// What is declared is documented.
#[test]
fn the_documents_name_every_input_output_and_variable() {
    let github = std::fs::read_to_string(root("docs/ci/github.md")).unwrap();
    for kind in ["inputs", "outputs"] {
        for name in action()[kind].as_object().unwrap().keys() {
            assert!(github.contains(&format!("`{name}`")), "{name} is not in docs/ci/github.md");
        }
    }
    let gitlab = std::fs::read_to_string(root("docs/ci/gitlab.md")).unwrap();
    for name in component()["spec"]["inputs"].as_object().unwrap().keys() {
        assert!(gitlab.contains(&format!("`{name}`")), "{name} is not in docs/ci/gitlab.md");
    }
    let template = std::fs::read_to_string(root("ci/gitlab/tfguard.gitlab-ci.yml")).unwrap();
    for part in template.split("TFGUARD_CI_").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(
            gitlab.contains(&format!("`TFGUARD_CI_{name}`")),
            "TFGUARD_CI_{name} is not in docs/ci/gitlab.md"
        );
    }
}

/// The parts of the action that only compute.
#[test]
fn the_actions_own_tests_pass() {
    let output = Command::new("node")
        .args(["--test", &root("ci/github/test/")])
        .env_remove("NODE_TEST_CONTEXT")
        .output()
        .expect("node runs: ci/test installs it");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("# tests 0"), "{text}");
}
