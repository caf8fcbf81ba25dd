//! What is on the screen follows what happens, and keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{hold, release, run, terminal};
use crate::e2e::locks::{Locks, TABLE, over_both_stores};
use crate::support::dynamo::{Engine, Shape};
use crate::support::http::{Reply, Server, forward};
use crate::support::project::Project;
use crate::support::tmux::Tmux;

over_both_stores![one_lock_from_free_to_free, all_locks_and_one_of_them];

fn one_lock_from_free_to_free(locks: &Locks) {
    let project = Project::hello();
    let screen = terminal(locks, &project);
    screen.watch("");
    screen.wait_for("free, never held");
    screen.is_taken();
    let holder = hold(locks, &project, "alice", "e2e");
    let held = screen.wait_for("HOLDER ");
    for part in ["● alice on ", "\n   cat\n", "running · held for ", "lease ████", "of 3 min left"]
    {
        assert!(held.contains(part), "{part:?} is not in\n{held}");
    }
    let mut waiter = run(locks, &project, "bob", "e2e").args(["exec", "--", "true"]).start();
    waiter.wait_for("lock_waiting");
    let queue = screen.wait_for("QUEUE ");
    assert!(queue.contains("\n 1 bob on "), "{queue}");
    release(holder);
    waiter.finish().exits(0);
    let over = screen.wait_until("both runs in the history", |screen| {
        screen.contains("○ free for ") && screen.contains("\n ✓ 2 ") && screen.contains("\n ✓ 1 ")
    });
    assert!(over.contains("succeeded") && !over.contains("QUEUE"), "{over}");
    screen.press(&["q"]);
    screen.is_given_back(0);
}

fn all_locks_and_one_of_them(locks: &Locks) {
    let project = Project::hello();
    run(locks, &project, "dave", "net/old").args(["exec", "--", "true"]).output().exits(0);
    let screen = terminal(locks, &project);
    screen.watch("--all --color never");
    screen.wait_for("0 held · 0 waiting · 1 free");
    let holder = hold(locks, &project, "alice", "net/prod");
    let mut waiter = run(locks, &project, "bob", "net/prod").args(["exec", "--", "true"]).start();
    waiter.wait_for("lock_waiting");
    let other = hold(locks, &project, "erin", "db");
    let list = screen.wait_for("2 held · 1 waiting · 1 free");
    let rows: Vec<&str> = list.lines().collect();
    assert!(rows[1].starts_with("     LOCK      STATE  FOR"), "{list}");
    assert!(rows[2].starts_with(" ▸ ● net/prod  held   ") && rows[2].contains(" alice"), "{list}");
    assert!(
        rows[3].starts_with("   ● db        held   ") && rows[4].starts_with("   ○ net/old   free "),
        "{list}"
    );
    screen.press(&["j", "Enter"]);
    let details = screen.wait_for("HOLDER ");
    assert!(details.starts_with(" db ") && details.contains("● erin on "), "{details}");
    screen.press(&["Escape"]);
    screen.wait_for("▸ ● db ");
    screen.press(&["k", "Enter"]);
    assert!(screen.wait_for("QUEUE ").starts_with(" net/prod "));
    // Small, large, and back.
    screen.resize(20, 5);
    screen
        .wait_until("the small screen", |screen| screen.lines().count() == 5 && screen.contains("net/prod"));
    // A heading is as wide as the screen.
    let heading = |screen: &str| {
        let mut headings = screen.lines().filter(|line| line.starts_with(" QUEUE ─"));
        headings.next().map_or(0, |line| line.chars().count())
    };
    for (width, height) in [(120, 40), (80, 24)] {
        screen.resize(width, height);
        screen.wait_until("the screen of that size", |screen| heading(screen) + 1 == usize::from(width));
    }
    screen.press(&["Escape"]);
    screen.wait_for("f hide free");
    screen.press(&["f"]);
    screen
        .wait_until("no free locks", |screen| screen.contains("f show free") && !screen.contains("net/old"));
    screen.press(&["?"]);
    screen.wait_for("Ctrl-Z         suspend");
    screen.press(&["?", "r"]);
    screen.wait_until("no help", |screen| !screen.contains("Ctrl-Z"));
    let colours = screen.coloured();
    assert!(!colours.contains("\u{1b}[33m") && colours.contains("\u{1b}[7m"), "{colours:?}");
    release(holder);
    waiter.finish().exits(0);
    release(other);
    screen.wait_for("0 held · 0 waiting · 3 free");
    screen.press(&["q"]);
    screen.is_given_back(0);
}

#[test]
fn a_store_that_goes_away_is_told_of_and_comes_back() {
    let engine = Engine::start();
    engine.create_table(TABLE, Shape::Right);
    let (endpoint, away) = (engine.endpoint.clone(), Arc::new(AtomicBool::new(false)));
    let gone = Arc::clone(&away);
    let proxy = Server::start(move |request| match gone.load(Ordering::SeqCst) {
        true => Reply::Close,
        false => forward(&endpoint, &request).map_or(Reply::Close, Reply::Bytes),
    });
    let project = Project::hello();
    let run = |lock: &str| {
        let run = crate::support::run::Run::new(&project).env("TFGUARD_LOCK", lock);
        run.env("TFGUARD_TABLE", TABLE).env("TFGUARD_ENDPOINT_URL", &engine.endpoint)
    };
    run("prod").args(["exec", "--", "true"]).output().exits(0);
    let screen = Tmux::start(&project, |run| {
        run.env("TFGUARD_LOCK", "prod")
            .env("TFGUARD_TABLE", TABLE)
            .env("TFGUARD_ENDPOINT_URL", proxy.endpoint())
    });
    // At first it is not there at all.
    away.store(true, Ordering::SeqCst);
    screen.watch("--all");
    screen.wait_for(" no answer for ");
    away.store(false, Ordering::SeqCst);
    screen.wait_until("the lock", |screen| screen.contains("○ prod  free") && !screen.contains("no answer"));
    away.store(true, Ordering::SeqCst);
    // What is known stays on the screen.
    let trouble = screen.wait_for(" no answer for ");
    assert!(trouble.contains("○ prod  free") && trouble.contains("again in "), "{trouble}");
    away.store(false, Ordering::SeqCst);
    screen.press(&["r"]);
    screen.wait_until("an answer", |screen| !screen.contains("no answer"));
    screen.press(&["Escape"]);
    screen.is_given_back(0);
}

#[test]
fn what_cannot_work_is_said_before_the_screen_is_taken() {
    let locks = Locks::dynamodb();
    let project = Project::hello();
    let screen = terminal(&locks, &project);
    screen.watch("--table nowhere");
    screen.wait_for("there is no DynamoDB table nowhere");
    screen.is_given_back(78);
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_looking() {
    let project = Project::hello();
    let screen = Tmux::start(&project, |run| run);
    screen.watch("");
    screen.wait_for("free, never held");
    assert!(!project.path(".tfguard").exists());
    let apply = crate::support::run::Run::new(&project).args(["apply", "--", "-auto-approve"]);
    apply.output().exits(0);
    screen.wait_for("○ free for ");
    screen.press(&["C-c"]);
    screen.is_given_back(130);
}
