//! Asking Terraform about its lock.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::terraform::lock_info::LockInfo;

/// An ID that no lock has.
const NO_LOCK: &str = "tfguard-probe";
/// A resource that no state has.
const NO_RESOURCE: &str = "terraform_data.tfguard_probe";
/// How long Terraform may take. It talks to the backend a few times.
const BOUND: Duration = Duration::from_secs(60);
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// More than this is not read of what it prints.
const MOST: u64 = 256 * 1024;

/// The Terraform that worked on the state, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terraform {
    /// The program.
    pub program: PathBuf,
    /// The directory that it ran in.
    pub dir: PathBuf,
    /// The backend compares the ID before it frees a lock. Not all do: `http` frees whatever is
    /// there.
    pub compares_ids: bool,
}

/// What Terraform says of its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// There is none.
    Free,
    /// It is this one.
    Locked(LockInfo),
    /// It could not be found out: what Terraform printed.
    Unknown(String),
}

impl Terraform {
    /// The lock on the state, or `None` where there is none, or none that the backend describes.
    ///
    /// Where IDs are compared, freeing one that no lock has changes nothing. Elsewhere Terraform is
    /// asked to take the lock for a change of nothing, which it gives back at once.
    pub(super) async fn lock(&self) -> Option<LockInfo> {
        let (_, printed) =
            if self.compares_ids { self.force_unlock(NO_LOCK).await? } else { self.untaint().await? };
        LockInfo::find(&printed)
    }

    /// As [`Terraform::lock`], for who has to know whether there is none. Only where IDs are not
    /// compared: elsewhere Terraform fails in either case.
    pub async fn probe(&self) -> Probed {
        match self.untaint().await {
            None => Probed::Unknown("terraform gave no answer".to_owned()),
            Some((true, _)) => Probed::Free,
            Some((false, printed)) => match LockInfo::find(&printed) {
                Some(info) => Probed::Locked(info),
                None => Probed::Unknown(printed),
            },
        }
    }

    async fn untaint(&self) -> Option<(bool, String)> {
        self.run(&["untaint", "-allow-missing", "-lock-timeout=0s", "-no-color", NO_RESOURCE]).await
    }

    /// Frees the lock `id`. Whether that succeeded, and what Terraform printed.
    pub async fn force_unlock(&self, id: &str) -> Option<(bool, String)> {
        self.run(&["force-unlock", "-force", "-no-color", id]).await
    }

    async fn run(&self, args: &[&str]) -> Option<(bool, String)> {
        let mut command = Command::new(&self.program);
        // A group of its own: a Ctrl-C is for us to hear.
        command.args(args).current_dir(&self.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
            .env("TF_IN_AUTOMATION", "1")
            .env_remove("TF_CLI_ARGS")
            .env_remove("TF_CLI_ARGS_force_unlock")
            .env_remove("TF_CLI_ARGS_untaint");
        // Off this thread, which has heartbeats to send.
        tokio::task::spawn_blocking(move || run(command)).await.ok().flatten()
    }
}

fn run(mut command: Command) -> Option<(bool, String)> {
    let mut child = command.spawn().ok()?;
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    let readers: Vec<_> = streams
        .into_iter()
        .flatten()
        .map(|stream| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = stream.take(MOST).read_to_end(&mut text);
                text
            })
        })
        .collect();
    let mut waited = Duration::ZERO;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if waited < BOUND => {
                std::thread::sleep(LOOK);
                waited += LOOK;
            }
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let printed: Vec<u8> = readers.into_iter().filter_map(|reader| reader.join().ok()).flatten().collect();
    Some((status.success(), String::from_utf8_lossy(&printed).into_owned()))
}
