//! Many seeds on every core, and what they came to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::scenario::Scenario;
use crate::world::{Failure, run};

/// What a number of seeds came to.
#[derive(Debug, Clone, Default)]
pub struct Soaked {
    /// How many were run.
    pub seeds: u64,
    /// The failing ones, in order, with the rule each breaks.
    pub failures: BTreeMap<u64, Failure>,
    /// What happened how often over all of them.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Runs the seeds from `from` on, on `threads` threads, until `failures_max` have failed.
pub fn soak(from: u64, seeds: u64, threads: usize, failures_max: usize) -> Soaked {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let result = Mutex::new(Soaked::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(seeds) {
                        return;
                    }
                    let run = run(&Scenario::draw(seed), false);
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    result.seeds += 1;
                    for (what, count) in run.counts {
                        *result.counts.entry(what).or_default() += count;
                    }
                    if let Some(failure) = run.failure {
                        result.failures.insert(seed, failure);
                        if result.failures.len() >= failures_max {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}
