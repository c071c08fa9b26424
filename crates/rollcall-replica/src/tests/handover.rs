//! What the taker of a handover may write before it is complete and afterwards, at both ends.

use std::sync::Arc;

use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_doc::{Document, Edit, EditBy};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::message::{ChangeEntry, DocumentChanges, Outcome};
use serde_json::{Value, json};

use super::country::{Country, FOREIGN, NOW, OWN, federation, loose};
use crate::edit::Editing;
use crate::error::Error;
use crate::grants::{Access, Enrolled};
use crate::handover::Right;
use crate::import::ImportFile;
use crate::peer::PeerContext;
use crate::quarantine::Retried;

const GIVER: &str = FOREIGN;
const TAKER: &str = OWN;
const REFUSED: &str = "FOREIGN_JURISDICTION";
const ACCEPTANCE: (&str, &str) = ("handovers/h1/accepted_on", "2024-02-01");
const ADDRESS: (&str, &str) = ("address", "学院路1号");

/// An aggregator that holds an organisation of the giver with an open handover to the taker.
struct Handed {
    country: Country,
    document: Document,
}

/// Writes edits as one change; an actor of its own makes it, so that changes may stand side by side.
fn written(document: &mut Document, edits: &[Edit], actor: u8) -> ChangeEntry {
    let by = EditBy {
        actor: ActorId([actor; 16]),
        author: format!("{TAKER}/{actor}"),
        reason: String::new(),
        time_ms: NOW,
        heads: None,
    };
    let change = document.apply_edits(edits, &by).expect("an edit");
    ChangeEntry {
        position: 0,
        committed_at_ms: 0,
        bytes: change.expect("a change").bytes,
    }
}

fn set(document: &mut Document, fields: &[(&str, &str)], actor: u8) -> ChangeEntry {
    let edits = fields
        .iter()
        .flat_map(|(field, value)| document.set(field, value).expect("a field"));
    let edits: Vec<Edit> = edits.collect();
    written(document, &edits, actor)
}

impl Handed {
    fn new() -> Self {
        let country = Country::new(500);
        let record = json!({"type": "organisation", "id": "handed", "name": "实验学校", "location": GIVER,
            "responsible": GIVER, "handovers": [{"id": "h1", "to": TAKER, "on": "2024-01-10"}]});
        let record: Record = serde_json::from_value(record).expect("a record");
        let id = record.document_id().expect("a key");
        let mut document = Document::create(DocumentKind::Organisation, id);
        let edits = document.plan(&record).expect("a plan");
        let change = written(&mut document, &edits, 1);
        let handed = Self { country, document };
        assert_eq!(handed.take(GIVER, vec![change]), Outcome::Applied);
        handed
    }

    fn id(&self) -> DocumentId {
        self.document.id()
    }

    /// A peer that writes one scope; each scope has a store of its own.
    fn peer(&self, scope: &str) -> PeerContext {
        PeerContext {
            access: Access {
                enrolled: Enrolled {
                    write: [federation(scope)].into(),
                    replicas: Default::default(),
                },
                writers: Arc::new([federation(GIVER), federation(TAKER)].into()),
            },
            ..self.country.peer(usize::from(scope == GIVER))
        }
    }

    fn changes(&self, changes: Vec<ChangeEntry>) -> DocumentChanges {
        DocumentChanges {
            document_id: self.id(),
            kind: DocumentKind::Organisation,
            scopes: Vec::new(),
            changes,
        }
    }

    /// What the aggregator makes of changes that the writer of a scope sends.
    fn take(&self, scope: &str, changes: Vec<ChangeEntry>) -> Outcome {
        let batch = loose(vec![self.changes(changes)]);
        let ack = self.country.centre.take_up(&self.peer(scope), &batch, NOW);
        ack.expect("taken").outcomes.swap_remove(0).outcome
    }

    /// Bytes of the changes that the aggregator keeps apart.
    fn apart(&self) -> Vec<Vec<u8>> {
        let store = self.country.centre.store();
        let kept = store
            .read(|reader| reader.quarantine_of(self.id()))
            .expect("read");
        let open = kept.into_iter().filter(|row| row.released_ms.is_none());
        open.map(|row| {
            assert_eq!(row.refused.code, REFUSED);
            row.refused.bytes
        })
        .collect()
    }

    fn holds(&self, change: &ChangeEntry) -> bool {
        let store = self.country.centre.store();
        let position = store.read(|reader| reader.change_position(self.id(), &change_hash(&change.bytes)));
        position.expect("read").is_some()
    }
}

fn refused() -> Outcome {
    Outcome::Quarantined(REFUSED.to_owned())
}

