//! Who an organisation counts for while two federations enter it apart, and while one hands it to another
//! (`protocol.md` 1.3, 1.7 to 1.9; `domain.md` 8): at the giver, at the taker, at the province above both, at the centre.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_doc::Document;
use rollcall_sync::message::{Cursor, DocumentChanges, Hello, ServerFrame};
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, database, sync_all};
use crate::peer::{Hostile, code_of, written_on};

const GIVER: &str = "330106";
const TAKER: &str = "330105";

fn code() -> String {
    CreditCode::complete("52330106MJ000001")
        .expect("a code")
        .to_string()
}

fn school(fields: &Value) -> Value {
    let mut record = json!({"type": "organisation", "code": code()});
    let all = record.as_object_mut().expect("an object");
    all.extend(fields.as_object().expect("an object").clone());
    record
}

/// Federations that an office counts organisations in scope for at the end of 2024, and how many there are in all.
fn counted(ask: impl Fn(&[&str]) -> Value) -> (Vec<String>, u64) {
    let answer = ask(&["figures", "--as-of", "2024-12-31", "--by", "federation"]);
    let rows = answer["rows"].as_array().expect("rows").iter();
    let of = rows
        .filter(|row| row["in_scope"].as_u64() > Some(0))
        .map(|row| {
            row["key"]["federation"]
                .as_str()
                .expect("a federation")
                .to_owned()
        })
        .collect();
    (of, answer["total"]["in_scope"].as_u64().expect("a number"))
}

/// All of them count the school once, for this federation.
fn assert_counts_for(aggregator: &Aggregator, nodes: &[&Node], federation: &str) {
    let once = (vec![federation.to_owned()], 1);
    for node in nodes {
        assert_eq!(counted(|args| node.json(args)), once);
    }
    assert_eq!(counted(|args| aggregator.json(args)), once);
}

