//! Asking a program which Terraform it is.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clock::SystemClock;
use crate::terraform::version::Version;

/// How long the program may take. A version manager may have to look around first.
const BOUND: Duration = Duration::from_secs(20);
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// More than this is not read of what it prints.
const MOST: u64 = 64 * 1024;

/// Asks `program`, in `dir`, where a version manager may find which one is wanted.
///
/// # Errors
/// A clause that says what went wrong.
pub(in crate::doctor) async fn version(program: &Path, dir: &Path) -> Result<Version, String> {
    let mut command = Command::new(program);
    // A group of its own: a Ctrl-C is for us to hear.
    command.arg("version").current_dir(dir).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("CHECKPOINT_DISABLE", "1").env_remove("TF_CLI_ARGS").env_remove("TF_CLI_ARGS_version");
    let printed = tokio::task::spawn_blocking(move || run(command)).await;
    let printed = printed.map_err(|_| "asking it broke off".to_owned())??;
    Version::parse(&printed).ok_or_else(|| "what it prints is no version of Terraform or OpenTofu".to_owned())
}

fn run(mut command: Command) -> Result<String, String> {
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let stream = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stream.map(|stream| stream.take(MOST).read_to_end(&mut text));
        text
    });
    let end = SystemClock.mono() + BOUND;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if SystemClock.mono() < end => std::thread::sleep(LOOK),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} s", BOUND.as_secs()));
            }
        }
    };
    if !status.success() {
        return Err(format!("`version` ended with {status}"));
    }
    // A grandchild that keeps the stream open keeps us for the bound at most.
    while !reader.is_finished() && SystemClock.mono() < end {
        std::thread::sleep(LOOK);
    }
    if !reader.is_finished() {
        return Err("its output does not end".to_owned());
    }
    let printed = reader.join().map_err(|_| "reading its output broke off".to_owned())?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}
