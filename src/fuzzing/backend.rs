//! Configuration, `-backend-config` and what `init` has saved.

use super::{assert_harmless, now};
use crate::report::{Event, Level, Look, text};
use crate::terraform::backend::{Configured, Settings, between, differences, given};
use crate::terraform::configuration::{Configuration, Syntax};
use crate::terraform::directory::saved_backend;

/// What stands between the saved backend and the configuration in one input.
const BETWEEN: &str = "\n---\n";

/// No text is too much for it, what it names is a lock's name or a sentence, and neither does harm. A
/// setting's value is no part of what is shown for developers.
pub fn backend(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (saved, written) = text.split_once(BETWEEN).unwrap_or((text, text));
    let none = |_: &str| None;
    let saved = saved_backend(saved, ".terraform/terraform.tfstate", &none);
    let mut backends = Vec::new();
    for syntax in [Syntax::Native, Syntax::Json] {
        let mut configuration = Configuration::default();
        match configuration.take(written, "main.tf", syntax) {
            Ok(()) => backends.extend(configuration.backend.map(|written| Configured {
                kind: written.kind,
                settings: written.settings,
                origin: written.origin,
            })),
            Err(cause) => said(&cause),
        }
    }
    for json in [false, true] {
        match given::parse(written, json, "-backend-config=x") {
            Ok(settings) => backends.extend(of_every_type(&settings)),
            Err(cause) => said(&cause),
        }
    }
    backends.extend(of_every_type(&pairs(written)));
    match &saved {
        Ok(Some((initialised, saved))) => {
            told(initialised);
            said(&differences(initialised, saved, None).join(", "));
            for written in &backends {
                said(&differences(initialised, saved, Some(written)).join(", "));
                said(&between(initialised, written).join(", "));
            }
        }
        Ok(None) => {}
        Err(cause) => said(cause),
    }
    backends.iter().for_each(told);
}

/// The lines as `-backend-config=LINE`.
fn pairs(text: &str) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')).take(50) {
        settings.set(name.trim(), given::pair(name.trim(), value), "-backend-config");
    }
    settings
}

const TYPES: [&str; 17] = [
    "s3",
    "gcs",
    "azurerm",
    "http",
    "pg",
    "consul",
    "kubernetes",
    "remote",
    "cloud",
    "oss",
    "cos",
    "oci",
    "etcdv3",
    "etcd",
    "artifactory",
    "swift",
    "local",
];

fn of_every_type(settings: &Settings) -> impl Iterator<Item = Configured> {
    TYPES.iter().map(|kind| Configured {
        kind: (*kind).to_owned(),
        settings: settings.clone(),
        origin: "backend block in main.tf:1".into(),
    })
}

fn told(backend: &Configured) {
    assert_harmless(&backend.shown());
    for workspace in ["default", "dev"] {
        if let Ok(name) = backend.lock_name(workspace) {
            assert_harmless(name.as_str());
            assert!(!name.as_str().contains('#') && name.as_str().len() <= 1024);
            if let Some(s3) = backend.s3() {
                assert!(!s3.bucket.is_empty() && !s3.key.is_empty());
            }
        }
    }
}

/// Foreign words in a sentence of ours.
fn said(words: &str) {
    let event = Event::say(Level::Warn, words);
    assert_harmless(&text::lines(&event, now(), Look::PLAIN));
}