#[test]
fn a_taker_s_edit_is_kept_apart_until_its_acceptance_and_can_be_taken_afterwards() {
    let handed = Handed::new();
    let edit = set(&mut handed.document.clone(), &[ADDRESS], 2);
    assert_eq!(handed.take(TAKER, vec![edit.clone()]), refused());
    assert_eq!(
        handed.apart(),
        std::slice::from_ref(&edit.bytes),
        "nothing is thrown away"
    );
    assert!(!handed.holds(&edit));

    let mut document = handed.document.clone();
    let acceptance = set(&mut document, &[ACCEPTANCE], 3);
    assert_eq!(handed.take(TAKER, vec![acceptance.clone()]), Outcome::Applied);
    let later = set(&mut document, &[("address", "学院路2号")], 3);
    assert_eq!(
        handed.take(TAKER, vec![later]),
        Outcome::Applied,
        "it keeps the document now"
    );
    assert_eq!(handed.apart().len(), 1);
    let store = handed.country.centre.store();
    let kept = store
        .read(|reader| reader.quarantine_of(handed.id()))
        .expect("read");
    let retried = handed
        .country
        .centre
        .retry_quarantined(&kept[0], Some(&handed.peer(TAKER)), NOW);
    assert_eq!(retried.expect("tried"), Retried::Taken);
    assert!(handed.holds(&edit));
    // The giver goes on writing, before and after.
    let note = set(&mut document, &[("supervising_unit", "教育局")], 4);
    assert_eq!(handed.take(GIVER, vec![note]), Outcome::Applied);
    assert_eq!(handed.country.centre.verify().expect("checked"), []);
}

#[test]
fn acceptance_and_edit_in_one_change_are_refused_as_a_whole() {
    let handed = Handed::new();
    for fields in [
        [ACCEPTANCE, ADDRESS],
        // A handover of its own making, and one that another takes, are no acceptance either.
        [ACCEPTANCE, ("handovers/h1/withdrawn", "2024-02-01 no")],
    ] {
        let both = set(&mut handed.document.clone(), &fields, 2);
        assert_eq!(handed.take(TAKER, vec![both.clone()]), refused(), "{fields:?}");
        assert!(!handed.holds(&both));
    }
    let own = json!([{"id": "h2", "to": TAKER, "on": "2024-01-10", "accepted_on": "2024-01-10"}]);
    let record = json!({"type": "organisation", "id": "handed", "handovers": own});
    let record: Record = serde_json::from_value(record).expect("a record");
    let edits = handed.document.plan(&record).expect("a plan");
    let entry = written(&mut handed.document.clone(), &edits, 3);
    assert_eq!(handed.take(TAKER, vec![entry]), refused());
    let claim = set(
        &mut handed.document.clone(),
        &[("responsible@2024-01-01", TAKER)],
        4,
    );
    assert_eq!(
        handed.take(TAKER, vec![claim]),
        refused(),
        "nor is it in the taker's area"
    );
    let acceptance = set(&mut handed.document.clone(), &[ACCEPTANCE], 5);
    assert_eq!(handed.take(TAKER, vec![acceptance]), Outcome::Applied);
    assert_eq!(handed.apart().len(), 4);
}

#[test]
fn changes_of_one_batch_are_judged_in_their_order() {
    let handed = Handed::new();
    let mut document = handed.document.clone();
    let acceptance = set(&mut document, &[ACCEPTANCE], 2);
    let edit = set(&mut document, &[ADDRESS], 2);
    assert_eq!(
        handed.take(TAKER, vec![edit.clone(), acceptance.clone()]),
        Outcome::Applied,
        "accepted first, whatever comes first"
    );
    assert!(handed.holds(&edit) && handed.apart().is_empty());

    let handed = Handed::new();
    let mut document = handed.document.clone();
    let edit = set(&mut document, &[ADDRESS], 2);
    let after = set(&mut document, &[ACCEPTANCE], 2);
    assert_eq!(handed.take(TAKER, vec![edit.clone(), after.clone()]), refused());
    assert_eq!(handed.apart(), std::slice::from_ref(&edit.bytes));
    assert!(!handed.holds(&after), "it follows what was refused, and waits");

    let handed = Handed::new();
    let edit = set(
        &mut handed.document.clone(),
        &[("address", "a"), ("supervising_unit", "b")],
        3,
    );
    let beside = set(&mut handed.document.clone(), &[ACCEPTANCE], 2);
    let mut document = handed.document.clone();
    set(&mut document, &[ACCEPTANCE], 2);
    let beside_and_later = set(&mut document, &[ADDRESS], 2);
    let first = handed.take(TAKER, vec![edit.clone(), beside.clone()]);
    // Neither knows of the other; which of them is the first is the same everywhere.
    assert!(handed.holds(&beside), "{first:?}");
    assert_eq!(handed.holds(&edit), first == Outcome::Applied);
    assert_eq!(handed.take(TAKER, vec![beside_and_later]), Outcome::Applied);
    assert_eq!(handed.country.centre.verify().expect("checked"), []);
}

