//! Repairs and corrections leave a trace, so that nobody has to be there when they happen.

use super::*;
use crate::testing::{Draft, Fixture, federation};
use crate::{Error, Role};

#[test]
fn repairs_and_corrections_are_counted() {
    let fixture = Fixture::new(Role::Aggregator);
    fixture.commit(Draft::new(1).edit(&[330106])).expect("commit");
    let notes = || fixture.store.read(Reader::self_check).expect("read");
    assert_eq!(notes(), SelfCheck::default());
    for (documents, now_ms) in [(3, 70), (1, 80)] {
        let note = move |writer: &mut Writer| writer.note_repair(documents, now_ms);
        fixture.store.write("repair", note).wait().expect("noted");
    }
    let correct = || {
        let work = |writer: &mut Writer| -> Result<bool, Error> {
            let corrected = writer.correct_scope(&federation(330106))?;
            writer.note_recount(90)?;
            Ok(corrected)
        };
        fixture.store.write("recount", work).wait().expect("counted")
    };
    assert!(!correct(), "the sum was right");
    let faults = fixture.sabotage("UPDATE scope SET documents_count = 7");
    assert_ne!(faults, []);
    assert!(correct() && !correct(), "it is corrected once");
    assert_eq!(fixture.faults(), []);
    let expected = SelfCheck {
        repairs: 2,
        repaired_documents: 4,
        repaired_ms: 80,
        recounted_ms: 90,
        corrected_scopes: 1,
    };
    assert_eq!(notes(), expected);
}
