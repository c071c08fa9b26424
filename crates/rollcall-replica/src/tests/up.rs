//! What the aggregator owes a node whose batch it takes.

use rollcall_core::id::DocumentId;
use rollcall_store::Reader;
use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::keys::Sign;
use rollcall_sync::message::{Batch, Cursor, DocumentChanges, Outcome, ResolveRequest};
use serde_json::json;

use super::country::{Country, FOREIGN, NOW, OWN, Seals, federation, first_change, key, loose};
use crate::Replica;
use crate::error::Error;
use crate::take_up::UpRefused;

/// Two edits of one union that have not been sent.
fn two_edits(country: &Country) -> DocumentId {
    country.edit(
        0,
        json!({"type": "union", "id": "u1", "name": "first", "higher_union": OWN}),
    );
    country.edit(0, json!({"type": "union", "id": "u1", "name": "second"}))
}

#[test]
fn every_change_that_is_acknowledged_is_held() {
    let country = Country::new(500);
    let id = two_edits(&country);
    let answered = country.up(0);
    let [(batch, ack)] = answered.as_slice() else {
        panic!("one batch: {answered:?}")
    };
    assert_eq!(ack.outcomes[0].outcome, Outcome::Applied);
    assert_eq!(ack.outcomes[0].positions.len(), 2);
    for (change, stated) in batch.documents[0].changes.iter().zip(&ack.outcomes[0].positions) {
        let held = country
            .centre
            .store()
            .read(|reader| reader.change_position(id, &change_hash(&change.bytes)));
        assert!(stated.0 > 0, "it was taken");
        assert_eq!(held.expect("read"), Some(*stated));
    }
    assert_eq!(country.centre.verify().expect("checked"), []);
}

#[test]
fn the_aggregator_keeps_no_lists_and_knows_what_documents_are_called() {
    let country = Country::new(500);
    let id = two_edits(&country);
    country.up(0);
    let listed = |replica: &Replica| replica.store().read(|reader| reader.listing(id)).expect("read");
    assert!(listed(country.node(0)).is_some() && listed(&country.centre).is_none());
    let called = |id| country.centre.called(id).expect("read").map(|called| called.name);
    assert_eq!(called(id).as_deref(), Some("second"));
    assert_eq!(country.centre.rebuild(NOW).expect("rebuilt").documents, 1);
    assert_eq!(listed(&country.centre), None, "not after a rebuild either");
    assert_eq!(called(DocumentId([9; 16])), None);
}

/// Magic and checksum of a change lie outside its hash, so no chain and no signature covers them.
#[test]
fn a_change_whose_frame_was_bent_on_the_way_is_wanted_until_it_has_come_whole() {
    let country = Country::new(500);
    let id = two_edits(&country);
    let mut bent = country.batch_up(0);
    bent.documents[0].changes[0].bytes[1] ^= 0x20;
    bent.documents[0].changes[1].bytes[6] ^= 0x01;
    let peer = country.peer(0);
    Replica::check_batch(&peer, &bent, &Cursor::default(), &Cursor::default(), &Seals).expect("chain holds");
    let ack = country.centre.take_up(&peer, &bent, NOW).expect("taken");
    assert_eq!(
        ack.outcomes[0].outcome,
        Outcome::Quarantined("ENVELOPE_DAMAGED".to_owned())
    );
    assert_eq!(ack.cursor.position, bent.to, "the log goes on");
    country.node(0).take_ack(&bent, &ack, NOW).expect("stored");

    // The receipt that follows is not silent about the document, and the repair brings it.
    let of_centre = |ask: fn(&Reader) -> Result<Vec<DocumentId>, rollcall_store::Error>| {
        country.centre.store().read(ask).expect("read")
    };
    assert_eq!(of_centre(Reader::documents_quarantined), [id]);
    let (_, receipt) = country.batch_down(0, 0);
    assert_eq!(receipt.expect("there is nothing else to send").quarantined, []);
    let hashes = country.node(0).store().read(|reader| reader.change_hashes(id));
    let request = ResolveRequest {
        documents: vec![(id, hashes.expect("read"))],
    };
    let answer = country.centre.resolve_answer(&peer, &request).expect("answered");
    assert_eq!(answer.wanted[0].1.len(), 2);
    let sent = country.node(0).send_wanted(&answer.wanted, NOW).expect("stored");
    assert_eq!(sent, (Vec::new(), true), "they go into the node's log once more");
    assert_eq!(country.up(0)[0].1.outcomes[0].outcome, Outcome::Applied);
    assert_eq!(
        of_centre(Reader::documents_quarantined),
        [],
        "nothing needs attention"
    );
    assert_eq!(country.centre.verify().expect("checked"), []);
}

