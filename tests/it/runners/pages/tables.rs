//! What the pages say of names and defaults is what the action and the component declare.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::recipes;
use super::page::Page;

/// The rows of the first table under a heading: the names in backquotes in the first cell, and the
/// other cells.
fn rows(page: &str, heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let text = std::fs::read_to_string(recipes::root(page)).unwrap();
    let (_, text) = text.split_once(&format!("## {heading}\n")).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| "));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2).map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let names = cells.next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (names, cells.collect())
    });
    rows.collect()
}

fn names(rows: &[(Vec<String>, Vec<String>)]) -> Vec<String> {
    let mut names: Vec<String> = rows.iter().flat_map(|(names, _)| names.clone()).collect();
    names.sort();
    names
}

fn keys(declared: &Value) -> Vec<String> {
    let mut keys: Vec<String> = declared.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn the_page_of_the_action_has_its_inputs_its_outputs_and_no_others() {
    let action = recipes::action();
    let inputs = rows("docs/ci/github.md", "Inputs");
    assert_eq!(names(&inputs), keys(&action["inputs"]));
    assert_eq!(names(&rows("docs/ci/github.md", "Outputs")), keys(&action["outputs"]));
    for (names, cells) in inputs {
        for name in names {
            match action["inputs"][&name]["default"].as_str() {
                // What is not asked for is not done.
                None | Some("false") => {}
                Some(default) => assert!(cells[0].contains(default), "{name}: {default} is not in {cells:?}"),
            }
        }
    }
}

#[test]
fn the_page_of_the_component_has_its_inputs_and_their_defaults() {
    let component = recipes::component();
    let declared = &component["spec"]["inputs"];
    let inputs = rows("docs/ci/gitlab.md", "Inputs of the component");
    assert_eq!(names(&inputs), keys(declared));
    for (names, cells) in inputs {
        let said = cells.last().unwrap().trim_matches('|').trim();
        let said: Vec<&str> = match said {
            "required" | "" => vec![said],
            "tfguard's own" => vec!["", "auto"],
            said => said.split('`').skip(1).step_by(2).collect(),
        };
        for (number, name) in names.iter().enumerate() {
            let default = match &declared[name]["default"] {
                Value::Null => "required".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let right = match said.len() {
                1 => said[0] == default,
                _ if said[0].is_empty() => said.contains(&default.as_str()),
                _ => said[number] == default,
            };
            assert!(right, "{name}: the page says {said:?}, the default is {default:?}");
        }
    }
}

#[test]
fn the_page_of_the_template_has_its_variables_defaults() {
    let template = std::fs::read_to_string(recipes::root("ci/gitlab/tfguard.gitlab-ci.yml")).unwrap();
    let mut said = BTreeMap::new();
    for (names, cells) in rows("docs/ci/gitlab.md", "Jobs and variables of the template") {
        let default = cells.last().unwrap().split('`').nth(1).unwrap_or_default().to_owned();
        said.extend(names.into_iter().map(|name| (name, default.clone())));
    }
    assert_eq!(said["TFGUARD_CI_NAME"], recipes::template()[".tfguard"]["variables"]["TFGUARD_CI_NAME"]);
    let budget = template.split("${TFGUARD_CI_STOP_BUDGET:-").nth(1).unwrap().split('}').next().unwrap();
    assert_eq!(said["TFGUARD_CI_STOP_BUDGET"], budget);
}

/// Whoever uses the action in a page gives it inputs that there are.
#[test]
fn the_pages_give_the_action_inputs_that_it_has() {
    fn check(page: &str, value: &Value, found: &mut usize) {
        if value["uses"].as_str().is_some_and(|uses| uses.contains("/tfguard@")) {
            *found += 1;
            for name in value["with"].as_object().unwrap().keys() {
                assert!(recipes::action()["inputs"][name].is_object(), "{page}: {name}");
            }
        }
        match value {
            Value::Object(pairs) => pairs.values().for_each(|value| check(page, value, found)),
            Value::Array(list) => list.iter().for_each(|value| check(page, value, found)),
            _ => {}
        }
    }
    let mut found = 0;
    for page in ["README.md", "docs/ci/github.md", "docs/ci/github-oidc.md", "docs/ci/github-matrix.md"] {
        for block in Page::open(page).blocks("yaml") {
            check(page, &recipes::yaml(&block), &mut found);
        }
    }
    assert_eq!(found, 7);
}

#[test]
fn the_index_has_every_page() {
    let index = std::fs::read_to_string(recipes::root("docs/ci/README.md")).unwrap();
    for entry in std::fs::read_dir(recipes::root("docs/ci")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name}");
    }
}
