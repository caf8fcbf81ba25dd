//! Much output, slow readers and readers that have gone.

use std::io::{PipeReader, Read};

use super::locks::{Locks, over_both_stores};
use crate::support::project::Project;
use crate::support::run::{Run, Started};

over_both_stores![a_reader_that_stalls_stops_nothing_but_the_output];

/// What a supervisor may use at most, in kB; a debug build is larger than the program.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 60_000;

/// Starts a run with a pipe for its stdout.
fn piped(run: Run) -> (Started, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (run.stdout(writer).start(), reader)
}

/// Runs a command that prints `lines` lines of 1000 bytes. Gives back the bytes that came out, and
/// the supervisor's peak of memory in kB as the command saw it at its end.
#[cfg(target_os = "linux")]
fn print(locks: &Locks, format: &str, lines: u64) -> (u64, u64) {
    let project = Project::empty();
    let line = "x".repeat(999);
    let script = format!(
        "yes {line} | head -n {lines}; sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$PPID/status > peak"
    );
    let run = locks.run(&project).args(["exec", "-q", "--log-format", format, "--", "sh", "-c", &script]);
    let (run, mut reader) = piped(run);
    let bytes = std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    run.finish().exits(0);
    (bytes, project.read("peak").trim().parse().unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_megabytes_take_no_more_memory_than_one() {
    let locks = Locks::local();
    // A wrapped line has its text twice, as message and as line.
    for (format, times) in [("text", 1..=1), ("json", 2..=3)] {
        let (_, little) = print(&locks, format, 1000);
        let (bytes, much) = print(&locks, format, 100_000);
        assert!(times.contains(&(bytes / 100_000_000)), "{format}: {bytes} bytes came out");
        assert!(much < MEMORY, "{format}: {much} kB");
        assert!(much < little + 8000, "{format}: {much} kB instead of {little} kB");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let locks = Locks::local();
    for format in ["text", "json"] {
        let project = Project::empty();
        let script = "yes line | head -c 1000000 && cat && echo done > done";
        let run = locks.run(&project).args(["exec", "--log-format", format, "--", "sh", "-c", script]);
        let (mut run, mut reader) = piped(run.stdin_open());
        reader.read_exact(&mut [0; 2]).unwrap();
        drop(reader);
        run.close_stdin();
        run.finish().exits(0);
        assert_eq!(project.read("done"), "done\n");
        assert_eq!(locks.last(), ("released".into(), Some(0)));
    }
}

#[test]
fn a_terraform_whose_reader_goes_away_keeps_its_state() {
    let locks = Locks::local();
    for format in ["text", "json"] {
        let project = Project::with(
            r#"
            resource "terraform_data" "work" {
              provisioner "local-exec" {
                command = "yes line | head -c 30000"
              }
            }
            "#,
        );
        let run = locks.run(&project).args(["apply", "--log-format", format, "--", "-auto-approve"]);
        let (run, reader) = piped(run);
        drop(reader);
        run.finish().exits(0);
        assert!(project.read("terraform.tfstate").contains("terraform_data"));
        assert!(!project.state_is_locked());
        assert_eq!(locks.last(), ("released".into(), Some(0)));
    }
}

/// While nobody reads, the command is held up by its full pipe, and nothing else is.
fn a_reader_that_stalls_stops_nothing_but_the_output(locks: &Locks) {
    for format in ["text", "json"] {
        let project = Project::empty();
        // More than all the pipes on the way hold.
        let line = "x".repeat(99);
        let script = format!("yes {line} | head -n 10000; echo done > done");
        let options = ["exec", "-v", "--lease", "10s", "--log-format", format, "--", "sh", "-c", &script];
        let (mut run, mut reader) = piped(locks.run(&project).args(options));
        // The first of them after a sixth of the lease; the lock outlives two.
        run.wait_for_nth("lock_renewed", 2);
        assert_eq!(project.read("done"), "");
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        let run = run.finish().exits(0);
        assert_eq!(project.read("done"), "done\n");
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().filter(|shown| match format {
            "text" => *shown == line,
            _ => serde_json::from_str::<serde_json::Value>(shown).unwrap()["line"] == *line,
        });
        assert_eq!(lines.count(), 10_000);
        assert!(!run.kinds().contains(&"lock_at_risk"));
        assert_eq!(locks.last(), ("released".into(), Some(0)));
    }
}

#[test]
fn the_lock_is_released_before_a_stalled_reader_has_read_the_rest() {
    let locks = Locks::local();
    // More than our pipe holds, and what is left over fits into the pipe of the command: 64 KiB each. A line
    // in JSON is ten times as long.
    for (format, size) in [("text", 100_000), ("json", 50_000)] {
        let project = Project::empty();
        let script = format!("yes 'a line of some length' | head -c {size}");
        let run = locks.run(&project).args(["exec", "--log-format", format, "--", "sh", "-c", &script]);
        let (mut run, mut reader) = piped(run);
        run.wait_for("lock_released");
        assert_eq!(locks.last(), ("released".into(), Some(0)));
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        run.finish().exits(0);
        match format {
            "text" => assert_eq!(bytes.len(), size),
            _ => {
                let text = String::from_utf8(bytes).unwrap();
                let of =
                    |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"] == "output";
                assert_eq!(text.lines().filter(|line| of(line)).count(), size.div_ceil(22));
            }
        }
    }
}
