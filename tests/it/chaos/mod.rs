//! Runs of real Terraform, two or three at a time, each hurt at a random moment; and a judge who
//! looks at what is left.
//!
//! `ci/chaos [N] [--seed S]` plays many; the test run plays a few. Every scene follows from its
//! seed alone, as far as processes do what they did before: replay one with
//! `ci/chaos --seed S --only`.

mod judge;
mod play;
mod scene;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use scene::Scene;

use crate::guardian::stage::Over;
use crate::support::moto::Moto;

/// How many scenes are played at the same time: they sleep most of the time.
const AT_ONCE: usize = 4;

/// Between them they hold every blow and most of the store's troubles, and find a guardian that
/// releases too early and a waiter that takes over too early.
const A_FEW: [u64; 8] = [4, 11, 13, 5, 16, 18, 20, 26];

#[test]
fn a_few_runs_leave_nothing_behind() {
    play_all(&A_FEW, None, AT_ONCE);
}

/// For `ci/chaos`.
#[test]
#[ignore = "takes as long as it is told to"]
fn as_many_runs_as_wanted() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed: u64 = number("TFGUARD_CHAOS_SEED").unwrap_or(1);
    let runs: u64 = number("TFGUARD_CHAOS_RUNS").unwrap_or(100);
    let jobs = number("TFGUARD_CHAOS_JOBS").map_or(AT_ONCE, |jobs| usize::try_from(jobs).unwrap());
    let scenes = runs.div_ceil(3).max(1);
    let store = std::env::var("TFGUARD_CHAOS_STORE").ok().map(|name| match name.as_str() {
        "local" => Over::Local,
        "dynamodb" => Over::Dynamo,
        "s3" => Over::S3,
        other => panic!("there is no store {other:?}"),
    });
    play_all(&(seed..seed + scenes).collect::<Vec<u64>>(), store, jobs);
}

/// Plays the scenes of these seeds and fails with all that were judged wrong.
fn play_all(seeds: &[u64], store: Option<Over>, jobs: usize) {
    // One for all scenes that need it.
    let moto = OnceLock::new();
    let next = AtomicUsize::new(0);
    let (runs, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) else { return };
                    let seed = *seed;
                    let scene = Scene::from_seed(seed, store);
                    // A scene that cannot be judged is as bad as one that is judged wrong.
                    let result = std::panic::catch_unwind(|| {
                        play::play(&scene, || Arc::clone(moto.get_or_init(|| Arc::new(Moto::start()))))
                    });
                    let (count, wrong) = result.unwrap_or_else(|_| (0, vec!["it panicked".to_owned()]));
                    let so_far = runs.fetch_add(count, Ordering::SeqCst) + count;
                    if wrong.is_empty() {
                        println!("chaos: seed {seed} well ({scene}), {so_far} runs so far");
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
        "chaos: {} runs in {} scenes, {} wrong, {:?}",
        runs.into_inner(),
        seeds.len(),
        verdicts.len(),
        started.elapsed()
    );
    assert!(verdicts.is_empty(), "{}", verdicts.join("\n"));
}
