//! `doctor`: looks at everything that a run needs.

use super::{course, setup};
use crate::cli::{self, Config};
use crate::doctor::{self, Subject};
use crate::error::Error;
use crate::identity;
use crate::report::{Level, Look, SharedWriter};
use crate::terraform::Directory;

/// Examines, and shows what was found.
pub(super) async fn run(config: &Config, json: bool) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let target = setup::target(config, &directory, directory.is_terraforms());
    let state = cli::state_place(&directory);
    let subject = Subject {
        directory: &directory,
        state: state.as_ref(),
        target: target.as_ref().map_err(ToString::to_string),
        terraform: course::find_terraform(config).map_err(|error| error.to_string()),
        json: config.log.format == cli::Format::Json,
        demands: config.credentials,
        lease: config.lease,
        ci: identity::is_ci(&setup::env_text),
        env: &setup::env_text,
        tfguard: program(config, &directory),
    };
    let findings = doctor::examine(&subject).await;
    let shown = if json {
        let sites = target.as_ref().map(|target| target.sites.as_slice()).unwrap_or_default();
        let locks: Vec<String> = sites.iter().map(|site| site.lock.to_string()).collect();
        doctor::json(&findings, &locks, sites.first().map(|site| site.store.describe()).as_deref())
    } else {
        let look = Look::of_stdout(config.log.colour.on_stdout());
        doctor::text(&findings, config.log.level == Level::Debug, look).into_bytes()
    };
    let _ = SharedWriter::stdout().write(&shown);
    Ok(doctor::exit_code(&findings))
}

/// `tfguard`, with the directory where it is not the present one.
fn program(config: &Config, directory: &Directory) -> String {
    let here = std::env::current_dir().is_ok_and(|here| config.directory == here);
    let dir = directory.canonical.to_string_lossy();
    let words = if here { vec!["tfguard"] } else { vec!["tfguard", "-C", &dir] };
    shlex::try_join(words).unwrap_or_else(|_| "tfguard".to_owned())
}
