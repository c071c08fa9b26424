//! Batches that are handed to the store before the one they follow is committed.

use rollcall_core::id::DocumentKind;
use rollcall_store::Error;
use rollcall_sync::message::{Batch, Cursor, DocumentChanges, Outcome};
use serde_json::json;

use super::country::{Country, FOREIGN, NOW, OWN, federation, first_change, key, loose};
use crate::prepare::Reading;
use crate::take_down::Reached;

fn union(id: &str, name: &str) -> serde_json::Value {
    json!({"type": "union", "id": id, "name": name, "higher_union": OWN})
}

#[test]
fn the_aggregator_takes_no_batch_before_the_one_it_follows() {
    let country = Country::new(500);
    country.edit(0, union("u1", "here"));
    let first = country.batch_up(0);
    let later = country.edit(0, union("u2", "here"));
    let after = Cursor {
        position: first.to,
        chain: first.end_chain,
    };
    let second = country.node(0).load_up(&after, &key(0)).expect("read");
    let second = second.expect("the log goes on");
    let (centre, peer) = (&country.centre, country.peer(0));
    let judged = [&first, &second].map(|batch| {
        centre
            .judge_up(&peer, batch, NOW, Reading::Always)
            .expect("judged")
    });

    // Somebody else's edit moves the document of the first.
    country.edit(1, union("u1", "there"));
    country.up(1);
    let [of_first, of_second] = judged;
    let first_taken = centre.start_commit(&peer, &first, of_first, NOW);
    let second_taken = centre.start_commit(&peer, &second, of_second, NOW);
    assert!(matches!(first_taken.wait(), Err(Error::Stale(_))));
    assert!(matches!(second_taken.wait(), Err(Error::CursorMoved { held }) if held.position == 0));
    assert!(centre.document(later).is_err(), "nothing of it was taken");

    for batch in [&first, &second] {
        let ack = centre.take_up(&peer, batch, NOW).expect("taken");
        assert_eq!(ack.cursor.position, batch.to);
    }
    assert!(centre.document(later).is_ok());
    assert_eq!(centre.verify().expect("checked"), []);
}

#[test]
fn what_is_judged_as_new_without_a_look_and_is_held_is_found_by_the_commit() {
    let country = Country::new(500);
    country.edit(0, union("u1", "here"));
    country.up(0);
    let document = country.edit(1, union("u1", "there"));
    let batch = country.batch_up(1);
    let (centre, peer) = (&country.centre, country.peer(1));
    let judged = centre.judge_up(&peer, &batch, NOW, Reading::WhereFollowed);
    let commit = centre.start_commit(&peer, &batch, judged.expect("judged"), NOW);
    assert!(matches!(commit.wait(), Err(Error::Stale(id)) if id == document));
    let ack = centre.take_up(&peer, &batch, NOW).expect("taken");
    assert_eq!(ack.outcomes[0].outcome, Outcome::Applied);
    assert_eq!(centre.verify().expect("checked"), []);
}

#[test]
fn whom_a_document_belongs_to_is_looked_up_where_its_change_does_not_say() {
    let country = Country::new(500);
    let (centre, peer) = (&country.centre, country.peer(1));
    let take = |batch: &Batch, reading| {
        let judged = centre.judge_up(&peer, batch, NOW, reading).expect("judged");
        let ack = centre
            .start_commit(&peer, batch, judged, NOW)
            .wait()
            .expect("taken");
        ack.outcomes[0].outcome.clone()
    };
    let nobodys = |id: &str| json!({"type": "union", "id": id, "name": "there"});
    // It names no federation: as a new document nobody may write it.
    let stray = loose(vec![first_change(nobodys("u2"))]);
    assert!(matches!(
        take(&stray, Reading::WhereFollowed),
        Outcome::Rejected(_)
    ));
    country.edit(0, union("u1", "here"));
    country.up(0);
    assert_eq!(
        take(&loose(vec![first_change(nobodys("u1"))]), Reading::WhereFollowed),
        Outcome::Applied
    );
    assert_eq!(centre.verify().expect("checked"), []);
}

#[test]
fn a_document_that_only_joins_a_scope_is_looked_up() {
    let country = Country::new(1);
    let document = country.edit(0, union("u1", "here"));
    let node = country.node(0);
    let joins = [DocumentChanges {
        document_id: document,
        kind: DocumentKind::Union,
        scopes: vec![federation(FOREIGN)],
        changes: Vec::new(),
    }];
    let passed = node
        .admit_down(&joins, NOW, Reading::WhereFollowed)
        .expect("passed");
    let taken = node.start_down(&joins, passed, None, None, NOW);
    taken.wait().expect("taken");
    let scopes = node.store().read(|reader| reader.scopes_of(document));
    assert_eq!(scopes.expect("read"), [OWN, FOREIGN].map(federation));
}

#[test]
fn a_node_takes_no_batch_before_the_one_it_follows() {
    let country = Country::new(1);
    country.edit(0, union("u1", "first"));
    country.up(0);
    country.down(1);
    country.edit(0, union("u1", "second"));
    country.edit(0, union("u2", "first"));
    country.up(0);
    let held = country.down_position(1);
    let (first, _) = country.batch_down(1, held);
    let (second, _) = country.batch_down(1, first.to);
    let node = country.node(1);
    let passed = [&first, &second].map(|batch| {
        node.admit_down(&batch.documents, NOW, Reading::Always)
            .expect("passed")
    });

    country.edit(1, union("u1", "in between"));
    let [of_first, of_second] = passed;
    let start = |batch: &rollcall_sync::message::Batch, passed, waits_for| {
        node.start_down(
            &batch.documents,
            passed,
            Some(Reached::after(batch)),
            waits_for,
            NOW,
        )
    };
    let first_taken = start(&first, of_first, None);
    let second_taken = start(&second, of_second, Some(first.to));
    assert!(matches!(first_taken.wait(), Err(Error::Stale(_))));
    assert!(matches!(second_taken.wait(), Err(Error::CursorMoved { .. })));
    assert_eq!(
        country.down_position(1),
        held,
        "the cursor has passed nothing over"
    );

    for batch in [&first, &second] {
        node.take_down(batch, NOW).expect("taken");
        assert_eq!(country.down_position(1), batch.to);
    }
    assert_eq!(node.verify().expect("checked"), []);
}
