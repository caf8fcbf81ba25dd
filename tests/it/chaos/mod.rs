//! Runs of real Terraform, two or three at a time, each hurt at a random moment; and a judge who
//! looks at what is left.
//!
//! `ci/chaos [N] [--seed S]` plays many; the test run plays a few. Every scene follows from its
//! seed alone, as far as processes do what they did before: replay one with
//! `ci/chaos --seed S --only`.

mod judge;
mod play;
mod scene;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use scene::Scene;

/// How many scenes are played at the same time: they sleep most of the time.
const AT_ONCE: usize = 4;

#[test]
fn a_few_runs_leave_nothing_behind() {
    play_all(1, 8, AT_ONCE);
}

/// For `ci/chaos`.
#[test]
#[ignore = "takes as long as it is told to"]
fn as_many_runs_as_wanted() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed = number("TFGUARD_CHAOS_SEED").unwrap_or(1);
    let runs = number("TFGUARD_CHAOS_RUNS").unwrap_or(100);
    let jobs = number("TFGUARD_CHAOS_JOBS").map_or(AT_ONCE, |jobs| usize::try_from(jobs).unwrap());
    play_all(seed, runs.div_ceil(3).max(1), jobs);
}

/// Plays the scenes `first`, `first + 1`, … and fails with all that were judged wrong.
fn play_all(first: u64, scenes: u64, jobs: usize) {
    let next = AtomicU64::new(first);
    let (runs, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + scenes {
                        return;
                    }
                    let scene = Scene::from_seed(seed);
                    // A scene that cannot be judged is as bad as one that is judged wrong.
                    let result = std::panic::catch_unwind(|| play::play(&scene));
                    let (count, wrong) = result.unwrap_or_else(|_| (0, vec!["it panicked".to_owned()]));
                    let so_far = runs.fetch_add(count, Ordering::SeqCst) + count;
                    if wrong.is_empty() {
                        println!("chaos: seed {seed} well, {so_far} runs so far");
                    } else {
                        println!("chaos: seed {seed} WRONG\n{scene:#?}\n{}", wrong.join("\n"));
                        verdicts.lock().unwrap().push(format!("seed {seed}: {}", wrong[0]));
                    }
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap();
    println!(
        "chaos: {} runs in {scenes} scenes from seed {first}, {} wrong, {:?}",
        runs.into_inner(),
        verdicts.len(),
        started.elapsed()
    );
    assert!(verdicts.is_empty(), "{}", verdicts.join("\n"));
}
