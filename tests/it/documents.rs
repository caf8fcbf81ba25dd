//! What the documents say about tests is true: those that they name exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, found: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The names in backquotes that are long enough to be those of tests. A name may be cut short with
/// `…` at its end.
fn named(document: &str) -> Vec<String> {
    let words = document.split('`').skip(1).step_by(2).filter_map(|word| word.rsplit("::").next());
    let is_test = |word: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_…".contains(c);
        word.matches('_').count() >= 2 && !word.starts_with('…') && word.chars().all(plain)
    };
    words.filter(is_test).map(str::to_owned).collect()
}

fn exists(name: &str, code: &str) -> bool {
    match name.strip_suffix('…') {
        Some(beginning) => code.contains(&format!("fn {beginning}")),
        // The second form: a test that runs over both stores.
        None => code.contains(&format!("fn {name}(")) || code.contains(&format!("    {name},\n")),
    }
}

#[test]
fn every_test_that_a_document_names_exists() {
    let mut code = String::new();
    sources(&root().join("src"), &mut code);
    sources(&root().join("tests"), &mut code);
    for (document, at_least) in [("docs/known-bugs.md", 40), ("docs/failure-matrix.md", 15)] {
        let names = named(&fs::read_to_string(root().join(document)).unwrap());
        assert!(names.len() >= at_least, "{document} names {} tests only", names.len());
        for name in names {
            assert!(exists(&name, &code), "{document} names a test that does not exist: {name}");
        }
    }
}
