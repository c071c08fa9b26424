//! `cargo xtask soak`: many seeds of the simulation of sync, or one of them move by move.

use std::time::Instant;

use anyhow::{Result, bail};
use rollcall_testkit::{Scenario, run, shrink, soak};

use crate::say;

/// Seeds between two lines about how far it is.
const REPORT_EVERY: u64 = 1_000;

/// Runs the seeds from `from` on, on every core; the first failing one is shortened and shown.
pub(crate) fn seeds(from: u64, seeds: u64) -> Result<()> {
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut whole = soak::Soaked::default();
    while whole.seeds < seeds {
        let part = soak::soak(
            from + whole.seeds,
            REPORT_EVERY.min(seeds - whole.seeds),
            threads,
            1,
        );
        if let Some((seed, failure)) = part.failures.first_key_value() {
            say::line(format!("seed {seed}: {failure}"));
            show(&shrink(&Scenario::draw(*seed), failure.rule));
            bail!("seed {seed} failed; replay it whole with `cargo xtask soak --seed {seed} --trace`")
        }
        whole.seeds += part.seeds;
        for (what, count) in part.counts {
            *whole.counts.entry(what).or_default() += count;
        }
        say::note(format!(
            "soak: {} seeds in {} s",
            whole.seeds,
            begun.elapsed().as_secs()
        ));
    }
    say::line(format!(
        "{} seeds from {from}: none failed, {} s on {threads} cores",
        whole.seeds,
        begun.elapsed().as_secs()
    ));
    for (what, count) in whole.counts {
        say::line(format!("  {count:>9} {what}"));
    }
    Ok(())
}

/// Runs one seed, of the fuzz target if `hostile`; move by move if `trace`. What fails is shortened and shown as well.
pub(crate) fn seed(seed: u64, hostile: bool, trace: bool) -> Result<()> {
    let scenario = if hostile {
        Scenario::hostile(seed)
    } else {
        Scenario::draw(seed)
    };
    let result = run(&scenario, trace);
    result.lines.iter().for_each(say::line);
    let hash: String = result.log_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    say::line(format!("seed {seed}: {} steps, log {hash}", scenario.len()));
    match result.failure {
        Some(failure) => {
            show(&shrink(&scenario, failure.rule));
            bail!("seed {seed}: {failure}")
        }
        None => Ok(()),
    }
}

fn show(scenario: &Scenario) {
    say::line("the shortest run that fails so:");
    scenario.lines().iter().for_each(say::line);
    run(scenario, true).lines.iter().for_each(say::line);
}
