//! What the aggregator owes those whom it sends its log, and what they make of it.

use rollcall_core::id::DocumentId;
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::session::client::ReceiptCheck;
use serde_json::json;

use super::country::{CENTRE_KEY, Country, FOREIGN, NOW, OWN, Seals, federation};
use crate::Replica;

fn union(id: &str, name: &str) -> serde_json::Value {
    json!({"type": "union", "id": id, "name": name, "higher_union": OWN})
}

fn digest(replica: &Replica, id: DocumentId) -> [u8; 32] {
    let row = replica.store().read(|reader| reader.document(id)).expect("read");
    row.expect("held").digest
}

#[test]
fn both_ends_name_one_state_alike_whether_it_was_written_or_came() {
    let country = Country::new(500);
    let id = country.edit(0, union("u1", "first"));
    country.up(0);
    country.down(1);
    // Written apart, so that the state has two heads in the end.
    country.edit(0, json!({"type": "union", "id": "u1", "name": "here"}));
    country.edit(1, json!({"type": "union", "id": "u1", "name": "there"}));
    for number in [0, 1] {
        country.up(number);
    }
    for number in [0, 1] {
        country.down(number);
    }
    let all = [&country.centre, country.node(0), country.node(1)];
    assert_eq!(country.centre.document(id).expect("held").heads().len(), 2);
    for replica in all {
        assert_eq!(
            digest(replica, id),
            country.centre.document(id).expect("held").digest()
        );
        assert_eq!(replica.verify().expect("checked"), []);
    }
}

#[test]
fn what_is_kept_apart_is_in_no_root_of_either_end() {
    let country = Country::new(500);
    country.edit(0, union("u1", "own"));
    let foreign = json!({"type": "union", "id": "u2", "name": "foreign", "higher_union": FOREIGN});
    let foreign = country.edit(0, foreign);
    country.up(0);
    let receipt = country.down(0);
    assert_eq!(receipt.quarantined, [foreign]);
    assert_eq!(receipt.documents, 1);
    let check = country.node(0).check_receipt(&receipt, CENTRE_KEY, &Seals);
    assert_eq!(check.expect("read"), ReceiptCheck::Equal);
}

#[test]
fn a_receipt_comes_with_the_batch_that_reaches_its_position() {
    let country = Country::new(1);
    for id in ["u1", "u2", "u3"] {
        country.edit(0, union(id, "one of three"));
    }
    country.up(0);
    let (mut after, mut batches) = (0, 0);
    loop {
        let (batch, receipt) = country.batch_down(1, after);
        batches += 1;
        assert_eq!(batch.documents.len(), 1, "as many as there may be");
        let position = country
            .centre
            .store()
            .read(|reader| reader.position())
            .expect("read");
        let stated = receipt.map(|receipt| receipt.position);
        assert_eq!(stated, (batch.to == position).then_some(position));
        after = batch.to;
        if batch.drained {
            break;
        }
    }
    assert_eq!(batches, 3);
}

#[test]
fn nobody_is_sent_what_it_sent_itself() {
    let country = Country::new(500);
    let id = country.edit(0, union("u1", "mine"));
    country.up(0);
    let (own, _) = country.batch_down(0, 0);
    assert_eq!(own.documents, []);
    assert!(own.drained && own.to > 0, "it learns how far the log goes");
    let (others, _) = country.batch_down(1, 0);
    let sent: Vec<_> = others
        .documents
        .iter()
        .map(|document| document.document_id)
        .collect();
    assert_eq!(sent, [id]);
}

#[test]
fn the_cursor_is_written_with_the_batch_that_it_covers() {
    let country = Country::new(1);
    for id in ["u1", "u2"] {
        country.edit(0, union(id, "one of two"));
    }
    country.up(0);
    for documents in [1, 2] {
        let (batch, _) = country.batch_down(1, country.down_position(1));
        let taken = country.node(1).take_down(&batch, NOW).expect("taken");
        assert_eq!(taken.documents, 1);
        let (held, upstream) = country
            .node(1)
            .store()
            .read(|reader| Ok((reader.documents_count()?, reader.upstream()?)))
            .expect("read");
        let upstream = upstream.expect("known");
        assert_eq!(held, documents);
        assert_eq!(
            (upstream.down_position, upstream.scopes_hash),
            (batch.to, batch.end_chain)
        );
    }
}

#[test]
fn a_receipt_after_an_edit_states_what_is_held_then() {
    let country = Country::new(500);
    let mut roots = Vec::new();
    for name in ["first", "second", "third"] {
        country.edit(0, union("u1", name));
        country.up(0);
        let receipt = country.down(0);
        let entries = country
            .centre
            .store()
            .read(|reader| reader.scope_entries(&federation(OWN)))
            .expect("read");
        let (root, documents) = scope_root(entries.iter().map(|(id, digest)| (id, digest)));
        assert_eq!(
            (receipt.scopes[0].root, receipt.scopes[0].documents),
            (root, documents),
            "{name}"
        );
        assert!(!roots.contains(&root), "another state has another root");
        roots.push(root);
    }
}
