//! Laws of documents, as properties: merging, loading, importing.

use std::collections::HashSet;

use proptest::prelude::*;
use rollcall_core::id::DocumentKind;

use crate::document::{Document, EditBy};
use crate::samples::{by, empty, import, parse, record, sample, write};
use crate::{conflict, gate};

/// Everything that must be equal between replicas.
fn state(document: &Document) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        document.heads(),
        document.digest(),
        document.record(),
        document.facts(),
    )
}

/// Lets changes in through the gate; none may be refused.
fn receive(document: &Document, changes: &[Vec<u8>]) -> Document {
    let held: HashSet<[u8; 32]> = document
        .automerge()
        .get_changes_meta(&[])
        .into_iter()
        .map(|change| change.hash.0)
        .collect();
    let incoming: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
    let admission = gate::admit(document, &held, &incoming);
    assert_eq!(admission.refused, []);
    assert_eq!(admission.pending, []);
    admission.document.unwrap_or_else(|| document.clone())
}

/// Fields and values that two people may set at once, for every kind.
fn settings(kind: DocumentKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        DocumentKind::Organisation => &[
            ("address", "甲"),
            ("address", "乙"),
            ("kind", "foundation"),
            ("name@2024-01-01", "新名"),
            ("name@2024-01-01", "别名"),
            ("name@2024-01-01/withdrawn", "2024-05-01 wrong"),
            ("registration_status@2024-06", "deregistered"),
            ("counts/2023-12-31|check/members", "7"),
            ("counts/2023-12-31|check/members", "8"),
            ("coverage/c1/until", "2024-05-01"),
            ("coverage/c1/until", ""),
            ("exclusions/x1/withdrawn", "2024-01-01 entered twice"),
        ],
        DocumentKind::Union => &[
            ("name", "甲"),
            ("name", ""),
            ("form", "own"),
            ("full_time_chair", "true"),
            ("events/e4/number", "14"),
            ("events/e4/number", "15"),
        ],
        DocumentKind::Fund => &[("year", "2024"), ("year", "2025"), ("federation", "330106")],
        DocumentKind::Subsidy => &[("rule", "甲"), ("rule", "乙"), ("payee_federation", "330106")],
        DocumentKind::SameAs => &[
            ("reason", "甲"),
            ("until", "2024-05"),
            ("withdrawn", "2024-05-01 no"),
        ],
        DocumentKind::Federation => &[
            ("name", "甲"),
            ("name", "乙"),
            ("active", "true"),
            ("active", "false"),
        ],
        DocumentKind::Campaign => &[
            ("grace_months", "1"),
            ("grace_months", "2"),
            ("targets/t1/withdrawn", "2024 no"),
        ],
    }
}

/// A replica edited by one person: the document and the new changes.
fn edited(base: &Document, person: u8, choices: &[prop::sample::Index]) -> (Document, Vec<Vec<u8>>) {
    let mut document = base.clone();
    let all = settings(base.kind());
    let mut changes = Vec::new();
    for choice in choices {
        let (field, value) = all[choice.index(all.len())];
        let Ok(edits) = document.set(field, value) else {
            continue;
        };
        changes.extend(
            document
                .apply_edits(&edits, &by(person))
                .expect("edits can be written")
                .map(|made| made.bytes),
        );
    }
    (document, changes)
}

fn kinds() -> impl Strategy<Value = DocumentKind> {
    prop::sample::select(DocumentKind::ALL.to_vec())
}