#[test]
fn an_organisation_that_two_federations_enter_apart_is_one_document_that_counts_once_and_both_are_told() {
    let mut aggregator = Aggregator::start();
    let (county, prefecture) = (aggregator.node(GIVER, &[]), aggregator.node("330100", &[]));
    let province = aggregator.node("330000", &["--replicas", "330000"]);
    sync_all(&[&county, &prefecture, &province]);
    aggregator.stop();
    for (node, federation) in [(&county, GIVER), (&prefecture, "330100")] {
        node.enter(
            &[school(&json!({"name": "实验学校", "registered_on": "2015-01-01",
            "registration_status": "registered", "location": GIVER, "responsible": federation}))],
        );
    }
    aggregator.serve();
    sync_all(&[&county, &prefecture, &province]);
    for node in [&county, &prefecture, &province] {
        assert_eq!(node.json(&["status"])["documents"], 1);
        assert_eq!(counted(|args| node.json(args)).1, 1, "it counts once");
        let conflicts = node.json(&["conflicts", "list"]).to_string();
        assert!(
            conflicts.contains("responsible") && conflicts.contains("330100"),
            "both see that the other claims it: {conflicts}"
        );
    }
    assert_eq!(counted(|args| aggregator.json(args)).1, 1);
    assert_eq!(
        counted(|args| county.json(args)),
        counted(|args| prefecture.json(args)),
        "and for the same one everywhere"
    );
    assert_eq!(
        counted(|args| county.json(args)),
        counted(|args| aggregator.json(args))
    );
    assert_eq!(aggregator.json(&["quarantine", "list"]), json!([]));
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn a_handover_counts_from_the_second_signature_on_and_a_withdrawn_one_never() {
    let aggregator = Aggregator::start();
    let (giver, taker) = (aggregator.node(GIVER, &[]), aggregator.node(TAKER, &[]));
    let province = aggregator.node("330000", &["--replicas", "330000"]);
    let all = [&giver, &taker, &province];
    giver.enter(
        &[school(&json!({"name": "实验学校", "registered_on": "2015-01-01",
        "registration_status": "registered", "location": GIVER, "responsible": GIVER}))],
    );
    sync_all(&all);
    assert_eq!(
        taker.json(&["status"])["documents"],
        0,
        "nothing of it concerns the taker yet"
    );
    assert_counts_for(&aggregator, &[&giver, &province], GIVER);

    // The first signature: the taker sees it, the giver counts it.
    let first = json!({"id": "h1", "to": TAKER, "on": "2024-01-10"});
    giver.enter(&[school(&json!({"handovers": [first]}))]);
    sync_all(&all);
    assert_eq!(taker.json(&["status"])["documents"], 1);
    assert_counts_for(&aggregator, &all, GIVER);

    // Taken back: it stays with the giver, whatever the taker signs afterwards.
    let mut withdrawn = first.clone();
    withdrawn["withdrawn"] = json!({"at": "2024-01-20", "reason": "误报"});
    giver.enter(&[school(&json!({"handovers": [withdrawn]}))]);
    sync_all(&all);
    let mut late = first;
    late["accepted_on"] = json!("2024-02-01");
    taker.enter(&[school(&json!({"handovers": [late]}))]);
    sync_all(&all);
    assert_counts_for(&aggregator, &all, GIVER);

    // Another one, with both signatures: from the second on it is the taker's.
    let mut second = json!({"id": "h2", "to": TAKER, "on": "2024-03-01"});
    giver.enter(&[school(&json!({"handovers": [second]}))]);
    sync_all(&all);
    assert_counts_for(&aggregator, &all, GIVER);
    second["accepted_on"] = json!("2024-04-15");
    taker.enter(&[school(&json!({"handovers": [second]}))]);
    sync_all(&all);
    assert_counts_for(&aggregator, &all, TAKER);
    for node in all {
        let before = node.json(&["figures", "--as-of", "2024-04-14", "--by", "federation"]);
        let row = before["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .find(|row| row["in_scope"] == 1);
        assert_eq!(
            row.expect("a row")["key"]["federation"],
            GIVER,
            "before the second signature"
        );
    }
    for faults in [
        giver.json(&["verify"]),
        taker.json(&["verify"]),
        aggregator.json(&["verify"]),
    ] {
        assert_eq!(faults["faults"], json!([]));
    }
    assert_eq!(aggregator.json(&["quarantine", "list"]), json!([]));
}

/// The school as the aggregator holds it.
fn held(aggregator: &Aggregator) -> Document {
    let id = DocumentId::derive(DocumentKind::Organisation, &code());
    let database = database(&aggregator.store());
    let mut changes = database
        .prepare("SELECT bytes FROM change WHERE document_id = ?1 ORDER BY ordinal")
        .expect("a query");
    let changes = changes.query_map([id.as_bytes()], |row| row.get::<_, Vec<u8>>(0));
    let changes: Vec<Vec<u8>> = changes.expect("rows").collect::<Result<_, _>>().expect("rows");
    Document::load(DocumentKind::Organisation, id, changes.iter().map(Vec::as_slice)).expect("a document")
}

/// A change to the school as the aggregator holds it, by an actor of this number.
fn change(aggregator: &Aggregator, fields: &Value, actor: u8) -> DocumentChanges {
    let record: Record = serde_json::from_value(school(fields)).expect("a record");
    written_on(held(aggregator), &record, ActorId([actor; 16]), "330105/7")
}

/// What a change is answered with that goes on from `end`, the end of the log, which moves.
fn answer(hostile: &Hostile, end: &mut Cursor, changes: DocumentChanges) -> String {
    let batch = hostile.batch_after(*end, vec![changes]);
    let hello = Hello {
        acknowledged: *end,
        ..hostile.hello(&batch)
    };
    *end = Cursor {
        position: batch.to,
        chain: batch.end_chain,
    };
    let last = hostile.converse(hello, vec![batch]).pop();
    let Some(ServerFrame::Ack(ack)) = last else {
        panic!("no answer to a batch: {last:?}")
    };
    code_of(&ack.outcomes[0].outcome).to_owned()
}

#[test]
fn a_taker_that_writes_more_than_its_acceptance_is_refused_at_both_ends_until_it_has_accepted() {
    let aggregator = Aggregator::start();
    let (giver, taker) = (aggregator.node(GIVER, &[]), aggregator.node(TAKER, &[]));
    let all = [&giver, &taker];
    // Another workstation of the taker, whose program lets everything pass.
    let other = aggregator.node(TAKER, &[]);
    let hostile = Hostile::with_keys_of(&other, &aggregator);
    let mut end = Cursor::default();
    let entry = json!({"id": "h1", "to": TAKER, "on": "2024-01-10"});
    giver.enter(
        &[school(&json!({"name": "实验学校", "registered_on": "2015-01-01",
        "registration_status": "registered", "location": GIVER, "responsible": GIVER, "handovers": [entry]}))],
    );
    sync_all(&all);
    let mut accepted = entry;
    accepted["accepted_on"] = json!("2024-02-01");

    // More than the acceptance, and both in one change.
    let gone = json!({"registration_status": "deregistered", "status_on": "2024-01-15"});
    let mut both = gone.clone();
    both["handovers"] = json!([accepted]);
    for (fields, actor) in [(&gone, 21), (&both, 22)] {
        let sent = change(&aggregator, fields, actor);
        assert_eq!(answer(&hostile, &mut end, sent), "FOREIGN_JURISDICTION");
    }
    let apart = aggregator.json(&["quarantine", "list"]);
    let codes: Vec<&Value> = apart
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["code"])
        .collect();
    assert_eq!(codes, ["FOREIGN_JURISDICTION"; 2], "{apart}");
    sync_all(&[&giver]);
    assert_counts_for(&aggregator, &[&giver], GIVER);

    // The taker's own program says so before anything is saved.
    let code = code();
    let refused = taker.said(&[
        "organisation",
        "set",
        &code,
        "address=学院路1号",
        "--reason",
        "核实",
    ]);
    assert_eq!(refused.code(), "HANDOVER_OPEN", "{}", refused.err);
    assert_eq!(taker.json(&["status"])["waiting"]["changes"], 0);

    // The acceptance goes through, and everything after it; what was refused before stays apart until somebody decides.
    taker.enter(&[school(&json!({"handovers": [accepted]}))]);
    taker.ok(&[
        "organisation",
        "set",
        &code,
        "address=学院路1号",
        "--reason",
        "核实",
    ]);
    taker.sync();
    giver.sync();
    assert_counts_for(&aggregator, &all, TAKER);
    let address = change(&aggregator, &json!({"address": "学院路2号"}), 23);
    assert_eq!(answer(&hostile, &mut end, address), "applied");
    assert_eq!(
        aggregator.json(&["quarantine", "list"]).as_array().map(Vec::len),
        Some(2)
    );
    taker.sync();
    assert_counts_for(&aggregator, &all, TAKER);
    for faults in [
        giver.json(&["verify"]),
        taker.json(&["verify"]),
        aggregator.json(&["verify"]),
    ] {
        assert_eq!(faults["faults"], json!([]));
    }
}
