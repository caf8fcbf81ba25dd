//! Keeps a processor from sleeping, for `ci/bench --awake`, until standard input ends. It spins with the processor's own
//! hint that it waits, which leaves a sibling thread of the same core what it needs.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static OVER: AtomicBool = AtomicBool::new(false);

fn main() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        OVER.store(true, Ordering::Relaxed);
    });
    while !OVER.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}