#[test]
fn a_handover_that_was_taken_back_may_be_signed_and_gives_nothing() {
    let handed = Handed::new();
    // The taker has not heard of it: it accepts and goes on.
    let mut there = handed.document.clone();
    let acceptance = set(&mut there, &[ACCEPTANCE], 2);
    let edit = set(&mut there, &[ADDRESS], 2);
    let mut here = handed.document.clone();
    let withdrawn = set(&mut here, &[("handovers/h1/withdrawn", "2024-01-20 误报")], 1);
    assert_eq!(handed.take(GIVER, vec![withdrawn]), Outcome::Applied);
    assert_eq!(
        handed.take(TAKER, vec![acceptance.clone(), edit.clone()]),
        refused()
    );
    assert!(handed.holds(&acceptance), "what it signed is on record");
    assert_eq!(handed.apart(), [edit.bytes]);

    // The other way round the taker keeps it when the giver thinks again, and no longer then.
    let handed = Handed::new();
    let mut document = handed.document.clone();
    let acceptance = set(&mut document, &[ACCEPTANCE], 2);
    let edit = set(&mut document, &[ADDRESS], 2);
    let beside = set(&mut handed.document.clone(), &[("address", "学院路3号")], 1);
    assert_eq!(handed.take(TAKER, vec![acceptance, edit]), Outcome::Applied);
    assert_eq!(
        handed.take(GIVER, vec![beside]),
        Outcome::Applied,
        "it wrote at the same time"
    );
    let withdrawn = set(&mut document, &[("handovers/h1/withdrawn", "2024-03-20 误报")], 4);
    assert_eq!(handed.take(GIVER, vec![withdrawn]), Outcome::Applied);
    let late = set(&mut document, &[("address", "学院路4号")], 2);
    assert_eq!(handed.take(TAKER, vec![late.clone()]), refused());
    assert_eq!(handed.apart(), [late.bytes]);
}

/// What a clerk of the taker's node saves.
fn save(handed: &Handed, fields: &[(&str, &str)]) -> Result<Option<[u8; 32]>, Error> {
    let by = Editing {
        author: format!("{TAKER}/7"),
        reason: String::new(),
        now_ms: NOW,
        heads: None,
    };
    handed.country.node(0).edit(handed.id(), &by, |document| {
        let mut edits = Vec::new();
        for (field, value) in fields {
            edits.extend(document.set(field, value)?);
        }
        Ok(edits)
    })
}

/// What the taker's node makes of a record that it imports.
fn import(handed: &Handed, record: &Value) -> Value {
    let by = Editing {
        author: format!("{TAKER}/7"),
        reason: String::new(),
        now_ms: NOW,
        heads: None,
    };
    let text = record.to_string();
    let file = ImportFile {
        import_id: "i1".to_owned(),
        file_name: "records.jsonl".to_owned(),
        sha256: [1; 32],
    };
    let node = handed.country.node(0);
    let summary = node.import_records(&file, || Ok(text.as_bytes()), &by, true);
    serde_json::to_value(summary.expect("read")).expect("a summary")
}

#[test]
fn a_taker_s_own_node_refuses_what_would_be_kept_apart() {
    let handed = Handed::new();
    let node = handed.country.node(0);
    // The node of this test writes the giver's scope, too; here it is the taker's and no other.
    let grant = rollcall_store::cursor::Grant {
        scope: federation(TAKER),
        write: true,
    };
    let only = node
        .store()
        .write("grants", move |writer| writer.save_grants(&[grant]));
    only.wait().expect("saved");
    let store = handed.country.centre.store();
    let held = store.read(|reader| reader.changes(handed.id())).expect("read");
    let entries = held.into_iter().map(|change| ChangeEntry {
        position: change.position,
        committed_at_ms: change.committed_at_ms,
        bytes: change.bytes,
    });
    let down = DocumentChanges {
        scopes: vec![federation(TAKER)],
        ..handed.changes(entries.collect())
    };
    node.take_documents(&[down], None, NOW).expect("taken");
    let right = |expected: Right| {
        let document = node.document(handed.id()).expect("held");
        assert_eq!(node.right(&document).expect("read"), expected);
    };

    right(Right::Acceptance(["h1".to_owned()].into()));
    for fields in [
        &[ADDRESS][..],
        &[ACCEPTANCE, ADDRESS],
        &[("handovers/h1/withdrawn", "2024-02-01 no")],
        &[("responsible@2024-01-01", TAKER)],
    ] {
        let saved = save(&handed, fields);
        assert!(
            matches!(saved, Err(Error::HandoverOpen(_))),
            "{fields:?}: {saved:?}"
        );
    }
    let record =
        json!({"type": "organisation", "id": "handed", "address": "学院路1号", "responsible": TAKER});
    let summary = import(&handed, &record);
    assert_eq!(
        (&summary["refused"], &summary["updated"]),
        (&json!(1), &json!(0)),
        "{summary}"
    );
    assert_eq!(summary["problems"][0]["code"], "HANDOVER_OPEN");
    let accepted = json!([{"id": "h1", "to": TAKER, "on": "2024-01-10", "accepted_on": "2024-02-01"}]);
    let summary = import(
        &handed,
        &json!({"type": "organisation", "id": "handed", "handovers": accepted}),
    );
    assert_eq!(summary["updated"], 1, "{summary}");

    assert!(save(&handed, &[ACCEPTANCE]).expect("saved").is_some());
    right(Right::All);
    assert!(save(&handed, &[ADDRESS]).expect("saved").is_some());
}
