//! The saved form against what Automerge makes of the same changes.

use automerge::{Automerge, Change};
use rollcall_core::id::{DocumentId, DocumentKind};

use super::*;
use crate::document::Document;
use crate::fuzz::corpus::histories;
use crate::gate::walk_stored;
use crate::genesis;
use crate::samples::{by, empty, import, parse, sample, write};

/// The saved form of changes; what it says stands in the document is compared with what Automerge reads.
fn form_of(kind: DocumentKind, id: DocumentId, changes: &[&[u8]], applied: &Automerge) -> Option<Vec<u8>> {
    let walked = walk_stored(changes).expect("changes");
    let named = walked.iter().map(|checked| checked.named()).collect();
    let form = SavedForm::of(Genesis::of(kind, id), named)?;
    assert_eq!(form.content(), Content::read(kind, id, applied), "{kind:?}");
    Some(form.bytes())
}

fn form_of_first(document: &Document, bytes: &[u8]) -> Option<Vec<u8>> {
    form_of(document.kind(), document.id(), &[bytes], document.automerge())
}

#[test]
fn the_form_of_a_first_change_is_what_automerge_saves() {
    for kind in DocumentKind::ALL {
        let (document, change) = sample(kind);
        let made = form_of_first(&document, &change.bytes).expect("a first change");
        assert!(made == document.automerge().save_nocompress(), "{kind:?}");
    }
    // Actors on either side of the genesis actor, reasons and none, one entry and many.
    for number in 1..=120_u8 {
        let workers: Vec<String> = (0..u32::from(number % 7))
            .map(|index| {
                let (year, count) = (2000 + index, index * 70 * u32::from(number));
                format!(r#"{{"on":"{year}-12-31","source":"check","workers":{count},"members":null,"female_members":null}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"type":"organisation","code":"52140829MJ1938921G","name":"校{number}","counts":[{}]}}"#,
            workers.join(",")
        );
        let record = parse(&text);
        let mut document = empty(&record);
        let mut editor = by(number.wrapping_mul(37));
        if number % 3 == 0 {
            editor.reason = String::new();
        }
        let edits = document.plan(&record).expect("a record");
        let change = write(&mut document, &edits, &editor);
        let made = form_of_first(&document, &change.bytes).expect("a first change");
        assert!(made == document.automerge().save_nocompress(), "{number}");
    }
}

#[test]
fn the_form_of_a_history_is_what_automerge_saves() {
    let mut replaced = 0;
    for (kind, id, changes) in histories() {
        let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
        let mut applied = Automerge::new();
        let genesis = genesis::change(kind, id);
        applied.apply_changes([genesis]).expect("the genesis change");
        for (index, bytes) in changes.iter().enumerate() {
            let change = Change::try_from(*bytes).expect("a change");
            applied.apply_changes([change]).expect("it can be applied");
            let made = form_of(kind, id, &changes[..=index], &applied).expect("a history");
            assert!(made == applied.save_nocompress(), "{kind:?}, change {index}");
        }
        let walked = walk_stored(&changes).expect("changes");
        replaced += walked
            .iter()
            .filter(|checked| !checked.named().change.preds.is_empty())
            .count();
    }
    assert!(replaced > 7, "{replaced} changes replace something");
}

#[test]
fn what_is_missing_or_twice_has_no_such_form() {
    let (mut document, first) = sample(DocumentKind::Organisation);
    let record = parse(
        r#"{"type":"organisation","code":"52140829MJ1938921G","name":"平陆县供销社常乐双语学校","address":"别处"}"#,
    );
    let second = import(&mut document, &record, &by(2));
    let form = |changes: &[&[u8]]| form_of(document.kind(), document.id(), changes, document.automerge());
    assert_eq!(form(&[&second.bytes]), None);
    assert_eq!(form(&[&second.bytes, &first.bytes]), None);
    assert_eq!(form(&[&first.bytes, &second.bytes, &second.bytes]), None);
    let whole = form(&[&first.bytes, &second.bytes]);
    assert!(whole == Some(document.automerge().save_nocompress()));
}

#[test]
fn numbers_are_written_as_they_are_read() {
    for value in [0, 1, -1, 63, 64, -64, -65, 8191, -8192, i64::MAX, i64::MIN] {
        let mut bytes = Vec::new();
        put_signed(&mut bytes, value);
        assert_eq!(crate::gate::bytes::Bytes::new(&bytes).signed(), Some(value));
    }
}
