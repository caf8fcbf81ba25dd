//! `--min-session` and `--stop-before-expiry`: how long the command's own credentials last.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::program::{Ended, Run, eventually, exec, in_seconds, lender, until};
use crate::support::folder::Folder;

/// Ends with 7 when it is interrupted, after a word of good-bye.
const STOPPABLE: &str = "trap 'echo stopping; exit 7' INT; while :; do sleep 0.05; done";

struct World {
    home: Folder,
}

impl World {
    fn new() -> Self {
        Self { home: Folder::new() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A run with keys in its environment that expire in so many seconds.
    fn run(&self, seconds: i64, options: &[&str], script: &str) -> Run {
        let expiration = in_seconds(seconds);
        let vars = [("AWS_CREDENTIAL_EXPIRATION", expiration.as_str())];
        self.with(&[&session(), &vars[..]].concat(), options, script)
    }

    fn with(&self, vars: &[(&str, &str)], options: &[&str], script: &str) -> Run {
        let locks = self.file("locks");
        let store = ["--store", "local", "--local-dir", locks.to_str().unwrap()];
        exec(&self.home, &[&store[..], options].concat(), vars, script)
    }

    /// A run whose keys come from a profile, see [`lender`].
    fn profile(&self, seconds: &[i64], options: &[&str], child: &str) -> Run {
        let config = lender(&self.home, seconds);
        let vars = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_PROFILE", "ops")];
        self.with(&vars, options, child)
    }

    fn asked(&self) -> usize {
        std::fs::read_to_string(self.file("asked")).unwrap().lines().count()
    }
}

fn session() -> [(&'static str, &'static str); 3] {
    [
        ("AWS_ACCESS_KEY_ID", "ASIACOMMAND"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-command"),
        ("AWS_SESSION_TOKEN", "token-of-the-command"),
    ]
}

fn assert_says(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.text.contains(part), "{part:?} is not in:\n{}", ended.text);
    }
    for secret in ["secret-of-", "token-of-"] {
        assert!(!ended.text.contains(secret), "{secret} in:\n{}", ended.text);
    }
}

#[test]
fn a_session_that_is_too_short_starts_nothing_and_asks_for_no_lock() {
    let world = World::new();
    let expiration = in_seconds(300);
    let vars = [&session()[..], &[("AWS_CREDENTIAL_EXPIRATION", expiration.as_str())]].concat();
    let ended = world.with(&vars, &["--min-session", "10m"], "touch ran").end();
    assert_eq!(ended.code, Some(77), "{}", ended.text);
    let when = &expiration["2030-01-31T".len().."2030-01-31T12:00:00".len()];
    assert_says(
        &ended,
        &["AWS_SESSION_TOKEN", when, "--min-session asks for 10 min", "nothing was locked or run"],
    );
    assert!(!world.file("ran").exists() && !world.file("locks").exists());
    // The variable does the same.
    let vars = [&vars[..], &[("TFGUARD_MIN_SESSION", "10m")]].concat();
    assert_eq!(world.with(&vars, &[], "touch ran").end().code, Some(77));
    assert!(!world.file("ran").exists());
}

#[test]
fn a_session_that_is_long_enough_or_unknown_runs() {
    let world = World::new();
    let ended = world.run(3600, &["--min-session", "10m"], "true").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.events("credentials_expiring").is_empty());
    let ended = world.with(&session(), &["--min-session", "10m"], "true").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert_says(&ended, &["--min-session has no effect", "AWS_CREDENTIAL_EXPIRATION is not set"]);
    let keys = &session()[..2];
    let ended = world.with(keys, &["--min-session", "10m"], "true").end();
    assert!(ended.code == Some(0) && !ended.text.contains("no effect"), "{}", ended.text);
}

#[test]
fn a_session_that_the_wait_used_up_is_noticed_before_the_command_starts() {
    let world = World::new();
    let (go, ran) = (world.file("go"), world.file("ran"));
    let first = world.run(3600, &[], &until(&go));
    first.wait_for("child_started");
    let spent = Timestamp::now() + SignedDuration::from_secs(4);
    let second = world.run(12, &["--min-session", "8s"], "touch ran");
    second.wait_for("lock_waiting");
    eventually("the session to get too short", || Timestamp::now() > spent);
    std::fs::write(&go, "").unwrap();
    assert_eq!(first.end().code, Some(0));
    let ended = second.end();
    assert_eq!(ended.code, Some(77), "{}", ended.text);
    assert_says(&ended, &["--min-session asks for 8 s", "nothing more was started"]);
    assert_eq!((ended.events("lock_acquired").len(), ended.events("lock_released").len()), (1, 1));
    assert!(!ran.exists());
}

