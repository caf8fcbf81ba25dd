//! Tests whose outcome must not depend on who runs them: each runs again in a process of its own
//! with an environment that holds nothing but what the test gave it.

use std::process::Command;

use super::folder::Folder;

/// Says to the process which test it is there for.
const MARK: &str = "TFGUARD_TEST_ISOLATED";

/// Runs `body` in a process with a clean environment and `vars`. `test` is the path of the calling
/// test, `module_path!()` and its name.
///
/// There is no home, no AWS file, no instance metadata and no CA certificate in it.
///
/// Says whether this is that process: a test that goes on to do more is done then.
pub(crate) fn isolated(test: &str, vars: &[(&str, &str)], body: impl FnOnce()) -> bool {
    if std::env::var(MARK).is_ok_and(|mark| mark == test) {
        body();
        return true;
    }
    let home = Folder::new();
    let output = again(test, home.path()).envs(vars.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "no such test: {test}");
    false
}

/// A command that runs only `test`, in a process with a clean environment.
pub(crate) fn again(test: &str, home: &std::path::Path) -> Command {
    let (_, name) = test.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(MARK, test)
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", std::env::temp_dir())
        .env("AWS_CONFIG_FILE", home.join("no-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", home.join("no-credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SSL_CERT_FILE", home.join("no-certificates"))
        .env("SSL_CERT_DIR", home);
    command
}

/// Runs a future on a runtime like the program's own: one thread, and those for blocking calls.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
