//! A restored aggregator waits for everybody who was enrolled, and ends when all were heard or somebody signs.

use super::*;
use crate::enrolment::{EnrolmentRow, Jurisdiction};
use crate::owner::Place;
use crate::testing::{Draft, Fixture, federation};
use crate::{Store, backup};
use rollcall_core::id::StoreId;

fn peer(name: &str, revoked: bool) -> EnrolmentRow {
    EnrolmentRow {
        peer_id: name.to_owned(),
        jurisdiction: Jurisdiction {
            federation: federation(330106),
            also: Vec::new(),
            replicas: Vec::new(),
            node_name: String::new(),
        },
        store_id: StoreId([5; 16]),
        certificate_serial: name.to_owned(),
        certificate_pem: String::new(),
        signing_key: vec![3; 32],
        enrolled_ms: 10,
        not_after_ms: 9_999,
        revoked: revoked.then(|| (20, "lost".to_owned())),
        last_heard_ms: 30,
        version: String::new(),
        position: 0,
        fenced_ms: None,
    }
}

/// A store that was restored from a backup with these peers.
fn restored(peers: &[EnrolmentRow]) -> (tempfile::TempDir, Store) {
    let Fixture { store, folder } = Fixture::new(Role::Aggregator);
    for peer in peers {
        let peer = peer.clone();
        store
            .write("enrol", move |writer| writer.save_enrolment(&peer))
            .wait()
            .expect("saved");
    }
    let commit = Draft::new(1).edit(&[330106]);
    store
        .write("commit", move |writer| writer.commit_document(&commit))
        .wait()
        .expect("committed");
    let (path, copy) = (store.path().to_owned(), folder.path().join("backup.db"));
    store.backup(&copy).expect("a backup");
    assert_eq!(store.read(|reader| reader.last_recovery()).expect("read"), None);
    store.close();
    let place = Place {
        role: Role::Aggregator,
        ..Place::default()
    };
    backup::restore(&copy, &path, &place, 1_700_000_000_000).expect("restored");
    let store = Store::open(&path).expect("opens");
    (folder, store)
}

fn missing(store: &Store) -> Vec<String> {
    let recovery = store.read(|reader| reader.recovery()).expect("read");
    recovery
        .iter()
        .flat_map(Recovery::missing)
        .map(|peer| peer.peer_id.clone())
        .collect()
}

#[test]
fn it_ends_when_the_last_one_was_heard_and_forgets_those_who_were_revoked() {
    let (_folder, store) = restored(&[
        peer("a", false),
        peer("b", false),
        peer("c", false),
        peer("d", true),
    ]);
    let recovery = store
        .read(|reader| reader.recovery())
        .expect("read")
        .expect("under way");
    assert_eq!((recovery.position, recovery.reaches_ms), (1, 1_001));
    assert_eq!(missing(&store), ["a", "b", "c"]);
    let heard = |name: &'static str| {
        store
            .write("heard", move |writer| writer.note_recovered(name, 2_000))
            .wait()
            .expect("noted")
    };
    assert!(!heard("a") && !heard("a"), "twice is once");
    store
        .write("revoke", |writer| writer.revoke_enrolment("c", "lost", 3_000))
        .wait()
        .expect("revoked");
    assert_eq!(missing(&store), ["b"]);
    assert!(heard("b"), "it was the last");
    let ended = store
        .read(|reader| reader.last_recovery())
        .expect("read")
        .expect("one");
    assert_eq!((ended.ended_ms, ended.ended_by.as_str()), (Some(2_000), ""));
    assert!(!store.read(|reader| reader.is_recovering()).expect("read"));
}

#[test]
fn it_ends_by_a_signature_and_does_not_begin_without_peers() {
    let (_folder, store) = restored(&[peer("a", false)]);
    let end = || {
        store
            .write("end", |writer| writer.end_recovery("admin: switched off", 4_000))
            .wait()
    };
    end().expect("signed off");
    assert!(matches!(end(), Err(Error::Missing(_))), "once");
    let (_folder, alone) = restored(&[]);
    assert_eq!(alone.read(|reader| reader.last_recovery()).expect("read"), None);
}
