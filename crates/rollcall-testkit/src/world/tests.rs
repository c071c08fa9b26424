//! Runs by a script: on purpose what drawn runs meet by chance, with everything checked that is checked there.

use super::*;

/// Any seed will do: what happens is in the script.
const SEED: u64 = 1;
const NODES: usize = 2;
/// More moves than any step of a script takes.
const MOVES: usize = 2_000;

/// Plays the steps, each to its end, then heals; gives what happened how often.
fn play(steps: Vec<Step>) -> BTreeMap<&'static str, u64> {
    let turns = steps.into_iter().zip(0..).map(|(step, number)| Turn {
        number,
        step,
        moves: MOVES,
    });
    let scenario = Scenario {
        seed: SEED,
        nodes_max: NODES,
        bends: false,
        turns: turns.collect(),
    };
    let result = run(&scenario, true);
    if let Some(failure) = result.failure {
        panic!("{failure}\n{}", result.lines.join("\n"));
    }
    result.counts
}

/// The first node writes into its own fund; even numbers are one clerk's.
fn edit(number: usize) -> Step {
    let country = Country::draw(&mut Chance::new(SEED, "world", 0), NODES);
    Step::Edit {
        process: 1,
        subject: country.subjects() - 2,
        number,
        stale: false,
    }
}

fn sync() -> Step {
    Step::Sync { process: 1 }
}

fn copy(marked: bool) -> Step {
    Step::Copy { process: 1, marked }
}

fn restore() -> Step {
    Step::Restore { process: 1, which: 0 }
}

#[test]
fn a_node_that_finds_itself_behind_begins_a_new_spell_and_goes_on() {
    // The file is copied and put back by hand, so that nothing in it says so: only the aggregator, which holds more.
    let counts = play(vec![
        edit(0),
        sync(),
        copy(false),
        edit(2),
        sync(),
        restore(),
        sync(),
        edit(4),
        sync(),
    ]);
    assert_eq!((counts["edited"], counts["node restored"]), (3, 1), "{counts:?}");
    assert!(!counts.contains_key("restarted too often"), "{counts:?}");
}

#[test]
fn nobody_writes_under_a_number_of_an_earlier_process() {
    // The restored node lacks the second edit, and the same clerk writes a third before it hears of that.
    let counts = play(vec![
        edit(0),
        sync(),
        copy(true),
        edit(2),
        sync(),
        restore(),
        edit(4),
        sync(),
    ]);
    assert_eq!((counts["edited"], counts["node restored"]), (3, 1), "{counts:?}");
    assert!(!counts.contains_key("forked"), "{counts:?}");
}

#[test]
fn an_aggregator_that_nodes_refuse_counts_again_once_it_is_restored() {
    // Put back by hand once, it finds out from a receipt and takes a greater number; put back once more, it meets a node
    // with a receipt of that time, and takes nothing any more.
    let centre_copy = Step::Copy {
        process: 0,
        marked: false,
    };
    let put_back = || Step::Restore { process: 0, which: 0 };
    let counts = play(vec![
        edit(0),
        sync(),
        centre_copy,
        edit(2),
        sync(),
        put_back(),
        sync(),
        edit(4),
        sync(),
        put_back(),
        sync(),
        edit(6),
        sync(),
    ]);
    assert_eq!(counts["aggregator put back by hand"], 2, "{counts:?}");
    assert_eq!(counts["replaced aggregator restored"], 1, "{counts:?}");
}
