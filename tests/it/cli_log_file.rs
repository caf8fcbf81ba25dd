//! `--log-file`: NDJSON whatever the format, for nobody else's eyes.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tfguard::report::reporter::open_log_file;
use tfguard::report::{Destination, Event, Level, Reporter, Screen, SharedWriter};

use crate::cli_folder::Folder;

const BOUND: Duration = Duration::from_secs(20);

#[test]
fn events_are_appended_also_when_the_terminal_is_quiet() {
    let folder = Folder::new("log-file");
    let path = folder.path().join("log");
    for text in ["first", "second"] {
        let quiet = Destination::Text { out: SharedWriter::new(std::io::sink()), screen: Screen::PLAIN };
        let file = open_log_file(&path).unwrap();
        let reporter =
            Reporter::start(quiet, Level::Warn, Some(file), || jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert!(reporter.wants(Level::Info) && !reporter.wants(Level::Debug));
        reporter.emit(Event::say(Level::Debug, "left out"));
        reporter.emit(Event::say(Level::Info, text));
        assert!(reporter.flush(BOUND));
    }
    let lines: Vec<serde_json::Value> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summaries: Vec<&str> =
        lines.iter().map(|line| line["diagnostic"]["summary"].as_str().unwrap()).collect();
    assert_eq!(summaries, ["first", "second"]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_opened_is_78() {
    let folder = Folder::new("log-file-absent");
    let error = open_log_file(&folder.path().join("none/log")).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("none/log"), "{error}");
}
