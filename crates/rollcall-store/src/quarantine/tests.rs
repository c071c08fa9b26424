//! What waits and what is kept apart: once each, found by document, never lost.

use super::*;
use crate::Role;
use crate::testing::{Fixture, id};

#[test]
fn a_waiting_change_is_kept_once_and_taken_out() {
    let fixture = Fixture::new(Role::Aggregator);
    let change = |n: u8| PendingChange {
        document_id: id(1),
        kind: DocumentKind::Union,
        hash: [n; 32],
        missing: vec![[8; 32], [9; 32]],
        origin_store: StoreId([5; 16]),
        origin_epoch: LogEpoch([6; 8]),
        position: 4,
        committed_at_ms: 40,
        first_seen_ms: 50,
        bytes: vec![n; 10],
    };
    for n in [2, 1, 2] {
        fixture
            .store
            .write("save", move |w| w.save_pending(&change(n)))
            .wait()
            .expect("saved");
    }
    let waiting = || fixture.store.read(|r| r.pending_changes(id(1))).expect("read");
    assert_eq!(waiting(), [change(2), change(1)]);
    let kept = |store| fixture.store.read(|r| r.kept_apart_of(store)).expect("read");
    assert_eq!(kept(StoreId([5; 16])), (2, 20));
    assert_eq!(kept(StoreId([6; 16])), (0, 0));
    assert_eq!(
        fixture.store.read(|r| r.documents_pending()).expect("read"),
        [id(1)]
    );
    fixture
        .store
        .write("remove", |w| w.remove_pending(id(1), &[2; 32]))
        .wait()
        .expect("removed");
    assert_eq!(waiting(), [change(1)]);
}

#[test]
fn what_has_waited_too_long_is_kept_apart_and_not_deleted() {
    let fixture = Fixture::new(Role::Aggregator);
    let change = |n: u8, first_seen_ms| PendingChange {
        document_id: id(1),
        kind: DocumentKind::Union,
        hash: [n; 32],
        missing: vec![[8; 32]],
        origin_store: StoreId([5; 16]),
        origin_epoch: LogEpoch([6; 8]),
        position: 0,
        committed_at_ms: 0,
        first_seen_ms,
        bytes: vec![n; 10],
    };
    for change in [change(1, 50), change(2, 150)] {
        let save = move |writer: &mut Writer| writer.save_pending(&change);
        fixture.store.write("save", save).wait().expect("saved");
    }
    let expired = fixture
        .store
        .write("expire", |writer| writer.expire_pending(100, "0.2.0", 200))
        .wait()
        .expect("expired");
    assert_eq!(expired, 1);
    fixture
        .store
        .read(|reader| {
            assert_eq!(reader.pending_changes(id(1))?, [change(2, 150)]);
            let kept = reader.quarantine_of(id(1))?;
            assert_eq!(kept.len(), 1);
            let refused = &kept[0].refused;
            assert_eq!((refused.hash, &refused.bytes), (Some([1; 32]), &vec![1; 10]));
            assert_eq!(
                (refused.code.as_str(), kept[0].released_ms),
                (DEPENDENCY_MISSING, None)
            );
            Ok(())
        })
        .expect("read");
}

