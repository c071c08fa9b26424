//! The seeds that run before every change lands. `ROLLCALL_TEST_SCALE=full` asks for the large numbers.

#![expect(
    clippy::print_stdout,
    reason = "seeds, counts and the trace of a failure belong in the output of a run"
)]

use rollcall_testkit::{Scenario, run, shrink, soak};

fn full() -> bool {
    std::env::var("ROLLCALL_TEST_SCALE").is_ok_and(|scale| scale == "full")
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn after_any_faults_three_sessions_make_everything_equal_and_nothing_is_lost() {
    let seeds = if full() { 2_000 } else { 500 };
    let soaked = soak::soak(0, seeds, threads(), 1);
    println!("{} seeds: {:?}", soaked.seeds, soaked.counts);
    if let Some((seed, failure)) = soaked.failures.first_key_value() {
        let shortest = shrink(&Scenario::draw(*seed), failure.rule);
        let trace = run(&shortest, true).lines.join("\n");
        panic!("seed {seed}: {failure}\nreplay with `cargo xtask soak --seed {seed} --trace`\n{trace}");
    }
    // A run without the faults it is for would prove nothing.
    for what in [
        "acknowledged",
        "aggregator put back by hand",
        "aggregator restored",
        "cloned",
        "fell silent",
        "figures compared",
        "forked",
        "link lost",
        "mishaps",
        "node restored",
        "pending",
        "poisoned",
        "receipts recomputed",
        "rejected",
        "repaired",
    ] {
        assert!(soaked.counts.contains_key(what), "never: {what}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..if full() { 100 } else { 20 } {
        let scenario = Scenario::draw(seed);
        let (first, second) = (run(&scenario, true), run(&scenario, true));
        let differing = first
            .lines
            .iter()
            .zip(&second.lines)
            .find(|(one, other)| one != other);
        assert_eq!(differing, None, "seed {seed}");
        assert_eq!(first.log_hash, second.log_hash, "seed {seed}");
    }
}

#[test]
fn seeds_that_once_failed_are_sound() {
    for (seed, what) in [
        (
            20_100,
            "the only aggregator left fenced itself after it was restored",
        ),
        (
            20_205,
            "a change waited for ever for one that another node had brought",
        ),
        (
            22_763,
            "what follows a fork is written again without having been sent",
        ),
        (
            23_410,
            "the second pair of copies was found out after the first had enrolled",
        ),
        (
            26_078,
            "a node in sync without a receipt was never heard by a recovery",
        ),
        (
            61_939,
            "a change damaged on the way, whose answer was lost, never came again",
        ),
    ] {
        assert_eq!(run(&Scenario::draw(seed), false).failure, None, "{seed}: {what}");
    }
    for (seed, what) in [
        (
            9_701_738,
            "what was damaged on the way up never came again, because a receipt is silent about a document in doubt",
        ),
        (
            9_800_702,
            "nor did what was damaged on the way down to a node that holds something in doubt",
        ),
    ] {
        assert_eq!(
            run(&Scenario::hostile(seed), false).failure,
            None,
            "F4 {seed}: {what}"
        );
    }
}
