//! Which seeds are looked at, on all cores, and what is said of the first that fails.
//!
//! `TFGUARD_SIM_SEED=17` plays one seed, `TFGUARD_SIM_SEEDS=100000` so many of them, from
//! `TFGUARD_SIM_FROM` on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::judge::Verdict;

/// Plays `count` seeds, or those that the environment names, and fails with the story of the first that breaks a rule.
/// `play` is given a seed, and whether what happens is to be told with the verdict.
pub(super) fn look(test: &str, count: u64, play: impl Fn(u64, bool) -> Verdict + Sync) {
    let failed = match variable("TFGUARD_SIM_SEED") {
        Some(seed) => outcome(&play, seed, true).is_err().then_some(seed),
        None => {
            let from = variable("TFGUARD_SIM_FROM").unwrap_or(0);
            first_failure(from, from + variable("TFGUARD_SIM_SEEDS").unwrap_or(count), &play)
        }
    };
    let story = failed.map(|seed| {
        let told = outcome(&play, seed, true).err().unwrap_or_else(|| "it went well the second time".into());
        format!("{told}\nreplay: TFGUARD_SIM_SEED={seed} cargo test --test it {test}")
    });
    assert!(story.is_none(), "{}", story.unwrap_or_default());
}

/// The lowest of the seeds that fail.
fn first_failure(from: u64, until: u64, play: &(impl Fn(u64, bool) -> Verdict + Sync)) -> Option<u64> {
    let (next, failed) = (AtomicU64::new(from), AtomicU64::new(until));
    let look = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= failed.load(Ordering::Relaxed) {
            break;
        }
        if outcome(play, seed, false).is_err() {
            failed.fetch_min(seed, Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(look))));
    let failed = failed.into_inner();
    (failed < until).then_some(failed)
}

/// A panic is a broken rule like any other.
fn outcome(play: &impl Fn(u64, bool) -> Verdict, seed: u64, trace: bool) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| play(seed, trace))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("without a word")))
    })
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}
