//! The action on a bad day: cancelled, killed, its runner gone.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::job::{Blow, FULL, Job, QUICK, Step};
use crate::guardian::process::{gone, is_alive, signal};
use crate::guardian::stage::{LEASE, Over, Stage, wait_for};
use crate::support::fault::Fault;

/// How often Terraform was interrupted, by its own account.
fn interrupts(job: &Job<'_>) -> usize {
    let printed = String::from_utf8_lossy(&job.printed()).into_owned();
    assert!(!printed.contains("Two interrupts received"), "{printed}");
    printed.matches("Interrupt received.").count()
}

fn queue(stage: &Stage) -> usize {
    stage.status()["queue"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_cancelled_apply_stops_gracefully_within_the_step() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    assert_eq!(step.cancel(FULL), Blow::Interrupt);
    step.end().exits(1).says(&["Gracefully shutting down", "lock stage released"]);
    assert_eq!(interrupts(&job), 1);
    assert!(
        job.page("main").starts_with("<h3>🚫 tfguard apply: cancelled (planned: 1 to add, "),
        "{}",
        job.page("main")
    );
    assert_eq!(job.post().exits(0).raw, b"");
    stage.assert_clean();
}

/// While it plans: Terraform reads a data source that takes long, here a state that does.
#[test]
fn a_cancelled_plan_leaves_nothing() {
    let stage = Stage::new(Over::Local);
    stage.state.slow_down(Duration::from_secs(1));
    let job = Job::new(&stage, "run", "0").with(&[("command", "plan"), ("auto-approve", "false")]);
    let step = job.main();
    step.wait_for("lock stage acquired");
    wait_for("Terraform to run", || stage.path("pid.run").exists());
    step.cancel(FULL);
    let ended = step.end();
    assert!(ended.code.is_some(), "{}", ended.text());
    assert!(interrupts(&job) <= 1);
    job.post().exits(0);
    assert_eq!(job.sweep(), 0);
    stage.assert_clean();
}

/// The state takes longer to be written than the runner waits: `post` sees it through.
fn cancelled_and_followed(patience: super::job::Patience, state: Duration, over: Over) -> Duration {
    let stage = Stage::new(over);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    stage.state.slow_down(state);
    let start = Instant::now();
    assert_eq!(step.cancel(patience), Blow::Terminate);
    let main = step.end().exits(130).says(&["post step"]);
    assert!(!stage.is_free(), "released while Terraform writes its state");
    assert_eq!(job.output("outcome"), "cancelled");
    assert_eq!(job.page("main"), "", "nothing is known yet");
    let post = job.post().exits(0).says(&["following it for up to 240 s", "lock stage released"]);
    let took = start.elapsed();
    assert!(stage.is_free());
    // What nobody would have read in the step's own is in that of `post`.
    assert!(
        job.page("post").starts_with("<h3>🚫 tfguard apply: cancelled (planned: 1 to add, "),
        "{}",
        job.page("post")
    );
    let error = "::error file=main.tf,line=12,title=local-exec provisioner error::";
    assert!(post.commands.iter().any(|command| command.starts_with(error)), "{:?}", post.commands);
    assert!(!post.text().contains("died without a word"), "{}", post.text());
    assert_eq!(interrupts(&job), 1);
    assert_eq!(stage.outcome(), "released");
    // Together they show all that was printed, and nothing twice.
    let ours = |line: &&str| !line.starts_with("tfguard: the run goes on stopping");
    let shown = [main.shown, post.shown].concat();
    let shown = String::from_utf8(shown).unwrap();
    let shown: Vec<&str> = shown.lines().filter(ours).collect();
    let printed = String::from_utf8(job.printed()).unwrap();
    assert_eq!(shown, printed.lines().collect::<Vec<_>>());
    assert_eq!(job.sweep(), 0);
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
    took
}

#[test]
fn what_takes_longer_than_the_step_is_followed_by_post() {
    cancelled_and_followed(QUICK, Duration::from_millis(1500), Over::Dynamo);
}

/// The runner's own times, and a Terraform that needs 20 s.
#[test]
fn in_full_length_what_takes_longer_than_the_step_is_followed_by_post() {
    let took = cancelled_and_followed(FULL, Duration::from_secs(7), Over::Local);
    println!("measured: released {took:?} after the cancel");
    assert!(took >= Duration::from_secs(20), "{took:?}: Terraform was not slow enough to show anything");
}

/// What is on its way to the store when everything is killed: no event tells of it but the first.
#[test]
fn who_was_killed_before_it_could_say_that_it_waits_is_taken_out_too() {
    let stage = Stage::new(Over::Dynamo);
    let holder = stage.working("holder", &[]);
    let job = Job::new(&stage, "run", "0");
    stage.proxy.set_for("PutItem", Fault::Late(Duration::from_secs(30)));
    let step = job.main();
    // Its entry is there, and it does not know.
    wait_for("the entry", || queue(&stage) == 1);
    let log = std::fs::read_to_string(job.file("events.ndjson")).unwrap();
    assert!(log.contains("\"run_started\"") && !log.contains("lock_waiting"), "{log}");
    step.kill();
    signal(job.supervisor(), libc::SIGKILL);
    gone(job.supervisor());
    step.child_is_reaped();
    stage.proxy.set(Fault::None);
    job.post().exits(0).says(&["took out what the killed run had left"]);
    assert_eq!(queue(&stage), 0);
    let page = job.page("post");
    for part in [
        "<h3>💀 tfguard apply: tfguard itself was killed</h3>",
        "Ended by</th><td>this job, when nothing of the run was alive any more",
        "<code>stage</code>: taken out by this job",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!stage.is_free() && is_alive(holder.terraform()));
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// `main` was killed between the start of tfguard and its own note of it.
#[test]
fn post_finds_a_run_of_which_main_has_noted_no_number() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    stage.state.slow_down(Duration::from_secs(1));
    let note = job.file("run.json");
    let text = std::fs::read_to_string(&note).unwrap();
    let mut facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    (facts["pid"], facts["start"]) = (serde_json::Value::Null, serde_json::Value::Null);
    std::fs::write(&note, facts.to_string()).unwrap();
    step.kill();
    step.child_is_reaped();
    job.post().exits(0).says(&["following it for up to", "lock stage released"]);
    assert_eq!(interrupts(&job), 1);
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
}

/// Two steps of one job, in one temporary folder: each `post` knows its own run only.
#[test]
fn two_uses_in_one_job_do_not_meet() {
    let stage = Stage::new(Over::Dynamo);
    let first = Job::new(&stage, "first", "60");
    let first_step = first.working();
    let second = Job::new(&stage, "second", "0").in_the_job_of(&first);
    let second_step = second.main();
    second_step.wait_for("waiting for lock stage");
    second_step.kill();
    signal(second.supervisor(), libc::SIGKILL);
    second_step.child_is_reaped();
    second.post().exits(0).says(&["took out what the killed run had left"]);
    assert_eq!(queue(&stage), 0);
    assert!(!stage.is_free() && first_step.lives());
    assert_eq!(first_step.cancel(FULL), Blow::Interrupt);
    first_step.end().exits(1);
    assert_eq!(first.post().exits(0).raw, b"");
    assert!(first.page("main").contains("cancelled"), "{}", first.page("main"));
    stage.assert_clean();
}

#[test]
fn a_cancelled_waiter_leaves_the_queue_and_the_holder_alone() {
    let stage = Stage::new(Over::Dynamo);
    let holder = stage.working("holder", &[]);
    let job = Job::new(&stage, "run", "0");
    let step = job.main();
    step.wait_for("waiting for lock stage");
    assert_eq!(step.cancel(FULL), Blow::Interrupt);
    step.end().exits(130);
    assert_eq!(job.output("outcome"), "cancelled");
    assert_eq!(queue(&stage), 0);
    assert_eq!(job.post().exits(0).raw, b"");
    assert!(!stage.is_free() && is_alive(holder.terraform()));
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// github-action-locks#6: the clean-up of a waiter frees the holder's lock.
#[test]
fn the_cleanup_of_a_killed_waiter_takes_out_its_own_entry_only() {
    let stage = Stage::new(Over::Dynamo);
    let holder = stage.working("holder", &[]);
    let job = Job::new(&stage, "run", "0");
    let step = job.main();
    step.wait_for("waiting for lock stage");
    step.kill();
    signal(job.supervisor(), libc::SIGKILL);
    gone(job.supervisor());
    step.child_is_reaped();
    assert_eq!(queue(&stage), 1);
    job.post().exits(0).says(&["took out what the killed run had left"]);
    assert_eq!(queue(&stage), 0);
    assert!(!stage.is_free() && is_alive(holder.terraform()));
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
    stage.assert_clean();
}

/// The system's memory killer takes `main`: tfguard notices, stops, and `post` follows.
#[test]
fn when_main_is_killed_the_run_stops_and_post_follows() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    stage.state.slow_down(Duration::from_secs(1));
    step.kill();
    step.child_is_reaped();
    job.post().exits(0).says(&["lock stage released"]);
    assert_eq!(interrupts(&job), 1);
    assert_eq!(stage.outcome(), "released");
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
}

/// tfguard itself is killed: the step ends when its guardian has stopped Terraform and released.
#[test]
fn when_tfguard_is_killed_the_step_waits_for_its_guardian() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    stage.state.slow_down(Duration::from_secs(1));
    signal(job.supervisor(), libc::SIGKILL);
    let ended =
        step.end().exits(137).says(&["the supervisor of lock stage was killed", "lock stage released"]);
    let error = "::error title=tfguard::tfguard itself was killed";
    assert!(ended.commands.iter().any(|command| command.starts_with(error)), "{:?}", ended.commands);
    let page = job.page("main");
    for part in [
        "<h3>💀 tfguard apply: tfguard itself was killed</h3>",
        "Ended by</th><td>its guardian, see below</td>",
        "<code>stage</code>, generation ",
        ": released</td>",
        "<li>the supervisor of lock stage was killed; its guardian is stopping its command</li>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert_eq!(interrupts(&job), 1);
    assert_eq!(stage.outcome(), "crashed");
    assert_eq!(job.post().exits(0).raw, b"");
    stage.state.slow_down(Duration::ZERO);
    stage.assert_clean();
}

/// Everything that belongs to the run is killed at once. Nobody is left who could release, so
/// `post` does, by the run's own session.
#[test]
fn when_everything_is_killed_post_releases_what_is_ours() {
    let stage = Stage::new(Over::Dynamo);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    step.kill();
    // So that no guardian is posted anew in between.
    signal(job.supervisor(), libc::SIGSTOP);
    job.processes().into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
    wait_for("all of it to be dead", || job.processes().is_empty());
    step.child_is_reaped();
    assert!(!stage.is_free());
    let start = Instant::now();
    job.post().exits(0).says(&["took out what the killed run had left"]);
    let took = start.elapsed();
    println!("measured: released {took:?} after everything was killed");
    assert!(took < LEASE / 2, "{took:?}: the lease could have ended by itself");
    assert!(stage.is_free());
    assert!(job.page("post").contains(": taken out by this job when nothing"), "{}", job.page("post"));
    assert_eq!(stage.outcome(), "forced");
    stage.state.force_unlock();
    stage.assert_clean();
}

/// When the job's time is over, what does not stop is killed, and tfguard still releases.
#[test]
fn what_does_not_stop_in_time_is_killed_and_the_lock_released() {
    let stage = Stage::new(Over::Local);
    let script = "sh -c 'trap \"\" INT; touch \"$STAGE/ready.run\"; while :; do sleep 0.1; done'";
    let job = Job::new(&stage, "run", "0").exec(script).with(&[("stop-budget", "2s")]);
    let step = job.working();
    assert_eq!(step.cancel(QUICK), Blow::Terminate);
    step.end().exits(130);
    assert!(!stage.is_free());
    let post = job.post().exits(0);
    assert!(post.commands.iter().any(|line| line.contains("did not stop in time")), "{}", post.text());
    assert!(stage.is_free());
    assert_eq!(stage.outcome(), "crashed");
    assert_eq!(job.sweep(), 0);
    stage.assert_clean();
}

/// The runner is killed with the job under way. Nothing of the job hears of it but by the death
/// of its parent.
#[test]
fn when_the_runner_is_gone_the_run_stops_and_nothing_is_left() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let node = job.node("main");
    // Not a shell, which drops variables that have a hyphen in their name, as those of inputs do.
    let start = "const [program, ...args] = process.argv.slice(1); \
                 require('child_process').spawn(program, args, { stdio: 'inherit' })";
    let mut runner = Command::new("node");
    runner.args(["-e", start]).arg(node.get_program()).args(node.get_args());
    runner.current_dir(stage.path("")).env_clear();
    runner.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
    runner.stdin(Stdio::null());
    let step = Step::start(runner);
    let ready = stage.path("ready.run");
    wait_for("the command to work", || ready.exists());
    step.kill();
    step.end();
    wait_for("everything of the run to be gone", || job.processes().is_empty());
    assert_eq!(interrupts(&job), 1);
    assert_eq!(stage.outcome(), "released");
    stage.assert_clean();
}

