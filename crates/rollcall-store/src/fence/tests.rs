//! Two copies that take turns are found out; a restored store, or a frame that was long on its way, is not taken for one.

use super::*;
use crate::Role;
use crate::testing::{Draft, Fixture};

const STORE: StoreId = StoreId([5; 16]);

/// Whether the store counts as copied after these turns; before each, the log of the aggregator grows by one position.
fn copied(turns: &[(u8, u64)]) -> bool {
    let fixture = Fixture::new(Role::Aggregator);
    let mut copied = false;
    for (number, (spell, knows_of)) in (1..).zip(turns.iter().copied()) {
        fixture
            .commit(Draft::new(number).edit(&[330106]))
            .expect("committed");
        copied |= fixture
            .store
            .write("turn", move |writer| {
                writer.note_turn(STORE, LogEpoch([spell; 8]), knows_of)
            })
            .wait()
            .expect("noted");
    }
    copied
}

#[test]
fn only_stores_that_come_back_twice_are_copies() {
    for (turns, expected) in [
        (&[(1, 1), (1, 2), (1, 3)][..], false),
        // Restored again and again: every time a new spell.
        (&[(1, 1), (2, 2), (3, 3), (4, 4)], false),
        // A file put back by hand: one return.
        (&[(1, 1), (2, 2), (1, 3), (1, 4)], false),
        (&[(1, 1), (2, 2), (1, 3), (2, 4)], true),
        (&[(1, 1), (2, 2), (3, 3), (1, 4), (2, 5)], true),
        // Frames of the first spell that come late know of nothing new.
        (&[(1, 1), (2, 2), (1, 1), (2, 4), (1, 1), (2, 6)], false),
    ] {
        assert_eq!(copied(turns), expected, "{turns:?}");
    }
}
