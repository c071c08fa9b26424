//! Cursors: who may move which from where to where.

use super::*;
use crate::testing::{Draft, Fixture, id};

const STORE: StoreId = StoreId([5; 16]);
const EPOCH: LogEpoch = LogEpoch([6; 8]);

fn at(position: u64) -> Cursor {
    Cursor {
        position,
        chain: [position as u8; 32],
    }
}

fn step(from: Cursor, to: Cursor) -> CursorAdvance {
    CursorAdvance {
        origin_store: STORE,
        log_epoch: EPOCH,
        from,
        to,
        heard_ms: 9,
    }
}

#[test]
fn a_cursor_moves_only_from_where_it_stands_and_never_back() {
    let fixture = Fixture::new(Role::Aggregator);
    let advance = |step: CursorAdvance| {
        fixture
            .store
            .write("advance", move |w| w.advance_cursor(&step))
            .wait()
    };
    let start = Cursor::default();
    let cases = [
        (step(at(1), at(2)), Err(start)),
        (step(start, at(3)), Ok(())),
        (step(start, at(4)), Err(at(3))),
        (
            step(
                Cursor {
                    chain: [0; 32],
                    ..at(3)
                },
                at(4),
            ),
            Err(at(3)),
        ),
        (step(at(3), at(2)), Err(at(3))),
        (step(at(3), at(3)), Ok(())),
        (step(at(3), at(7)), Ok(())),
    ];
    for (step, expected) in cases {
        match (advance(step), expected) {
            (Ok(()), Ok(())) => {}
            (Err(Error::CursorMoved { held }), Err(expected)) => assert_eq!(held, expected),
            (got, expected) => panic!("{step:?}: {got:?} instead of {expected:?}"),
        }
    }
    let heard = |w: &mut Writer| w.save_peer_heard(STORE, EPOCH, 77, "0.1.0", "hangzhou");
    fixture.store.write("heard", heard).wait().expect("heard");
    let row = fixture
        .store
        .read(|r| r.peer_cursor(STORE, EPOCH))
        .expect("read")
        .expect("known");
    assert_eq!(
        (row.cursor, row.last_heard_ms, row.peer.as_str()),
        (at(7), 77, "hangzhou")
    );
    let other = |w: &mut Writer| w.save_peer_heard(STORE, LogEpoch([9; 8]), 99, "0.2.0", "hangzhou");
    fixture.store.write("other", other).wait().expect("heard");
    let spells = fixture.store.read(|r| r.peer_cursors_of(STORE)).expect("read");
    assert_eq!(
        spells.iter().map(|row| row.last_heard_ms).collect::<Vec<_>>(),
        [77, 99]
    );
    assert_eq!(fixture.store.read(|r| r.peer_cursors()).expect("read"), spells);
}

#[test]
fn the_down_position_is_compared_and_grants_are_replaced() {
    let fixture = Fixture::new(Role::Node);
    let missing = fixture.store.write("down", |w| w.advance_down(0, 5, 1)).wait();
    assert!(matches!(missing, Err(Error::Missing("upstream"))));
    let upstream = Upstream {
        store_id: STORE,
        log_epoch: EPOCH,
        down_position: 4,
        scopes_hash: [1; 32],
        acknowledged: at(2),
        receipt_hash: [3; 32],
        last_heard_ms: 8,
    };
    let saved = upstream.clone();
    fixture
        .store
        .write("save", move |w| w.save_upstream(&saved))
        .wait()
        .expect("saved");
    assert_eq!(
        fixture.store.read(|r| r.upstream()).expect("read"),
        Some(upstream)
    );
    fixture
        .store
        .write("down", |w| w.advance_down(4, 9, 10))
        .wait()
        .expect("moved");
    let moved = fixture.store.write("down", |w| w.advance_down(4, 12, 10)).wait();
    assert!(matches!(moved, Err(Error::CursorMoved { held }) if held.position == 9));

    let grant = |code, write| Grant {
        scope: FederationId::of_division(code),
        write,
    };
    for grants in [
        vec![grant(330106, true), grant(330200, false)],
        vec![grant(330200, true)],
    ] {
        let saved = grants.clone();
        fixture
            .store
            .write("grants", move |w| w.save_grants(&saved))
            .wait()
            .expect("saved");
        assert_eq!(fixture.store.read(|r| r.grants()).expect("read"), grants);
    }
    assert_eq!(
        fixture.store.read(|r| r.granted_sum()).expect("read"),
        SetSum::default()
    );
}

#[test]
fn a_position_given_anew_takes_the_place_of_the_one_before() {
    let fixture = Fixture::new(Role::Node);
    let upstream = Upstream {
        store_id: STORE,
        log_epoch: EPOCH,
        down_position: 0,
        scopes_hash: [0; 32],
        acknowledged: Cursor::default(),
        receipt_hash: [0; 32],
        last_heard_ms: 0,
    };
    let save = move |w: &mut Writer| w.save_upstream(&upstream);
    fixture.store.write("upstream", save).wait().expect("saved");
    let commit = Draft::new(1).edit(&[330106]);
    let hash = commit.new_changes[0].hash;
    fixture.commit(commit).expect("commit");
    let end = fixture.store.read(|r| r.origin_end()).expect("read");
    let acknowledge = |position, committed_at_ms| {
        let answer = Acknowledgement {
            cursor: end,
            changes: vec![AcknowledgedChange {
                document_id: id(1),
                hash,
                position,
                committed_at_ms,
            }],
            ..Acknowledgement::default()
        };
        let wanted = fixture
            .store
            .write("acknowledge", move |w| w.acknowledge(&answer))
            .wait();
        let (facts, at) = fixture
            .store
            .read(|r| Ok((r.facts_of(id(1))?, r.change_position(id(1), &hash)?)))
            .expect("read");
        let rows: Vec<u64> = facts.iter().map(|(position, _)| *position).collect();
        (wanted.expect("taken").facts_wanted, rows, at)
    };
    assert_eq!(acknowledge(7, 70), (vec![], vec![7], Some((7, 70))));
    // The same position with the time of another world, then another position: its facts are read anew.
    assert_eq!(acknowledge(7, 71), (vec![id(1)], vec![7], Some((7, 71))));
    assert_eq!(acknowledge(9, 90), (vec![id(1)], vec![], Some((9, 90))));
}