/// There was no `post`, and the runner kills what is left by its mark. The guardian has none.
#[test]
fn the_runners_own_cleanup_does_not_leave_the_lock() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    step.kill();
    assert!(job.sweep() >= 2, "tfguard and Terraform have the runner's mark");
    wait_for("the release", || stage.is_free());
    assert_eq!(stage.outcome(), "crashed");
    drop(step);
    if stage.state.lock().is_some() {
        stage.state.force_unlock();
    }
    stage.assert_clean();
}

#[test]
fn post_without_main_does_nothing() {
    let stage = Stage::new(Over::Local);
    let holder = stage.working("holder", &[]);
    // It never ran.
    let job = Job::new(&stage, "run", "0");
    assert_eq!(job.post().exits(0).raw, b"");
    // It was killed before it started anything.
    let folder = job.path("temp").join("tfguard-run-x");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(job.path("state"), format!("run<<d\n{}\nd\n", folder.display())).unwrap();
    assert_eq!(job.post().exits(0).raw, b"");
    assert!(!stage.is_free());
    signal(holder.supervisor(), libc::SIGTERM);
    holder.end();
}

/// In a container the runner's signals end at the client that started `main` there.
#[test]
fn post_interrupts_a_run_that_no_signal_has_reached() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "60");
    let step = job.working();
    let post = job.post().exits(0).says(&["lock stage released"]);
    assert_eq!(interrupts(&job), 1, "{}", post.text());
    step.end();
    stage.assert_clean();
}
