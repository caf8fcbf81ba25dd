//! Where a page is written to.

use std::os::unix::fs::PermissionsExt;

use crate::e2e::locks::Locks;
use crate::support::project::Project;

#[test]
fn a_page_is_written_whole_for_its_owner_only() {
    let (locks, project) = (Locks::local(), Project::hello());
    locks.run(&project).args(["exec", "--", "true"]).output().exits(0);
    let before = project.entries();
    project.write("page.html", "something older");
    let path = project.path("page.html");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = locks.run(&project).args(["history", "--html", "page.html"]).output().exits(0);
    done.says(&["page.html written, 1 runs in "]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let page = project.read("page.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let added: Vec<String> = project.entries().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(added, ["page.html"]);

    let shown = locks.run(&project).args(["history", "--html", "-"]).output().exits(0);
    assert!(shown.stdout_text().starts_with("<!DOCTYPE html>"));
    assert_eq!(shown.stderr, "");
}

#[test]
fn what_is_no_file_is_not_written_over() {
    let (locks, project) = (Locks::local(), Project::hello());
    project.write("folder/keep", "");
    let refused = |target: &str, code: i32, says: &str| {
        locks.run(&project).args(["history", "--html", target]).output().exits(code).says(&[says]);
    };
    refused("folder", 64, "it is a directory; give a file");
    refused("/dev/null", 64, "it is no regular file; give one, or - for stdout");
    refused("", 64, "a value is required for '--html <FILE>'");
    refused("nowhere/page.html", 78, "nowhere/page.html cannot be written: No such file or directory");
    assert_eq!(project.entries(), ["folder", "main.tf"]);
    let both = ["history", "--html", "x", "--json"];
    locks.run(&project).args(both).output().exits(64);
    let twice = ["history", "--html", "-", "--log-format", "json"];
    locks.run(&project).args(twice).output().exits(64);
}