#[test]
fn a_refused_change_counts_attempts_until_it_is_released() {
    let fixture = Fixture::new(Role::Aggregator);
    let refused = |code: &str, program: &str, hash| Refused {
        document_id: id(1),
        kind: DocumentKind::Organisation,
        hash,
        bytes: vec![1, 2, 3],
        code: code.to_owned(),
        message: "it does not fit".to_owned(),
        origin_store: StoreId([5; 16]),
        program: program.to_owned(),
    };
    let save = |refused: Refused| {
        fixture
            .store
            .write("save", move |w| w.save_quarantine(&refused, 70))
            .wait()
            .expect("saved")
    };
    let first = save(refused("SCHEMA", "0.1.0", Some([4; 32])));
    assert_eq!(save(refused("POISON_CHANGE", "0.2.0", Some([4; 32]))), first);
    let rows = fixture.store.read(|r| r.quarantine(9)).expect("read");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].refused, refused("POISON_CHANGE", "0.2.0", Some([4; 32])));
    assert_eq!(
        (rows[0].attempts, rows[0].first_seen_ms, rows[0].released_ms),
        (2, 70, None)
    );
    let untried = |program: &str| {
        fixture
            .store
            .read(|r| r.quarantine_untried(program, 9))
            .expect("read")
            .len()
    };
    assert_eq!((untried("0.2.0"), untried("0.3.0")), (0, 1));
    assert_eq!(
        fixture.store.read(|r| r.documents_quarantined()).expect("read"),
        [id(1)]
    );
    let release = || {
        fixture
            .store
            .write("release", move |w| w.settle_quarantine(first, "taken", "", 90))
            .wait()
    };
    release().expect("released");
    assert!(matches!(release(), Err(Error::Missing(_))));
    assert_eq!(fixture.store.read(|r| r.quarantine(9)).expect("read"), []);
    let kept = fixture.store.read(|r| r.quarantine_of(id(1))).expect("read");
    assert_eq!(kept[0].released_ms, Some(90));
    let damaged = Refused {
        bytes: vec![7],
        ..refused("ENVELOPE_DAMAGED", "0.2.0", None)
    };
    assert_ne!(save(damaged), first);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn what_copies_of_a_store_sent_is_kept_once_and_apart_of_each() {
    let fixture = Fixture::new(Role::Aggregator);
    for store in [5, 6, 5] {
        let refused = Refused {
            document_id: id(1),
            kind: DocumentKind::Organisation,
            hash: Some([1; 32]),
            bytes: vec![1, 2, 3],
            code: "FOREIGN_AREA".to_owned(),
            message: "not theirs to write".to_owned(),
            origin_store: StoreId([store; 16]),
            program: "0.1.0".to_owned(),
        };
        fixture
            .store
            .write("save", move |w| w.save_quarantine(&refused, 50))
            .wait()
            .expect("saved");
    }
    for (store, apart) in [(5, vec![id(1)]), (6, vec![id(1)]), (7, Vec::new())] {
        let of = |r: &crate::Reader| r.documents_in_doubt_of(StoreId([store; 16]));
        assert_eq!(fixture.store.read(of).expect("read"), apart, "store {store}");
    }
}

#[test]
fn a_change_is_wanted_again_where_only_its_sender_can_mend_it() {
    let sender = StoreId([5; 16]);
    for (code, outcome, is_apart, in_doubt) in [
        ("FOREIGN_AREA", "", true, true),
        ("FOREIGN_AREA", "taken", false, false),
        ("FOREIGN_AREA", "discarded", true, true),
        ("FORKED", "", false, true),
        ("FORKED", "discarded", true, true),
        ("ENVELOPE_DAMAGED", "", false, false),
        // What was damaged is set aside; the change itself is as good as any.
        ("ENVELOPE_DAMAGED", "discarded", false, false),
    ] {
        let fixture = Fixture::new(Role::Aggregator);
        let refused = Refused {
            document_id: id(1),
            kind: DocumentKind::Organisation,
            hash: Some([1; 32]),
            bytes: vec![1, 2, 3],
            code: code.to_owned(),
            message: "not taken".to_owned(),
            origin_store: sender,
            program: "0.1.0".to_owned(),
        };
        let keep = move |writer: &mut Writer| {
            let kept = writer.save_quarantine(&refused, 50)?;
            if outcome.is_empty() {
                Ok(())
            } else {
                writer.settle_quarantine(kept, outcome, "", 60)
            }
        };
        fixture.store.write("keep", keep).wait().expect("kept");
        let found = fixture.store.read(|reader| {
            Ok((
                reader.has_apart(id(1), &[1; 32], sender)?,
                reader.documents_in_doubt_of(sender)? == [id(1)],
                reader.documents_in_doubt()? == [id(1)],
            ))
        });
        let expected = (is_apart, in_doubt, in_doubt && outcome.is_empty());
        assert_eq!(found.expect("read"), expected, "{code} {outcome}");
    }
}
