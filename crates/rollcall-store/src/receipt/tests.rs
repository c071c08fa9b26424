//! Receipts and evidence: kept once, found again.

use super::*;
use crate::Role;
use crate::testing::Fixture;

fn receipt(n: u8, store: u8) -> ReceiptRow {
    ReceiptRow {
        hash: [n; 32],
        origin_store: StoreId([store; 16]),
        position: u64::from(n),
        time_ms: i64::from(n) * 100,
        set: SetSum {
            count: 3,
            sum: [n; 32],
        },
        bytes: vec![n; 200],
        verified: false,
    }
}

#[test]
fn the_latest_receipt_of_a_node_is_found_and_verified_stays() {
    let fixture = Fixture::new(Role::Aggregator);
    for receipt in [receipt(2, 5), receipt(1, 5), receipt(3, 6)] {
        fixture
            .store
            .write("save", move |w| w.save_receipt(&receipt))
            .wait()
            .expect("saved");
    }
    let last = |store: u8| {
        fixture
            .store
            .read(|r| r.last_receipt(StoreId([store; 16])))
            .expect("read")
    };
    assert_eq!(
        (last(5), last(6), last(7)),
        (Some(receipt(2, 5)), Some(receipt(3, 6)), None)
    );
    for verified in [true, false] {
        let again = ReceiptRow {
            verified,
            ..receipt(2, 5)
        };
        fixture
            .store
            .write("save", move |w| w.save_receipt(&again))
            .wait()
            .expect("saved");
        let kept = fixture.store.read(|r| r.receipt(&[2; 32])).expect("read");
        assert_eq!(
            kept,
            Some(ReceiptRow {
                verified: true,
                ..receipt(2, 5)
            })
        );
    }
    let all = fixture
        .store
        .read(|r| r.receipts(StoreId([5; 16]), 9))
        .expect("read");
    assert_eq!(
        all.iter().map(|receipt| receipt.position).collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(fixture.faults(), []);
}

#[test]
fn the_first_signature_for_a_position_stays() {
    let fixture = Fixture::new(Role::Aggregator);
    let evidence = |to_position, signature: u8| BatchEvidence {
        origin_store: StoreId([5; 16]),
        log_epoch: LogEpoch([6; 8]),
        to_position,
        end_chain: [1; 32],
        signature: vec![signature; 64],
        signing_key: vec![2; 32],
        received_at_ms: 7,
        links: vec![signature; LINK_BYTES],
    };
    for evidence in [evidence(9, 1), evidence(4, 2), evidence(9, 3)] {
        fixture
            .store
            .write("save", move |w| w.save_evidence(&evidence))
            .wait()
            .expect("saved");
    }
    let kept = fixture
        .store
        .read(|r| r.evidence(StoreId([5; 16]), LogEpoch([6; 8])))
        .expect("read");
    assert_eq!(kept, [evidence(4, 2), evidence(9, 1)]);
}
