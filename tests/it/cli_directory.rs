//! What a directory's files say about its backend, its workspace and whether it needs `init`.
#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of the test functions")]

use std::ffi::OsString;

use tfguard::terraform::init::{InitPolicy, needed};
use tfguard::terraform::{Backend, Command, Directory};

use crate::cli_folder::Folder;

fn inspect(folder: &Folder) -> Directory {
    Directory::inspect(folder.path(), &|_| None).unwrap()
}

fn backend(name: &str) -> Backend {
    Backend::Type(name.into())
}

#[test]
fn the_backend_is_the_one_that_is_written() {
    for (index, (file, text, expected)) in [
        ("main.tf", "resource \"terraform_data\" \"x\" {}\n", Backend::None),
        ("main.tf", "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n  }\n}\n", backend("s3")),
        ("main.tofu", "terraform {\n  backend \"gcs\" {}\n}\n", backend("gcs")),
        ("main.tf", "\u{feff}terraform {\n  cloud {\n    organization = \"o\"\n  }\n}\n", Backend::Cloud),
        ("main.tf.json", r#"{"terraform": {"backend": {"local": {}}}}"#, backend("local")),
        ("main.tofu.json", r#"{"terraform": [{"backend": [{"http": {}}]}]}"#, backend("http")),
        ("x.tf.json", r#"{"terraform": {"cloud": {}}}"#, Backend::Cloud),
        // Not read by Terraform.
        (".hidden.tf", "terraform {\n  backend \"s3\" {}\n}\n", Backend::None),
        ("main.tf~", "terraform {\n  backend \"s3\" {}\n}\n", Backend::None),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = Folder::new(&format!("backend-{index}"));
        folder.file(file, text);
        assert_eq!(inspect(&folder).backend, expected, "{file}: {text}");
    }
}

#[test]
fn an_override_file_has_the_last_word() {
    let folder = Folder::new("override");
    folder.file("a_override.tf", "terraform {\n  backend \"local\" {}\n}\n");
    folder.file("z.tf", "terraform {\n  backend \"s3\" {}\n}\n");
    assert_eq!(inspect(&folder).backend, backend("local"));
}

#[test]
fn the_initialised_backend_wins() {
    let folder = Folder::new("initialised");
    folder.file("main.tf", "terraform {\n  backend \"s3\" {}\n}\n");
    folder
        .file(".terraform/terraform.tfstate", r#"{"version": 3, "backend": {"type": "gcs", "config": {}}}"#);
    let directory = inspect(&folder);
    assert_eq!(directory.backend, backend("gcs"));
    assert!(directory.initialised && directory.has_data_dir);
    // Without a backend the file may be there and name none.
    folder.file(".terraform/terraform.tfstate", "{\"version\": 3}");
    assert_eq!(inspect(&folder).backend, backend("s3"));
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_backend_open() {
    let folder = Folder::new("unreadable");
    folder.file("main.tf", "terraform {\n  backend s3\n");
    let directory = inspect(&folder);
    let Backend::Unreadable(cause) = &directory.backend else { unreachable!("{:?}", directory.backend) };
    assert!(cause.contains("main.tf"), "{cause}");
    assert!(needed(InitPolicy::Auto, &directory));
    // Another file that names the backend decides.
    folder.file("backend.tf", "terraform {\n  backend \"s3\" {}\n}\n");
    assert_eq!(inspect(&folder).backend, backend("s3"));
}

#[test]
fn init_is_needed_for_what_comes_from_outside() {
    for (index, (file, text, expected)) in [
        ("m.tf", "resource \"terraform_data\" \"x\" {}\ndata \"terraform_remote_state\" \"y\" {}\n", false),
        ("m.tf", "variable \"a\" {}\noutput \"b\" {\n  value = var.a\n}\nlocals {\n  c = 1\n}\n", false),
        ("m.tf", "terraform {\n  required_version = \">= 1.5\"\n  required_providers {}\n}\n", false),
        (
            "m.tf",
            "terraform {\n  required_providers {\n    aws = {\n      source = \"x/aws\"\n    }\n  }\n}\n",
            true,
        ),
        ("m.tf", "provider \"aws\" {}\n", true),
        ("m.tf", "module \"x\" {\n  source = \"./x\"\n}\n", true),
        ("m.tf", "resource \"aws_instance\" \"x\" {}\n", true),
        ("m.tf", "data \"http\" \"x\" {}\n", true),
        ("m.tf", "ephemeral \"random_password\" \"x\" {}\n", true),
        ("m.tf", "check \"c\" {\n  data \"http\" \"x\" {}\n}\n", true),
        ("m.tf", "terraform {\n  backend \"local\" {}\n}\n", true),
        ("m.tf.json", r#"{"resource": {"terraform_data": {"x": {}}}}"#, false),
        ("m.tf.json", r#"{"resource": [{"null_resource": {"x": {}}}]}"#, true),
        ("m.tf.json", r#"{"module": {"x": {"source": "./x"}}}"#, true),
        ("m.tf.json", r#"{"check": {"c": {"data": {"http": {"x": {}}}}}}"#, true),
        ("m.tf.json", "{", true),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = Folder::new(&format!("init-{index}"));
        folder.file(file, text);
        assert_eq!(needed(InitPolicy::Auto, &inspect(&folder)), expected, "{text}");
        folder.file(".terraform/providers/lock", "");
        // A backend that was written after that `init` is not set up by it.
        let new_backend = text.contains("backend");
        assert_eq!(needed(InitPolicy::Auto, &inspect(&folder)), new_backend, "{text}");
    }
}

#[test]
fn what_init_left_and_cannot_be_read_is_told() {
    let folder = Folder::new("garbage");
    folder.file("main.tf", "terraform {\n  backend \"s3\" {}\n}\n");
    folder.file(".terraform/terraform.tfstate", "<<<<<<< HEAD");
    let Backend::Unreadable(cause) = inspect(&folder).backend else { panic!("it was read") };
    assert!(cause.starts_with(".terraform/terraform.tfstate, which init writes: "), "{cause}");
    folder.file(".terraform/terraform.tfstate", "");
    assert_eq!(inspect(&folder).backend, backend("s3"));
}

#[test]
fn a_selected_workspace_alone_is_no_initialisation() {
    let folder = Folder::new("workspace");
    folder.file("m.tf", "provider \"aws\" {}\n");
    assert_eq!(inspect(&folder).workspace, "default");
    folder.file(".terraform/environment", "staging\n");
    let directory = inspect(&folder);
    assert_eq!(directory.workspace, "staging");
    assert!(directory.has_data_dir && needed(InitPolicy::Auto, &directory));
    let env = |name: &str| (name == "TF_WORKSPACE").then(|| OsString::from("prod"));
    assert_eq!(Directory::inspect(folder.path(), &env).unwrap().workspace, "prod");
}

#[test]
fn the_data_directory_may_be_elsewhere() {
    let folder = Folder::new("data-dir");
    folder.file("m.tf", "");
    folder.file("data/terraform.tfstate", r#"{"backend": {"type": "s3"}}"#);
    let env = |name: &str| (name == "TF_DATA_DIR").then(|| OsString::from("data"));
    let directory = Directory::inspect(folder.path(), &env).unwrap();
    assert_eq!(directory.backend, backend("s3"));
    assert_eq!(directory.data_dir, folder.path().join("data"));
}

#[test]
fn a_directory_without_anything_is_refused_where_something_is_needed() {
    let folder = Folder::new("empty");
    let os = |args: &[&str]| -> Vec<OsString> { args.iter().map(OsString::from).collect() };
    let empty = inspect(&folder);
    for (command, args, fine) in [
        (Command::Plan, os(&[]), false),
        (Command::Apply, os(&["-auto-approve"]), false),
        (Command::Apply, os(&["p.tfplan"]), true),
        (Command::Init, os(&[]), false),
        (Command::Init, os(&["-from-module=x"]), true),
        (Command::Destroy, os(&[]), false),
    ] {
        let result = empty.require(command, &args);
        assert_eq!(result.is_ok(), fine, "{command:?} {args:?}");
        if let Err(error) = result {
            assert_eq!(error.exit_code(), 66);
            assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
        }
    }
    folder.file("terraform.tfstate", "{}");
    assert!(inspect(&folder).require(Command::Destroy, &[]).is_ok());
}

#[test]
fn what_is_no_directory_is_66() {
    let folder = Folder::new("absent");
    let file = folder.file("x", "");
    for path in [folder.path().join("nowhere"), file] {
        let error = Directory::inspect(&path, &|_| None).unwrap_err();
        assert_eq!(error.exit_code(), 66);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_directory_is_the_same_however_it_is_reached() {
    let folder = Folder::new("links");
    folder.file("real/m.tf", "");
    std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
    let through = |name: &str| Directory::inspect(&folder.path().join(name), &|_| None).unwrap().canonical;
    assert_eq!(through("link"), through("real/../real"));
}
