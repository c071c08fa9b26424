//! Cursors: who may move which from where to where.

use super::*;
use crate::testing::Fixture;

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