#[test]
fn a_profile_is_asked_again_before_a_run_is_refused_for_it() {
    let world = World::new();
    let go = world.file("go");
    let first = world.run(3600, &[], &until(&go));
    first.wait_for("child_started");
    let spent = Timestamp::now() + SignedDuration::from_secs(4);
    let second = world.profile(&[12, 3600], &["--min-session", "8s"], "true");
    second.wait_for("lock_waiting");
    assert_eq!(world.asked(), 1);
    eventually("the session to get too short", || Timestamp::now() > spent);
    std::fs::write(&go, "").unwrap();
    assert_eq!(first.end().code, Some(0));
    let ended = second.end();
    assert_eq!((ended.code, world.asked()), (Some(0), 2), "{}", ended.text);
    assert!(ended.events("credentials_expiring").is_empty(), "{}", ended.text);
}

#[test]
fn a_profile_whose_keys_end_too_soon_is_refused_by_name() {
    let world = World::new();
    let ended = world.profile(&[60], &["--min-session", "10m"], "true").end();
    assert_eq!(ended.code, Some(77), "{}", ended.text);
    assert_says(&ended, &["profile \\\"ops\\\"", "--min-session asks for 10 min"]);
}

#[test]
fn without_a_margin_the_user_is_warned_and_the_command_goes_on() {
    let world = World::new();
    let run = world.run(4, &[], &until(&world.file("go")));
    eventually("the end of the session", || run.count("credentials_expiring") == 2);
    std::fs::write(world.file("go"), "").unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    let [soon, over] = &ended.events("credentials_expiring")[..] else { panic!("{}", ended.text) };
    assert_eq!((&soon["@level"], &soon["stop_at"]), (&"warn".into(), &serde_json::Value::Null));
    assert!(soon["left_ms"].as_u64().unwrap() > 0 && over["left_ms"] == 0, "{soon} {over}");
    assert_says(&ended, &["expire in", "--stop-before-expiry", "credentials expired", "errored.tfstate"]);
}

#[test]
fn with_a_margin_the_command_is_interrupted_once_and_may_finish() {
    let world = World::new();
    let started = Timestamp::now();
    let ended = world.run(12, &["--stop-before-expiry", "6s"], STOPPABLE).end();
    assert_eq!(ended.code, Some(7), "{}", ended.text);
    let took = Timestamp::now().duration_since(started);
    assert!(took > SignedDuration::from_secs(5) && took < SignedDuration::from_secs(11), "{took}");
    let stops = ended.events("output").into_iter().filter(|line| line["line"] == "stopping").count();
    assert_eq!(stops, 1, "{}", ended.text);
    assert_says(&ended, &["is stopped gracefully in", "about to expire (--stop-before-expiry)"]);
    let summary = &ended.events("run_summary")[0];
    assert_eq!((&summary["outcome"], ended.events("lock_released").len()), (&"cancelled".into(), 1));
}

#[test]
fn what_would_be_stopped_at_once_is_not_started() {
    let world = World::new();
    let ended = world.run(5, &["--stop-before-expiry", "1m"], "touch ran").end();
    assert_eq!(ended.code, Some(77), "{}", ended.text);
    assert_says(&ended, &["--stop-before-expiry asks for 1 min"]);
    assert!(!world.file("ran").exists());
}

#[test]
fn a_profile_that_renews_its_keys_stops_nothing() {
    let world = World::new();
    let end = Timestamp::now() + SignedDuration::from_secs(12);
    let run = world.profile(&[12, 3600], &["--stop-before-expiry", "6s"], &until(&world.file("go")));
    run.wait_for("child_started");
    eventually("the end of the first keys", || Timestamp::now() > end);
    std::fs::write(world.file("go"), "").unwrap();
    let ended = run.end();
    assert_eq!((ended.code, world.asked()), (Some(0), 2), "{}", ended.text);
    assert!(ended.events("credentials_expiring").is_empty(), "{}", ended.text);
    assert_says(&ended, &["can be renewed"]);
}

#[test]
fn a_profile_that_does_not_renew_stops_the_command() {
    let world = World::new();
    let ended = world.profile(&[12], &["--stop-before-expiry", "6s"], STOPPABLE).end();
    assert_eq!(ended.code, Some(7), "{}", ended.text);
    assert!(world.asked() >= 2, "it was not asked again");
    assert_says(&ended, &["about to expire (--stop-before-expiry)"]);
}

#[test]
fn nobody_is_asked_without_need() {
    let world = World::new();
    let ended = world.profile(&[60], &[], "true").end();
    assert_eq!((ended.code, world.asked()), (Some(0), 0), "{}", ended.text);
}