#[test]
fn a_change_that_lacks_another_waits_outside_its_document_until_it_comes() {
    let country = Country::new(500);
    let id = two_edits(&country);
    let whole = country.batch_up(0);
    let second = whole.documents[0].changes[1].bytes.clone();
    let without_first = DocumentChanges {
        changes: vec![whole.documents[0].changes[1].clone()],
        ..whole.documents[0].clone()
    };
    let peer = country.peer(0);
    let ack = country.centre.take_up(&peer, &loose(vec![without_first]), NOW);
    let ack = ack.expect("taken");
    assert_eq!(ack.outcomes[0].outcome, Outcome::Pending);
    assert_eq!(ack.outcomes[0].positions, [(0, 0)], "it has no place in the log");
    assert!(matches!(country.centre.document(id), Err(Error::NoDocument(_))));
    let waiting = || {
        country
            .centre
            .store()
            .read(|reader| reader.pending_changes(id))
            .expect("read")
    };
    assert_eq!(waiting().len(), 1);
    assert_eq!(waiting()[0].bytes, second, "it is kept as it came");

    let ack = country.centre.take_up(&peer, &whole, NOW).expect("taken");
    assert_eq!(ack.outcomes[0].outcome, Outcome::Applied);
    assert!(
        ack.outcomes[0]
            .positions
            .iter()
            .all(|(position, _)| *position > 0)
    );
    assert_eq!(waiting(), []);
    let held = country.centre.document(id).expect("held");
    assert_eq!(held.heads(), country.node(0).document(id).expect("held").heads());
    assert_eq!(country.centre.verify().expect("checked"), []);
}

#[test]
fn a_change_whose_wait_another_sender_ends_is_wanted_again() {
    // An aggregator that was restored hears the second writer before the first.
    let country = Country::new(500);
    let id = country.edit(
        0,
        json!({"type": "union", "id": "u1", "name": "first", "higher_union": OWN}),
    );
    let mut first = country.batch_up(0).documents;
    first[0].scopes = vec![federation(OWN)];
    country.node(1).take_documents(&first, None, NOW).expect("taken");
    country.edit(1, json!({"type": "union", "id": "u1", "name": "second"}));
    let answered = country.up(1);
    assert_eq!(answered[0].1.outcomes[0].outcome, Outcome::Pending);
    let wanted = || {
        let hashes = country.node(1).store().read(|reader| reader.change_hashes(id));
        let request = ResolveRequest {
            documents: vec![(id, hashes.expect("read"))],
        };
        let answer = country.centre.resolve_answer(&country.peer(1), &request);
        answer.expect("answered").wanted
    };
    let [change] = [&first[0].changes[0]].map(|change| change_hash(&change.bytes));
    assert_eq!(wanted(), [(id, vec![change])], "only what it waits for");
    country.up(0);
    let waits = change_hash(&answered[0].0.documents[0].changes[0].bytes);
    assert_eq!(wanted(), [(id, vec![waits])]);

    let (loose, resent) = country.node(1).send_wanted(&wanted(), NOW).expect("in the log");
    assert!(loose.is_empty() && resent, "signed as what is the node's own");
    let answered = country.up(1);
    assert_eq!(answered[0].1.outcomes[0].outcome, Outcome::Applied);
    assert_eq!(wanted(), []);
    let waiting = country.centre.store().read(|reader| reader.documents_pending());
    assert_eq!(waiting.expect("read"), []);
    let heads = country.node(1).document(id).expect("held").heads();
    assert_eq!(country.centre.document(id).expect("held").heads(), heads);
    assert_eq!(country.centre.verify().expect("checked"), []);
}

#[test]
fn what_waited_and_comes_from_another_waits_no_more() {
    let country = Country::new(500);
    let id = two_edits(&country);
    let whole = country.batch_up(0).documents;
    let second = DocumentChanges {
        changes: vec![whole[0].changes[1].clone()],
        ..whole[0].clone()
    };
    let take = |number, documents| {
        country
            .centre
            .take_up(&country.peer(number), &loose(documents), NOW)
            .expect("taken")
    };
    take(0, vec![second]);
    assert_eq!(take(1, whole).outcomes[0].outcome, Outcome::Applied);
    let waiting = country.centre.store().read(|reader| reader.pending_changes(id));
    assert_eq!(waiting.expect("read"), []);
}

