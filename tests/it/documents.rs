//! What the documents say about tests is true: those that they name exist.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::schema;

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

/// For every type of event a test that sees it in what a real run says, which the tests' support checks
/// against the schema.
const SEEN: &[(&str, &str)] = &[
    ("run_started", "a_run_tells_its_course_in_order"),
    ("lock_waiting", "a_waiter_is_named_to_programs"),
    ("lock_acquired", "a_run_tells_its_course_in_order"),
    ("lock_renewed", "the_next_takes_over_from_the_dead"),
    ("lock_at_risk", "a_store_that_hangs_warns_then_interrupts_then_kills"),
    ("lock_lost", "a_lock_that_someone_took_over_interrupts_at_once_and_ends_with_76"),
    ("lock_released", "a_run_tells_its_course_in_order"),
    ("child_started", "a_run_tells_its_course_in_order"),
    ("child_exited", "a_run_tells_its_course_in_order"),
    ("output", "other_lines_are_wrapped_with_their_stream"),
    ("signal", "where_every_process_was_signalled_nothing_more_is_sent"),
    ("credentials_expiring", "without_a_margin_the_user_is_warned_and_the_command_goes_on"),
    ("state_rescued", "every_failure_is_kept_until_its_file_is_pushed_or_a_person_says_so"),
    ("state_lock_freed", "the_lock_of_a_killed_terraform_is_freed"),
    ("document", "a_policy_about_nothing_is_refused"),
    ("phase", "json_is_one_stream_of_all_phases"),
    ("drift", "none_then_some_with_real_terraform"),
    ("hook_finished", "each_event_of_a_lock_is_told_once_and_in_order"),
    ("diagnostic", "an_error_of_ours_is_a_diagnostic_on_stdout"),
    ("run_summary", "a_run_tells_its_course_in_order"),
];

#[test]
fn every_event_is_seen_in_a_real_run() {
    let mut code = String::new();
    sources(&root().join("tests"), &mut code);
    let types: Vec<&str> = SEEN.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(types, schema::event_types());
    for (kind, test) in SEEN {
        let body = code.split(&format!("fn {test}(")).nth(1).and_then(|rest| rest.split("\n}\n").next());
        let body = body.unwrap_or_else(|| panic!("there is no test {test}"));
        assert!(body.contains(&format!("\"{kind}")), "{test} does not look at a {kind}");
    }
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
