//! The shortest run that still breaks the same rule: steps are left out, then moves, as long as it does.

use crate::scenario::{Scenario, Turn};
use crate::world::run;

/// Runs that shrinking may take.
const TRIES_MAX: usize = 400;

/// Leaves out whatever a failing scenario fails without; the rule it breaks stays the same.
pub fn shrink(scenario: &Scenario, rule: &'static str) -> Scenario {
    let mut tries = 0;
    shrink_while(scenario, |shorter| {
        tries += 1;
        tries <= TRIES_MAX
            && run(shorter, false)
                .failure
                .is_some_and(|failure| failure.rule == rule)
    })
}

fn shrink_while(scenario: &Scenario, mut breaks: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut shortest = scenario.clone();
    let mut keep_if = |shortest: &mut Scenario, turns: Vec<Turn>| {
        let shorter = Scenario {
            turns,
            ..shortest.clone()
        };
        let kept = breaks(&shorter);
        if kept {
            *shortest = shorter;
        }
        kept
    };
    let mut size = shortest.turns.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < shortest.turns.len() {
            let mut turns = shortest.turns.clone();
            turns.drain(from..(from + size).min(turns.len()));
            if !keep_if(&mut shortest, turns) {
                from += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    for index in 0..shortest.turns.len() {
        for moves in [0, shortest.turns[index].moves / 2] {
            let mut turns = shortest.turns.clone();
            if turns[index].moves > moves {
                turns[index].moves = moves;
                keep_if(&mut shortest, turns);
            }
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_does_not_need_is_left_out() {
        let drawn = (0..100).map(Scenario::draw).find(|scenario| scenario.len() > 60);
        let scenario = drawn.expect("a long one");
        let needs = |scenario: &Scenario, number| scenario.turns.iter().any(|turn| turn.number == number);
        let shortest = shrink_while(&scenario, |shorter| needs(shorter, 13) && needs(shorter, 57));
        let left: Vec<(u64, usize)> = shortest
            .turns
            .iter()
            .map(|turn| (turn.number, turn.moves))
            .collect();
        assert_eq!(left, [(13, 0), (57, 0)]);
    }
}
