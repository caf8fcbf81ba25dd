//! `tfguard.toml`, where it is found and what it counts for.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tfguard::cli::{Config, Parsed, Surroundings, parse, resolve};
use tfguard::error::Error;

use crate::cli_folder::Folder;

fn resolved(cwd: &Path, line: &str, variable: Option<(&str, &str)>) -> Result<Config, Error> {
    let Ok(Parsed::Run(args)) = parse(line.split(' ').map(OsString::from)) else { unreachable!("{line}") };
    let env = |name: &str| variable.filter(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
    resolve(*args, Surroundings { env: &env, cwd, terminal: false })
}

#[test]
fn the_nearest_file_inside_the_repository_counts() {
    let folder = Folder::new("toml-nearest");
    folder.file("tfguard.toml", "lock = \"outside\"\n");
    folder.file("repo/.git/HEAD", "");
    folder.file("repo/envs/prod/main.tf", "");
    let lock = |at: &str, line: &str| {
        resolved(&folder.path().join(at), line, None).unwrap().wish.locks.first().map(ToString::to_string)
    };
    assert_eq!(lock("repo/envs/prod", "tfguard plan"), None);
    folder.file("repo/tfguard.toml", "lock = \"repo\"\nlocal-dir = \"locks\"\nterraform-bin = \"bin/tf\"\n");
    assert_eq!(lock("repo/envs/prod", "tfguard plan").as_deref(), Some("repo"));
    assert_eq!(lock("repo", "tfguard -chdir=envs/prod plan").as_deref(), Some("repo"));
    let config = resolved(&folder.path().join("repo/envs/prod"), "tfguard plan", None).unwrap();
    assert_eq!(config.wish.local_dir, Some(folder.path().join("repo/locks")));
    assert_eq!(config.terraform_bin, Some(folder.path().join("repo/bin/tf")));
    assert_eq!(config.file, Some(folder.path().join("repo/tfguard.toml")));
    folder.file("repo/envs/tfguard.toml", "lock = \"envs\"\n");
    assert_eq!(lock("repo/envs/prod", "tfguard plan").as_deref(), Some("envs"));
}

#[test]
fn without_a_repository_only_the_directory_itself_is_looked_at() {
    let folder = Folder::outside_of_any_repository("toml-alone");
    folder.file("tfguard.toml", "lease = 60\n");
    folder.file("a/main.tf", "");
    let lease = |at: &str| resolved(&folder.path().join(at), "tfguard plan", None).unwrap().lease.length();
    assert_eq!(lease(""), Duration::from_secs(60));
    assert_eq!(lease("a"), Duration::from_secs(180));
    folder.file(".git", "gitdir: elsewhere\n");
    assert_eq!(lease("a"), Duration::from_secs(60));
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = Folder::new("toml-precedence");
    folder.file(".git", "");
    folder.file("tfguard.toml", "lock = \"file\"\n");
    let lock = |line: &str, variable| {
        resolved(folder.path(), line, variable).unwrap().wish.locks.first().map(ToString::to_string)
    };
    let variable = Some(("TFGUARD_LOCK", "variable"));
    assert_eq!(lock("tfguard plan --lock flag", variable).as_deref(), Some("flag"));
    assert_eq!(lock("tfguard plan", variable).as_deref(), Some("variable"));
    assert_eq!(lock("tfguard plan", None).as_deref(), Some("file"));
}

#[test]
fn a_wrong_file_is_78_and_named_with_its_key() {
    let folder = Folder::new("toml-wrong");
    folder.file(".git", "");
    for (text, named) in [
        ("lokc = \"x\"\n", "lokc"),
        ("lease = \"2h\"\n", "tfguard.toml: lease \"2h\""),
        ("store = \"redis\"\n", "tfguard.toml: store \"redis\""),
        ("lock = ", "line 1"),
        ("shared = true\n", "shared"),
    ] {
        folder.file("tfguard.toml", text);
        let error = resolved(folder.path(), "tfguard plan", None).unwrap_err();
        assert_eq!(error.exit_code(), 78, "{error}");
        assert!(error.to_string().contains(named) && error.to_string().contains("tfguard.toml"), "{error}");
    }
}
