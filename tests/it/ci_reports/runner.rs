//! The part of a GitHub runner that reads a step's two streams, each on a thread of its own, and
//! obeys the lines that are commands.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Sender, channel};

use crate::support::run::{Finished, Run};

/// How a step's streams reach the runner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Streams {
    /// Both are one pipe.
    One,
    /// As the runner has it.
    Two,
}

/// What the runner has obeyed and shown.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Name and properties, and the text.
    pub(super) commands: Vec<(String, String)>,
    /// Everything else.
    pub(super) lines: Vec<String>,
    stopped: Option<String>,
}

impl Heard {
    fn line(&mut self, line: String) {
        let command = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"));
        let command = command.map(|(name, text)| (name.to_owned(), text.to_owned()));
        match (&self.stopped, command) {
            (Some(token), Some((name, _))) if name == *token => self.stopped = None,
            (None, Some((name, text))) => {
                if name == "stop-commands" {
                    self.stopped = Some(text);
                } else {
                    self.commands.push((name, text));
                }
            }
            _ => self.lines.push(line),
        }
    }

    /// The texts of the commands whose name and properties begin like this.
    pub(super) fn of(&self, start: &str) -> Vec<&str> {
        self.commands
            .iter()
            .filter(|(name, _)| name.starts_with(start))
            .map(|(_, text)| text.as_str())
            .collect()
    }

    /// Whether commands are obeyed at the end.
    pub(super) fn listens(&self) -> bool {
        self.stopped.is_none()
    }
}

/// Runs a step to its end.
pub(super) fn step(run: Run, streams: Streams) -> (Finished, Heard) {
    let (lines, heard) = channel();
    let (out, stdout) = std::io::pipe().unwrap();
    let (err, stderr) = match streams {
        Streams::One => (None, stdout.try_clone().unwrap()),
        Streams::Two => {
            let (err, stderr) = std::io::pipe().unwrap();
            (Some(err), stderr)
        }
    };
    let run = run.env("GITHUB_ACTIONS", "true").stdout(stdout).stderr(stderr).start();
    read(out, lines.clone());
    if let Some(err) = err {
        read(err, lines.clone());
    }
    drop(lines);
    let mut all = Heard::default();
    heard.iter().for_each(|line| all.line(line));
    (run.finish(), all)
}

fn read(pipe: std::io::PipeReader, lines: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let _ = lines.send(String::from_utf8_lossy(&line.unwrap()).into_owned());
        }
    });
}