#[test]
fn a_piece_that_is_sent_again_must_meet_the_chain_that_is_held() {
    let country = Country::new(500);
    let id = two_edits(&country);
    country.edit(0, json!({"type": "union", "id": "u1", "name": "third"}));
    let (peer, batch) = (country.peer(0), country.batch_up(0));
    let check = |held: Cursor| Replica::check_batch(&peer, &batch, &Cursor::default(), &held, &Seals);
    let hashes = batch.documents[0]
        .changes
        .iter()
        .map(|change| change_hash(&change.bytes));
    let mut chain = [0; 32];
    for (hash, position) in hashes.zip(1..) {
        chain = origin_chain(&chain, id, &hash);
        assert!(
            check(Cursor { position, chain }).is_ok(),
            "the same log at {position}"
        );
        // A node that was restored and has written on: the numbers are the same, what stands there is not.
        let other = Cursor {
            position,
            chain: origin_chain(&chain, id, &hash),
        };
        let refused = check(other);
        assert!(
            matches!(refused, Err(UpRefused::Chain)),
            "{position}: {refused:?}"
        );
    }
    let beyond = Cursor {
        position: batch.to + 1,
        chain,
    };
    assert!(
        check(beyond).is_ok(),
        "what lies beyond the piece is not asked about"
    );
}

#[test]
fn a_batch_with_the_signature_of_another_is_refused() {
    let country = Country::new(500);
    two_edits(&country);
    let (peer, mut batch) = (country.peer(0), country.batch_up(0));
    let check =
        |batch: &Batch| Replica::check_batch(&peer, batch, &Cursor::default(), &Cursor::default(), &Seals);
    assert!(check(&batch).is_ok());
    key(1).sign_batch(peer.store_id, peer.log_epoch, &mut batch);
    assert!(matches!(check(&batch), Err(UpRefused::Signature)));
    batch.signature.clear();
    assert!(matches!(check(&batch), Err(UpRefused::Signature)));
}

#[test]
fn a_change_that_lost_its_number_is_wanted_until_its_node_has_written_it_again() {
    let union = |name| json!({"type": "union", "id": "u1", "name": name, "higher_union": OWN});
    // Two copies of one node draw the same random bytes.
    let (country, copy) = (Country::new(500), Country::new(500));
    let id = country.edit(0, union("first"));
    copy.edit(0, union("second"));
    let peer = country.peer(0);
    let take = |batch: &Batch| country.centre.take_up(&peer, batch, NOW).expect("taken");
    take(&loose(copy.batch_up(0).documents));
    let batch = country.batch_up(0);
    let answer = take(&batch);
    assert_eq!(answer.outcomes[0].outcome, Outcome::Forked);

    // The answer is lost, and the aggregator's cursor stands behind the change: only a repair can tell.
    let wanted = || {
        let hashes = country.node(0).store().read(|reader| reader.change_hashes(id));
        let request = ResolveRequest {
            documents: vec![(id, hashes.expect("read"))],
        };
        let answer = country.centre.resolve_answer(&peer, &request);
        answer.expect("answered").wanted
    };
    let change = change_hash(&batch.documents[0].changes[0].bytes);
    assert_eq!(wanted(), [(id, vec![change])]);
    country.node(0).take_ack(&batch, &answer, NOW).expect("stored");
    assert!(
        !wanted().iter().any(|(_, hashes)| hashes.contains(&change)),
        "it was written again"
    );
    assert_eq!(country.up(0)[0].1.outcomes[0].outcome, Outcome::Applied);
    assert_eq!(wanted(), []);
}

#[test]
fn what_a_peer_may_not_write_is_kept_apart() {
    let country = Country::new(500);
    let record = json!({"type": "union", "id": "u2", "name": "foreign", "higher_union": FOREIGN});
    let first = first_change(record);
    let (id, bytes) = (first.document_id, first.changes[0].bytes.clone());
    let batch = loose(vec![first]);
    let ack = country
        .centre
        .take_up(&country.peer(0), &batch, NOW)
        .expect("taken");
    let rejected = Outcome::Rejected("FOREIGN_JURISDICTION".to_owned());
    assert_eq!(ack.outcomes[0].outcome, rejected);
    assert!(matches!(country.centre.document(id), Err(Error::NoDocument(_))));
    let kept = country
        .centre
        .store()
        .read(|reader| reader.quarantine_of(id))
        .expect("read");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].refused.bytes, bytes, "and nothing is thrown away");
}
