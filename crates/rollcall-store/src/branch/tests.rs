//! A branch leaves its document: sums, facts and log still agree, and its bytes are archived.

use super::*;
use crate::Role;
use crate::quarantine::QuarantineRow;
use crate::testing::{Draft, Fixture, id};

#[test]
fn a_branch_is_archived_and_the_store_still_agrees_with_itself() {
    let fixture = Fixture::new(Role::Node);
    let mut draft = Draft::new(1);
    let first = draft.edit(&[330106]);
    let second = draft.edit(&[330106]);
    for commit in [&first, &second, &Draft::new(2).edit(&[330106])] {
        fixture.commit(commit.clone()).expect("committed");
    }
    let lost = second.new_changes[0].clone();
    let archive = BranchArchive {
        document_id: id(1),
        expected_digest: second.digest,
        branch: vec![lost.hash],
        heads: first.heads.clone(),
        digest: first.digest,
        facts: first.facts.clone(),
        code: "FORKED".to_owned(),
        message: "its number was taken".to_owned(),
        note: "written again".to_owned(),
        program: "1".to_owned(),
        now_ms: 9,
    };
    let stale = BranchArchive {
        expected_digest: [9; 32],
        ..archive.clone()
    };
    let run = |archive: BranchArchive| {
        fixture
            .store
            .write("archive", move |writer| writer.archive_branch(&archive))
            .wait()
    };
    assert!(matches!(run(stale), Err(Error::Stale(_))));
    run(archive).expect("archived");
    assert_eq!(fixture.faults(), [], "origin log, sums and facts agree");
    fixture
        .store
        .read(|reader| {
            assert_eq!(reader.change_hashes(id(1))?, first.heads);
            assert_eq!(reader.kept_change(id(1), &lost.hash)?, Some(lost.bytes.clone()));
            assert_eq!(reader.documents_quarantined()?, [], "nothing is open");
            let kept: Vec<QuarantineRow> = reader.quarantine_all(9)?;
            assert_eq!(kept[0].outcome, "rescued");
            assert_eq!(reader.origin_end()?.position, 3, "the log keeps its place");
            Ok(())
        })
        .expect("read");
    fixture
        .commit(draft_after(&first).edit(&[330106]))
        .expect("the document goes on from there");
    assert_eq!(fixture.faults(), []);
}

/// The document as after its first change.
fn draft_after(first: &crate::commit::DocumentCommit) -> Draft {
    let mut draft = Draft::new(1);
    draft.edit(&[330106]);
    draft.edit(&[330106]);
    draft.digest = Some(first.digest);
    draft
}
