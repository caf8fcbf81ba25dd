//! Which program becomes the child.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::Path;

use tfguard::terraform::find::{Name, Search, program, terraform};

use crate::cli_folder::Folder;

fn search<'a>(folder: &'a Folder, path: &str) -> Search<'a> {
    let folders = path.split(':').map(|name| folder.path().join(name));
    Search { path: std::env::join_paths(folders).ok(), base: folder.path(), own: None }
}

#[test]
fn terraform_comes_before_tofu_and_path_order_counts() {
    let folder = Folder::new("find-order");
    folder.program("a/tofu");
    let only_tofu = terraform(None, Name::Terraform, &search(&folder, "a:b")).unwrap();
    assert_eq!(only_tofu, folder.path().join("a/tofu"));
    folder.program("b/terraform");
    folder.program("c/terraform");
    let first = terraform(None, Name::Terraform, &search(&folder, "a:b:c")).unwrap();
    assert_eq!(first, folder.path().join("b/terraform"));
}

#[test]
fn ourselves_under_another_name_is_passed_over() {
    let folder = Folder::new("find-self");
    let own = folder.program("self/tfguard");
    folder.file("a/x", "");
    symlink(&own, folder.path().join("a/terraform")).unwrap();
    let ours = |path| Search { own: Some(own.clone()), ..search(&folder, path) };
    let error = terraform(None, Name::Terraform, &ours("a")).unwrap_err();
    assert_eq!(error.exit_code(), 127);
    let real = folder.program("b/terraform");
    assert_eq!(terraform(None, Name::Terraform, &ours("a:b")).unwrap(), real);
    let error = terraform(Some(Path::new("a/terraform")), Name::Terraform, &ours("b")).unwrap_err();
    assert_eq!(error.exit_code(), 126);
    assert!(error.to_string().contains("tfguard itself"), "{error}");
}

#[test]
fn what_is_missing_or_cannot_run_is_told_apart() {
    let folder = Folder::new("find-errors");
    folder.file("a/terraform", "");
    let error = terraform(None, Name::Terraform, &search(&folder, "a")).unwrap_err();
    assert_eq!(error.exit_code(), 126, "{error}");
    assert!(error.to_string().contains("a/terraform is not executable"), "{error}");
    let error = terraform(None, Name::Terraform, &search(&folder, "b")).unwrap_err();
    assert_eq!(error.exit_code(), 127, "{error}");
    assert!(error.to_string().contains("--terraform-bin"), "{error}");
    let none = Search { path: None, base: folder.path(), own: None };
    assert_eq!(terraform(None, Name::Terraform, &none).unwrap_err().exit_code(), 127);
    for (given, code) in
        [("a/terraform", 126), ("a", 127), ("./a", 126), ("a/none", 127), ("a/terraform/x", 126)]
    {
        let error = terraform(Some(Path::new(given)), Name::Terraform, &search(&folder, "b")).unwrap_err();
        assert_eq!(error.exit_code(), code, "{given}: {error}");
        assert!(error.to_string().contains("--terraform-bin"), "{error}");
    }
}

#[test]
fn a_command_is_a_path_or_a_name_on_path() {
    let folder = Folder::new("find-exec");
    let script = folder.program("deploy.sh");
    let tool = folder.program("bin/tool");
    let search = search(&folder, "bin");
    assert_eq!(program(OsStr::new("tool"), &search).unwrap(), tool);
    assert_eq!(program(OsStr::new("./deploy.sh"), &search).unwrap().canonicalize().unwrap(), script);
    assert_eq!(program(script.as_os_str(), &search).unwrap(), script);
    // As for a shell: the current directory is not on PATH.
    assert_eq!(program(OsStr::new("deploy.sh"), &search).unwrap_err().exit_code(), 127);
}
