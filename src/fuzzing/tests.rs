//! Everything that is kept in `fuzz/seeds`, also what once failed, through the same functions.

use std::path::Path;

/// Gives each file of `fuzz/seeds/NAME` to `target`.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there is nothing in {}", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let held = std::panic::catch_unwind(|| target(&bytes));
        assert!(held.is_ok(), "{} shows what is wrong, see above", file.display());
    }
}

#[test]
fn records() {
    replay("record", super::record);
}

#[test]
fn past_runs() {
    replay("past_run", super::past_run);
}

#[test]
fn terraforms_output() {
    replay("terraform_output", super::terraform_output);
}

#[test]
fn plans() {
    replay("plan", super::plan);
}

#[test]
fn backends() {
    replay("backend", super::backend);
}

#[test]
fn texts() {
    replay("text", super::text);
}

/// A target that is in `fuzz/` is replayed here, and has something to begin with.
#[test]
fn every_target_is_replayed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let here = include_str!("tests.rs");
    let targets: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"targets/")?.strip_suffix(".rs\""))
        .collect();
    assert!(targets.len() >= 6, "{targets:?}");
    for target in targets {
        assert!(here.contains(&format!("replay(\"{target}\", super::{target});")), "{target}");
    }
}
