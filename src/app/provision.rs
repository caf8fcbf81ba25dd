//! `setup` and `policy`: what is on AWS around a lock.

use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;

use super::setup as common;
use crate::child::Arrival;
use crate::cli::config::Print;
use crate::cli::resources::{self, Decided};
use crate::cli::{Config, Format};
use crate::error::Error;
use crate::escape;
use crate::policy::{self, Role};
use crate::provision::{self, BackendFile};
use crate::report::event::{Event, Level, SignalAction};
use crate::report::{Reporter, SharedWriter, json};
use crate::terraform::{find, version, version::Version};

/// What `setup` was asked for.
pub(super) struct Order {
    pub(super) print: Option<Print>,
    pub(super) repair: bool,
    pub(super) tags: Vec<(String, String)>,
}

/// Makes what the lock needs, or writes it as code.
pub(super) async fn setup(
    config: &Config,
    order: Order,
    mut arrivals: UnboundedReceiver<Arrival>,
    reporter: &Reporter,
) -> Result<u8, Error> {
    let directory = common::inspect_for(config)?;
    let Decided { what: blueprint, chosen } = resources::blueprint(&config.wish, &directory, order.tags)?;
    tell(reporter, &chosen);
    if let Some(print) = order.print {
        let (name, code) = match print {
            Print::Terraform => ("lock.tf", provision::terraform(&blueprint)),
            Print::CloudFormation => ("lock.template.json", provision::cloudformation(&blueprint)),
        };
        hand_out(config, reporter, name, &code);
        return Ok(0);
    }
    let way = resources::way(&config.wish, &directory);
    let endpoint = way.bucket.endpoint_url.clone().or_else(|| way.table.endpoint_url.clone());
    let region = tokio::select! {
        made = provision::make(&blueprint, &way, order.repair, reporter) => made?,
        stop = stopped(&mut arrivals, reporter) => return Err(stop),
    };
    let same_bucket = |bucket: &str| blueprint.bucket.as_deref().is_none_or(|ours| ours == bucket);
    let key = default_key(&directory.canonical);
    let file = BackendFile {
        blueprint: &blueprint,
        existing: directory.s3.as_ref().filter(|s3| same_bucket(&s3.bucket)),
        key: &key,
        region: region.as_deref(),
        endpoint: endpoint.as_deref(),
        reader: reader(config),
    };
    hand_out(config, reporter, "backend.tf", &file.text());
    Ok(0)
}

/// Prints the least policy for `roles`.
pub(super) async fn policy(
    config: &Config,
    roles: &[Role],
    account: Option<String>,
    key_prefix: Option<&str>,
    reporter: &Reporter,
) -> Result<u8, Error> {
    let directory = common::inspect_for(config)?;
    let region = resources::way(&config.wish, &directory).table.region_in_force().await;
    let Decided { what: scope, chosen } =
        resources::scope(&config.wish, &directory, key_prefix, account, region)?;
    tell(reporter, &chosen);
    let document = policy::document(&scope, roles);
    hand_out(config, reporter, "policy.json", &escape::in_json(&document.pretty()));
    Ok(0)
}

fn tell(reporter: &Reporter, sentences: &[String]) {
    for sentence in sentences {
        reporter.emit(Event::say(Level::Info, sentence.clone()));
    }
}

/// Writes `text` to stdout, which has nothing else on it, or into the log where that is there.
fn hand_out(config: &Config, reporter: &Reporter, name: &'static str, text: &str) {
    match config.log.format {
        // A reader that has gone needs no text.
        Format::Text => drop(SharedWriter::stdout().write(text.as_bytes())),
        Format::Json => {
            // Behind what led to it, and also with -q, which is about messages.
            reporter.flush(super::FLUSH);
            let event = Event::Document { name, content: text.to_owned() };
            drop(SharedWriter::stdout().write(&json::line(&event, common::wall())));
        }
    }
}

/// Completes when we are asked to stop.
async fn stopped(arrivals: &mut UnboundedReceiver<Arrival>, reporter: &Reporter) -> Error {
    loop {
        let (name, number) = match arrivals.recv().await {
            Some(Arrival::Stop(arrived)) => (arrived.name, arrived.number),
            Some(Arrival::Orphaned) => ("SIGHUP", libc::SIGHUP),
            Some(Arrival::Child) => continue,
            None => std::future::pending().await,
        };
        reporter.emit(Event::Signal { name, action: SignalAction::Cancelled });
        return Error::Cancelled { name, number: u8::try_from(number).unwrap_or_default() };
    }
}

/// `<directory>/terraform.tfstate`: no two configurations of a repository share it by mistake.
fn default_key(directory: &Path) -> String {
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let tame: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    match tame.trim_start_matches('.') {
        "" => "terraform.tfstate".to_owned(),
        name => format!("{name}/terraform.tfstate"),
    }
}

/// The Terraform or OpenTofu that will read the file, as far as it can be found out.
fn reader(config: &Config) -> Option<Version> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| config.directory.clone());
    let first = config.stands_in_for.unwrap_or_default();
    let program = find::terraform(config.terraform_bin.as_deref(), first, &common::search(&cwd)).ok()?;
    version::of(&program, &config.directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_after_the_directory() {
        for (directory, key) in [
            ("/srv/infra/network", "network/terraform.tfstate"),
            ("/srv/my infra\u{1b}", "my-infra-/terraform.tfstate"),
            ("/srv/.hidden", "hidden/terraform.tfstate"),
            ("/", "terraform.tfstate"),
        ] {
            assert_eq!(default_key(Path::new(directory)), key);
        }
    }
}