fn choices() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        kind in kinds(), a in choices(), b in choices(), c in choices(),
    ) {
        let (base, _) = sample(kind);
        let (at_a, from_a) = edited(&base, 2, &a);
        let (at_b, from_b) = edited(&base, 3, &b);
        let (_, from_c) = edited(&base, 4, &c);
        let one = receive(&receive(&at_a, &from_b), &from_c);
        let other = receive(&at_b, &[from_c.clone(), from_a.clone()].concat());
        prop_assert_eq!(state(&one), state(&other));
        let mut backwards = [from_a.clone(), from_b.clone(), from_c.clone()].concat();
        backwards.reverse();
        let third = receive(&base, &backwards);
        prop_assert_eq!(state(&one), state(&third));
        prop_assert_eq!(state(&one), state(&receive(&one, &backwards)));
    }

    #[test]
    fn load_after_save_is_the_identity_and_importing_the_export_changes_nothing(
        kind in kinds(), a in choices(), b in choices(),
    ) {
        let (base, first) = sample(kind);
        let (at_a, from_a) = edited(&base, 2, &a);
        let (_, from_b) = edited(&base, 3, &b);
        let merged = receive(&at_a, &from_b);
        let mut stored = vec![first.bytes];
        stored.extend(from_a);
        stored.extend(from_b);
        let loaded = Document::load(kind, base.id(), stored.iter().map(Vec::as_slice)).expect("what was stored loads");
        prop_assert_eq!(state(&merged), state(&loaded));
        let (record, _) = merged.record();
        prop_assert_eq!(merged.plan(&record).expect("an export can be imported"), []);
        // And into an empty place, from text: the same record comes out, unless a conflict has two values to tell.
        if merged.conflicts().is_empty() {
            let text = serde_json::to_string(&record).expect("a record is JSON");
            let mut again = Document::create(kind, base.id());
            import(&mut again, &parse(&text), &by(5));
            prop_assert_eq!(again.record().0, record);
        }
    }

    #[test]
    fn a_settled_conflict_is_settled_everywhere(kind in kinds(), a in choices(), b in choices(), which in any::<prop::sample::Index>()) {
        let (base, _) = sample(kind);
        let (at_a, _) = edited(&base, 2, &a);
        let (_, from_b) = edited(&base, 3, &b);
        let mut merged = receive(&at_a, &from_b);
        let before = merged.clone();
        let mut made = Vec::new();
        for conflict in merged.conflicts() {
            let value = &conflict.values[which.index(conflict.values.len())];
            let edits = merged.settle(&conflict.field, &value.id).expect("one of its values can be chosen");
            made.push(write(&mut merged, &edits, &by(6)).bytes);
        }
        prop_assert_eq!(merged.conflicts(), []);
        prop_assert_eq!(conflict::count(merged.content()), 0);
        prop_assert_eq!(state(&receive(&before, &made)), state(&merged));
    }
}

#[test]
fn importing_a_record_twice_changes_nothing_the_second_time() {
    for kind in DocumentKind::ALL {
        let (document, _) = sample(kind);
        assert_eq!(
            document.plan(&record(kind)).expect("the record can be imported"),
            [],
            "{kind:?}"
        );
        let (exported, problems) = document.record();
        assert_eq!(problems, [], "{kind:?}");
        assert_eq!(
            document.plan(&exported).expect("the export can be imported"),
            [],
            "{kind:?}"
        );
    }
}

#[test]
fn two_nodes_that_import_the_same_record_apart_agree_without_conflict() {
    for kind in DocumentKind::ALL {
        let record = record(kind);
        let (mut here, mut there) = (empty(&record), empty(&record));
        let from_here = import(&mut here, &record, &by(2));
        let from_there = import(&mut there, &record, &by(3));
        let here = receive(&here, &[from_there.bytes]);
        let there = receive(&there, &[from_here.bytes]);
        assert_eq!(state(&here), state(&there), "{kind:?}");
        assert_eq!(here.conflicts(), [], "{kind:?}");
        assert_eq!(here.record().1, [], "{kind:?}");
        assert_eq!(here.record().0, sample(kind).0.record().0, "{kind:?}");
    }
}

#[test]
fn an_edit_at_the_heads_the_form_showed_keeps_both_values() {
    let (mut document, _) = sample(DocumentKind::Organisation);
    let shown = document.heads();
    let edits = document.set("address", "甲").expect("a field");
    write(&mut document, &edits, &by(2));
    let edits = document.set("address", "乙").expect("a field");
    write(
        &mut document,
        &edits,
        &EditBy {
            heads: Some(shown.clone()),
            ..by(3)
        },
    );
    let conflicts = document.conflicts();
    assert_eq!(conflicts.len(), 1);
    let values: Vec<(&str, &str)> = conflicts[0]
        .values
        .iter()
        .map(|value| (value.value.as_str().expect("a text"), value.author.as_str()))
        .collect();
    assert_eq!(values, [("甲", "330106/2"), ("乙", "330106/3")]);
    let behind = document.apply_edits(
        &edits,
        &EditBy {
            heads: Some(shown),
            ..by(2)
        },
    );
    assert!(matches!(behind, Err(crate::Error::ActorBehind(_))));
}
